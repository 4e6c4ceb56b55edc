import { HttpApp, HttpServerResponse } from "@effect/platform"
import { Effect } from "effect"

/**
 * The client has stopped in the middle of its body: without this the connection would be kept for the
 * rest. All other refusals keep it, for Bun then discards what is still being sent, and a client that
 * reads only when it has sent all gets its answer instead of a reset.
 */
export const hangUp = HttpApp.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "connection", "close"))
)
