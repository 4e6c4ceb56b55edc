import { Effect, Schema } from "effect"

/** The bundled PostgreSQL cannot be used on this machine. */
export class BundledPostgresUnavailable extends Schema.TaggedError<BundledPostgresUnavailable>(
  "platform/BundledPostgresUnavailable"
)("BundledPostgresUnavailable", { reason: Schema.String }) {
  override get message() {
    return `the bundled PostgreSQL cannot be used: ${this.reason}; set DATABASE_URL to use another PostgreSQL`
  }
}

/** A step of making, starting or running the bundled PostgreSQL failed; `detail` may end in lines of its log. */
export class BundledPostgresFailed extends Schema.TaggedError<BundledPostgresFailed>("platform/BundledPostgresFailed")(
  "BundledPostgresFailed",
  { operation: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `the bundled PostgreSQL failed to ${this.operation}: ${this.detail}`
  }
}

export type BundledPostgresError = BundledPostgresUnavailable | BundledPostgresFailed

/** Runs a promise whose rejection is the failure of `operation`. */
export const attempt = <A>(operation: string, run: () => Promise<A>) =>
  Effect.tryPromise({
    try: run,
    catch: (cause) => new BundledPostgresFailed({ operation, detail: String(cause) })
  })
