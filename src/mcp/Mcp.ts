import { Duration, Effect, Runtime, Schedule } from "effect"
import { publicUrl } from "../identity/ServiceAddress.ts"
import { bareRuntime } from "../platform/BareRuntime.ts"
import type { Protocol } from "../platform/Protocols.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { sessionServers } from "./SessionServer.ts"
import { statelessServers } from "./StatelessServer.ts"
import type { Surface } from "./Surface.ts"
import { guard } from "./transport/Guard.ts"
import { isLoopback } from "./transport/Loopback.ts"
import { makeTransport } from "./transport/Transport.ts"

/** A surface as the protocol on `/mcp`; its sessions end with the scope. */
export const mcp = (surface: Surface) =>
  Effect.gen(function* () {
    const settings = yield* Settings
    const metrics = yield* Metrics
    const runtime = yield* bareRuntime
    const { session_ttl, ...limits } = settings.mcp
    const session_ttl_ms = Duration.toMillis(session_ttl)
    const transport = yield* Effect.acquireRelease(
      Effect.sync(() =>
        makeTransport({
          ...limits,
          session_ttl_ms,
          sessionServer: sessionServers(surface, runtime),
          statelessServer: statelessServers(surface, runtime),
          report: (error) => {
            Runtime.runFork(runtime)(Effect.logDebug(`MCP: ${error.message}`))
          },
          counted: (sessions) => {
            metrics.mcpSessions.set(sessions)
          }
        })
      ),
      ({ close }) => Effect.promise(close)
    )
    yield* Effect.promise(transport.sweep).pipe(
      Effect.repeat(Schedule.spaced(Duration.min(Duration.seconds(30), Duration.times(session_ttl, 0.1)))),
      Effect.forkScoped
    )
    const refused = guard({
      origins: settings.server.cors_origins,
      address: publicUrl(settings),
      local: isLoopback(settings.server.host)
    })

    return {
      name: "/mcp",
      paths: ["/mcp"],
      beforehand: ({ request }) => Effect.sync(() => refused(request)),
      handle: ({ request, principal, info }) => Effect.promise(() => transport.handle(request, { principal, info }))
    } satisfies Protocol
  })
