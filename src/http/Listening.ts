import { BunHttpServer } from "@effect/platform-bun"
import { Effect, Layer, Schema } from "effect"
import { Settings } from "../platform/Settings.ts"

/** The address cannot be listened on. */
export class AddressInUse extends Schema.TaggedError<AddressInUse>("http/AddressInUse")("AddressInUse", {
  host: Schema.String,
  port: Schema.Number,
  reason: Schema.String
}) {
  override get message() {
    return `cannot listen on ${this.host}:${this.port}: ${this.reason}. Is another service running there? Set PORT (or HOST)`
  }
}

/** The listening socket. Bodies are bounded by the handlers; quiet streams are not cut by the server. */
export const server = Layer.unwrapEffect(
  Effect.map(Settings, ({ server: { host, port } }) =>
    BunHttpServer.layer({ hostname: host, port, maxRequestBodySize: Number.MAX_SAFE_INTEGER, idleTimeout: 0 }).pipe(
      // Bun throws while the layer is built; its error carries the reason.
      Layer.catchAllCause((cause) =>
        Layer.fail(new AddressInUse({ host, port, reason: String(cause).split("\n")[0] ?? "" }))
      )
    )
  )
)
