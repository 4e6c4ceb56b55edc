import { createMcpHandler, type McpServer, type Server } from "@modelcontextprotocol/server"
import { type Caller, callerInfo } from "./Caller.ts"

/** The version that knows no sessions. */
export const firstStateless = "2026-07-28"

/** A new server for one request. */
export type ServeStateless = () => Server | McpServer

/** MCP of 2026-07-28: a server of its own for each request, and nothing that stays. */
export const makeStateless = (serve: ServeStateless, report: (error: Error) => void) => {
  const handler = createMcpHandler(serve, { legacy: "reject", onerror: report })
  return {
    handle: (request: Request, caller: Caller, message: unknown): Promise<Response> =>
      handler.fetch(request, { authInfo: callerInfo(caller, firstStateless), parsedBody: message }),
    close: () => handler.close()
  } as const
}
