import { Context, Duration } from "effect"

/**
 * How uploads and the collector keep out of each other's way, on however many nodes. They are no
 * settings, for nobody should have to think about them; tests make them short.
 */
export class UploadTimes extends Context.Reference<UploadTimes>()("session/UploadTimes", {
  defaultValue: () => ({
    /** An upload that ends sooner needs no lease. */
    quiet: Duration.seconds(10),
    /** How often a lease is renewed. */
    renew: Duration.seconds(15),
    /** How long an upload counts as alive from its begin, or from the last renewal of its lease. */
    lease: Duration.seconds(60),
    /**
     * How much longer the collector waits. It covers a commit that is on its way when the lease ends
     * (DATABASE_STATEMENT_TIMEOUT bounds it) and clocks that differ.
     */
    margin: Duration.seconds(60)
  })
}) {}
