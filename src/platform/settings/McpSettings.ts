import { Config, Duration } from "effect"
import * as Setting from "../Setting.ts"

/** Bounds of the MCP endpoint. A function, so that it is declared in its place. */
export const mcpSettings = () =>
  Config.all({
    session_ttl: Setting.setting("MCP_SESSION_TTL", Setting.duration, {
      fallback: Duration.minutes(30),
      shown: "30 min",
      description: "an MCP session without a request, a running call or an open stream for so long is ended"
    }),
    max_sessions: Setting.setting("MCP_MAX_SESSIONS", Setting.integer(1, 1_000_000), {
      fallback: 10_000,
      shown: "10000",
      description: "most MCP sessions of this process; beyond it a new one ends the idlest of who has most"
    }),
    sessions_per_principal: Setting.setting("MCP_SESSIONS_PER_PRINCIPAL", Setting.integer(1, 100_000), {
      fallback: 100,
      shown: "100",
      description:
        "most MCP sessions of one user or agent in this process; a new one ends the one that was idle longest, and is refused where all are at work"
    }),
    max_request_bytes: Setting.setting("MCP_MAX_REQUEST_BYTES", Setting.bytes, {
      fallback: 4 * 1024 ** 2,
      shown: "4 MiB",
      description: "largest message to the MCP endpoint"
    })
  })
