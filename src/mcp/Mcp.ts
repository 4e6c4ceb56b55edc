import { Duration, Effect, Either, Runtime, Schedule } from "effect"
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

/** The failure itself as the reason of the rejection, and nothing about it. */
const rejecting = async (effect: Effect.Effect<void, unknown>): Promise<void> => {
  const done = await Effect.runPromise(Effect.either(effect))
  if (Either.isLeft(done)) throw done.left
}

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
      Effect.repeat(
        Schedule.spaced(
          Duration.clamp(Duration.times(session_ttl, 0.1), { minimum: "1 second", maximum: "30 seconds" })
        )
      ),
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
      handle: ({ request, principal, info, charge, hold }) =>
        Effect.tryPromise({
          try: () =>
            transport.handle(request, {
              principal,
              info,
              hold,
              charge: (messages) => rejecting(charge(messages))
            }),
          catch: (error) => error
        })
    } satisfies Protocol
  })
