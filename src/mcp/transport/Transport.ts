import { isJsonContentType, isLegacyRequest } from "@modelcontextprotocol/server"
import type { Caller } from "./Caller.ts"
import { readMessage, refusal } from "./Messages.ts"
import { makeSessions, type SessionsOptions } from "./Sessions.ts"
import { makeStateless, type ServeStateless } from "./Stateless.ts"
import { watched } from "./Watched.ts"

/** What the transport serves, and its bounds. */
export interface TransportOptions extends SessionsOptions {
  /** A new server for one request of 2026-07-28. */
  readonly statelessServer: ServeStateless
  readonly max_request_bytes: number
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
    if (await isLegacyRequest(request, body.json)) return sessions.handle(request, caller, body.json)
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
