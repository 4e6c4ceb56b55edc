import { HttpApiBuilder, type HttpApp, HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Chunk, Clock, Effect, Option } from "effect"
import { Forbidden, Unavailable } from "../domain/Errors.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Refusals } from "../identity/Refusals.ts"
import { addressFor } from "../identity/ServiceAddress.ts"
import { Id } from "../platform/Id.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { AnswerHeaders } from "./AnswerHeaders.ts"
import { resolve } from "./aliases.ts"
import { clientAddress } from "./ClientAddress.ts"
import { cors } from "./Cors.ts"
import { pagePolicy } from "./Docs.ts"
import { bounded } from "./JsonBody.ts"
import { Lifecycle } from "./Lifecycle.ts"
import { takesJson, templateOf } from "./Operations.ts"
import * as Problems from "./Problems.ts"
import { requestId } from "./RequestIds.ts"
import { noPage, safetyHeaders } from "./SafetyHeaders.ts"

const pages = new Set(["/docs", "/redoc"])
const probes = new Set(["/ready", "/live", "/health", "/metrics"])

/** The refusal of what comes after the service was told to end. */
export const shuttingDown = new Unavailable({ detail: "the service is shutting down", retry_after_s: 5 })

const meant = new Set(["PATCH", "DELETE", "HEAD"])

/** tus: where something on the way knows few methods, a header names the one that is meant. */
const overridden = (request: HttpServerRequest.HttpServerRequest, path: string) => {
  const method = request.headers["x-http-method-override"]?.toUpperCase() ?? ""
  return request.method === "POST" && path.startsWith("/v1/uploads/") && meant.has(method)
    ? Object.defineProperty(request, "method", { value: method })
    : request
}

/**
 * What holds for every request: an id, an answer in problem documents whatever goes wrong, security
 * headers, one log line, one measurement, and the drain at shutdown.
 */
const rim = Effect.gen(function* () {
  const settings = yield* Settings
  const { observability, server, limits } = settings
  const id = yield* Id
  const metrics = yield* Metrics
  const lifecycle = yield* Lifecycle
  const addressOf = clientAddress(limits.trusted_proxies)
  const refusals = yield* Refusals
  const crossOrigin = cors(server.cors_origins)
  const safety = safetyHeaders(settings)

  /** What a caller may not do is in the audit log, too. */
  const denied = (
    cause: Cause.Cause<unknown>,
    { caller }: typeof RequestInfo.Service,
    method: string,
    path: string
  ) => {
    const forbidden = Chunk.findFirst(Cause.failures(cause), (error) => error instanceof Forbidden)
    return caller === undefined || Option.isNone(forbidden)
      ? Effect.void
      : refusals.access(caller, `endpoint/${templateOf(path) ?? "unmatched"}`, `${method}: ${forbidden.value.message}`)
  }

  return (app: HttpApp.Default): HttpApp.Default =>
    Effect.gen(function* () {
      const incoming = yield* HttpServerRequest.HttpServerRequest
      const url = resolve(incoming.url)
      const path = url.split("?")[0] ?? "/"
      const resolved = overridden(incoming.modify({ url }), path)
      const request = takesJson(resolved.method, path) ? bounded(resolved, path) : resolved
      const request_id = requestId(incoming.headers["x-request-id"], id.next)
      const ip = addressOf(Option.getOrNull(incoming.remoteAddress), incoming.headers["x-forwarded-for"])
      const info: typeof RequestInfo.Service = { request_id, ip }
      const added: Record<string, string> = {}
      const started = yield* Clock.currentTimeMillis
      lifecycle.enter()
      metrics.active.inc()

      const refused = lifecycle.isDraining() && !probes.has(path)
      const handled: Effect.Effect<
        HttpServerResponse.HttpServerResponse,
        Unavailable,
        HttpServerRequest.HttpServerRequest
      > = refused ? Effect.fail(shuttingDown) : app
      const answered = crossOrigin(handled).pipe(
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause)
            ? Effect.interrupt
            : Effect.zipRight(
                denied(cause, info, request.method, path),
                Problems.answer(cause, request, addressFor(settings, incoming.headers["host"]))
              )
        ),
        Effect.map((response) =>
          HttpServerResponse.setHeaders(response, {
            ...safety,
            ...added,
            "content-security-policy": pages.has(path) ? pagePolicy : noPage,
            "x-request-id": request_id
          })
        ),
        Effect.onExit((exit) =>
          Effect.flatMap(Clock.currentTimeMillis, (now) => {
            lifecycle.leave()
            metrics.active.dec()
            const status = exit._tag === "Success" ? exit.value.status : 499
            const duration = now - started
            metrics.requests.observe(
              { method: incoming.method, route: templateOf(path) ?? "unmatched", status: String(status) },
              duration / 1000
            )
            return observability.log_requests
              ? Effect.logInfo(`${incoming.method} ${path} ${status} ${duration} ms`)
              : Effect.void
          })
        )
      )
      // From here on nothing fails: every cause was answered, or is the client's going away.
      return yield* answered.pipe(
        Effect.provideService(HttpServerRequest.HttpServerRequest, request),
        Effect.provideService(RequestInfo, info),
        Effect.provideService(AnswerHeaders, added),
        Effect.annotateLogs("request_id", request_id)
      )
    })
})

export const layer = HttpApiBuilder.middleware(rim)
