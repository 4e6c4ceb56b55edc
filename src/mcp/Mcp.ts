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

/** That the caller's limits are reached, on its way through the SDK; what they say is kept beside it. */
const limited = Symbol("the limits of the caller are reached")

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
      handle: ({ request, principal, info, charge, hold }) => {
        let refusal: Effect.Effect<never, unknown> = Effect.never
        const charged = async (messages: number) => {
          const done = await Runtime.runPromise(runtime)(Effect.either(charge(messages)))
          if (Either.isRight(done)) return
          refusal = Effect.fail(done.left)
          throw limited
        }
        const answered = () =>
          transport.handle(request, { principal, info, hold, charge: charged }).catch((error: unknown) => {
            if (error === limited) return undefined
            throw error
          })
        return Effect.flatMap(Effect.promise(answered), (answer) =>
          answer === undefined ? refusal : Effect.succeed(answer)
        )
      }
    } satisfies Protocol
  })
