import { Effect, Layer } from "effect"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"

/** `/metrics` on a port of its own, where PROMETHEUS_METRICS_PORT asks for one. */
export const layer = Layer.scopedDiscard(
  Effect.gen(function* () {
    const { server, observability } = yield* Settings
    const { exposition } = yield* Metrics
    const port = observability.prometheus_metrics_port
    if (port === undefined || !observability.enable_metrics) return
    const runtime = yield* Effect.runtime<never>()
    yield* Effect.acquireRelease(
      Effect.sync(() =>
        Bun.serve({
          hostname: server.host,
          port,
          routes: {
            "/metrics": async () =>
              new Response(await Effect.runPromise(Effect.provide(exposition, runtime)), {
                headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" }
              })
          },
          fetch: () => new Response("only /metrics is here\n", { status: 404 })
        })
      ),
      (listener) => Effect.promise(() => listener.stop(true))
    )
  })
)
