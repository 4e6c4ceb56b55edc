import { Context, type Effect } from "effect"
import type { CurrentPrincipal } from "../Principal.ts"

/** The audit log, for rooms that it is built on itself. */
export class AuditTrail extends Context.Tag("domain/AuditTrail")<
  AuditTrail,
  {
    /** Writes what the principal did; call it inside the transaction of the change. */
    readonly record: (entry: {
      /** `<resource>.<verb>`, such as `log.report`. */
      readonly action: string
      /** `<kind>/<id>`. */
      readonly resource: string
      readonly after?: unknown
    }) => Effect.Effect<void, never, CurrentPrincipal>
  }
>() {}
