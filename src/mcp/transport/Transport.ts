import { isJsonContentType, isLegacyRequest, PROTOCOL_VERSION_META_KEY } from "@modelcontextprotocol/server"
import { Predicate } from "effect"
import type { Caller } from "./Caller.ts"
import { readMessage, refusal } from "./Messages.ts"
import { makeSessions, type SessionsOptions } from "./Sessions.ts"
import { firstStateless, makeStateless, type ServeStateless } from "./Stateless.ts"
import { watched } from "./Watched.ts"

/** What the transport serves, and its bounds. */
export interface TransportOptions extends SessionsOptions {
  /** A new server for one request of 2026-07-28. */
  readonly statelessServer: ServeStateless
  readonly max_request_bytes: number
}

/** Where there is no doubt what a message belongs to; all else is the SDK's to tell apart. */
const plainEra = ({ headers }: Request, message: unknown): "session" | "stateless" | undefined => {
  const namesVersion =
    Predicate.hasProperty(message, "params") &&
    Predicate.hasProperty(message.params, "_meta") &&
    Predicate.hasProperty(message.params._meta, PROTOCOL_VERSION_META_KEY)
  if (namesVersion)
    return Predicate.hasProperty(message, "method") && message.method !== "initialize" ? "stateless" : undefined
  const version = headers.get("mcp-protocol-version") ?? ""
  return headers.has("mcp-session-id") && version < firstStateless ? "session" : undefined
}

/**
 * MCP over streamable HTTP, both eras on one URL: a message that names its version in `params._meta` is
 * stateless, every other belongs to a session.
 */
export const makeTransport = ({ max_request_bytes, statelessServer, ...options }: TransportOptions) => {
  const sessions = makeSessions(options)
  const stateless = makeStateless(statelessServer, options.report)

  const handle = async (request: Request, caller: Caller): Promise<Response> => {
    if (request.method !== "POST") return sessions.handle(request, caller, undefined)
    if (!isJsonContentType(request.headers.get("content-type")))
      return refusal(415, -32000, "Unsupported Media Type: Content-Type must be application/json")
    const body = await readMessage(request, max_request_bytes)
    if ("refused" in body) return body.refused
    const era = plainEra(request, body.json) ?? ((await isLegacyRequest(request, body.json)) ? "session" : "stateless")
    if (era === "session") return sessions.handle(request, caller, body.json)
    const response = await stateless.handle(request, caller, body.json)
    // The call goes on behind an answer that streams.
    const isStream = response.headers.get("content-type")?.startsWith("text/event-stream") === true
    return isStream ? watched(response, request, caller.hold()) : response
  }

  const close = async () => {
    await Promise.all([sessions.close(), stateless.close()])
  }

  return { handle, sweep: sessions.sweep, close } as const
}
