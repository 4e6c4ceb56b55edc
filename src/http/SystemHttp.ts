import { HttpApiBuilder, HttpServerResponse } from "@effect/platform"
import { Clock, Effect } from "effect"
import { Api, document } from "../api/Api.ts"
import { version } from "../api/Version.ts"
import { NotFound, Unavailable } from "../domain/Errors.ts"
import { scope } from "../domain/Principal.ts"
import { Alive, Dependency, DetailedHealth, Health, ServiceInfo, SystemInfo } from "../domain/System.ts"
import { Format } from "../domain/session/Session.ts"
import { Database } from "../platform/Database.ts"
import { ObjectStore } from "../platform/ObjectStore.ts"
import { SecretStore } from "../platform/SecretStore.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { redoc } from "./Docs.ts"
import { Lifecycle } from "./Lifecycle.ts"

/** Asks one dependency, and says how long it took. */
const examine = (name: string, kind: string, check: Effect.Effect<string, { readonly message: string }>) =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    const result = yield* Effect.either(check)
    const latency_ms = (yield* Clock.currentTimeMillis) - started
    return result._tag === "Right"
      ? new Dependency({ name, kind, status: "ok", latency_ms, detail: result.right })
      : new Dependency({ name, kind, status: "failed", latency_ms, detail: result.left.message })
  })

export const layer = HttpApiBuilder.group(Api, "system", (handlers) =>
  Effect.gen(function* () {
    const database = yield* Database
    const store = yield* ObjectStore
    const secrets = yield* SecretStore
    const settings = yield* Settings
    const metrics = yield* Metrics
    const lifecycle = yield* Lifecycle
    const uptime = Effect.map(Clock.currentTimeMillis, (now) => (now - metrics.started) / 1000)
    const kind = database.bundled ? "bundled PostgreSQL" : "PostgreSQL"
    const reachable = Effect.mapError(
      database.ping,
      ({ message }) => new Unavailable({ detail: message, retry_after_s: 2 })
    )

    const detailed = Effect.gen(function* () {
      yield* scope("system:read")
      const dependencies = yield* Effect.all(
        [
          examine("database", kind, database.version),
          examine("object_store", store.kind, Effect.as(store.health, "readable and writable")),
          examine("secret_store", secrets.kind, Effect.as(secrets.ping, "a secret can be read"))
        ],
        { concurrency: "unbounded" }
      )
      const uploads = (yield* Effect.promise(() => metrics.uploads.get())).values[0]?.value ?? 0
      return new DetailedHealth({
        status: dependencies.every(({ status }) => status === "ok") ? "ok" : "failed",
        version,
        uptime_s: yield* uptime,
        memory_bytes: process.memoryUsage.rss(),
        active_uploads: uploads,
        dependencies
      })
    })

    return handlers
      .handle("root", () =>
        Effect.succeed(new ServiceInfo({ name: "tracepipe", version, docs: "/docs", openapi: "/openapi.json" }))
      )
      .handle("health", () =>
        Effect.zipWith(
          reachable,
          uptime,
          (_, uptime_s) => new Health({ status: "ok", database: "ok", version, uptime_s })
        )
      )
      .handle("health_detailed", () => detailed)
      .handle("ready", () =>
        lifecycle.isDraining()
          ? Effect.fail(new Unavailable({ detail: "the service is shutting down", retry_after_s: 5 }))
          : Effect.as(reachable, new Alive({ status: "ok" }))
      )
      .handle("live", () => Effect.succeed(new Alive({ status: "ok" })))
      .handle("metrics", () =>
        settings.observability.enable_metrics && settings.observability.prometheus_metrics_port === undefined
          ? metrics.exposition
          : Effect.fail(new NotFound({ detail: "metrics are not served on this port" }))
      )
      .handle("info", () =>
        Effect.succeed(
          new SystemInfo({
            name: "tracepipe",
            version,
            runtime: `bun ${Bun.version}`,
            database: kind,
            object_store: store.kind,
            formats: Format.literals,
            limits: {
              max_session_bytes: settings.ingest.max_session_bytes,
              max_files_per_session: settings.ingest.max_files_per_session
            }
          })
        )
      )
      .handleRaw("redoc", () => redoc)
      .handleRaw("openapi", () => HttpServerResponse.json(document).pipe(Effect.orDie))
  })
)
