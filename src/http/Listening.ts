import { BunHttpServer } from "@effect/platform-bun"
import { Effect, Layer, Schema } from "effect"
import { Settings, type Values } from "../platform/Settings.ts"
import { protocolRoutes } from "./ProtocolRoutes.ts"

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

type Routes = { readonly [path: string]: (request: Request, server: Bun.Server<unknown>) => Promise<Response> }

/** The listening socket. Bodies are bounded by the handlers; quiet streams are not cut by the server. */
const listening = ({ server: { host, port } }: Values, routes: Routes) =>
  BunHttpServer.layer({
    hostname: host,
    port,
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
    idleTimeout: 0,
    routes
  }).pipe(
    // Bun throws while the layer is built; its error carries the reason.
    Layer.catchAllCause((cause) =>
      Layer.fail(new AddressInUse({ host, port, reason: String(cause).split("\n")[0] ?? "" }))
    )
  )

/** Of a service: with the protocols on routes of their own. */
export const server = Layer.unwrapEffect(Effect.zipWith(Settings, protocolRoutes, listening))

/** Of a worker. */
export const workerServer = Layer.unwrapEffect(Effect.map(Settings, (settings) => listening(settings, {})))
