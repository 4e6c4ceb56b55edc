import { HttpRouter, HttpServer, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Effect, Layer } from "effect"
import { NotFound, Unavailable } from "../domain/Errors.ts"
import { Database } from "../platform/Database.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { workerServer } from "./Listening.ts"
import * as MetricsPort from "./MetricsPort.ts"
import * as Problems from "./Problems.ts"

const alive = HttpServerResponse.unsafeJson({ status: "ok" })

const router = Effect.gen(function* () {
  const database = yield* Database
  const metrics = yield* Metrics
  const { observability } = yield* Settings
  const ready = Effect.mapBoth(database.ping, {
    onFailure: ({ message }) => new Unavailable({ detail: message, retry_after_s: 2 }),
    onSuccess: () => alive
  })
  const here = observability.enable_metrics && observability.prometheus_metrics_port === undefined
  const exposition = here
    ? Effect.map(metrics.exposition, (text) =>
        HttpServerResponse.text(text, { contentType: "text/plain; version=0.0.4; charset=utf-8" })
      )
    : new NotFound({ detail: "metrics are not served on this port" })
  return HttpRouter.empty.pipe(
    HttpRouter.get("/live", Effect.succeed(alive)),
    HttpRouter.get("/ready", ready),
    HttpRouter.get("/metrics", exposition),
    HttpRouter.all("*", new NotFound({ detail: "this is a worker: it answers /live, /ready and /metrics" })),
    Effect.catchAllCause((cause) =>
      Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => Problems.answer(cause, request, ""))
    )
  )
})

/** What a worker answers: whether it lives, whether it can work, and what it counts. */
export const layer = Layer.unwrapEffect(Effect.map(router, (app) => HttpServer.serve(app))).pipe(
  Layer.provide(MetricsPort.layer),
  Layer.provideMerge(workerServer)
)
