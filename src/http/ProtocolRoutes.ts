import { HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Chunk, Effect, Option, Runtime } from "effect"
import { Forbidden } from "../domain/Errors.ts"
import type { Principal } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Admission, type Arriving } from "../identity/Admission.ts"
import { Refusals } from "../identity/Refusals.ts"
import { addressFor } from "../identity/ServiceAddress.ts"
import { bareRuntime } from "../platform/BareRuntime.ts"
import { Id } from "../platform/Id.ts"
import { type Protocol, Protocols } from "../platform/Protocols.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { clientAddress } from "./ClientAddress.ts"
import { crossOriginFields } from "./Cors.ts"
import { Lifecycle } from "./Lifecycle.ts"
import * as Problems from "./Problems.ts"
import { requestId } from "./RequestIds.ts"
import { shuttingDown } from "./Rim.ts"
import { noPage, safetyHeaders } from "./SafetyHeaders.ts"

type Route = (request: Request, server: Bun.Server<unknown>) => Promise<Response>

const isPreflight = ({ method, headers }: Request) =>
  method === "OPTIONS" && headers.has("origin") && headers.has("access-control-request-method")

const withFields = (response: Response, fields: Readonly<Record<string, string>>) => {
  for (const name in fields) response.headers.set(name, fields[name] ?? "")
  return response
}

/**
 * The protocols as routes of the server itself, past the API's router, with all that holds for the API too: an
 * id for each request, admission, problem documents, header fields, one log line, one measurement, and the
 * drain at shutdown.
 */
export const protocolRoutes = Effect.gen(function* () {
  const settings = yield* Settings
  const { observability, server, limits } = settings
  const { admit } = yield* Admission
  const metrics = yield* Metrics
  const lifecycle = yield* Lifecycle
  const refusals = yield* Refusals
  const id = yield* Id
  const runtime = yield* bareRuntime
  const addressOf = clientAddress(limits.trusted_proxies)
  const fixed = { ...safetyHeaders(settings), "content-security-policy": noPage }

  const denied = (cause: Cause.Cause<unknown>, caller: Principal | undefined, { name }: Protocol, method: string) => {
    const forbidden = Chunk.findFirst(Cause.failures(cause), (error) => error instanceof Forbidden)
    return caller === undefined || Option.isNone(forbidden)
      ? Effect.void
      : refusals.access(caller, `endpoint/${name}`, `${method}: ${forbidden.value.message}`)
  }

  const hold = () => {
    lifecycle.enter()
    let isHeld = true
    return () => {
      if (isHeld) lifecycle.leave()
      isHeld = false
    }
  }

  const charged = (arriving: Arriving, times: number) =>
    times < 1 ? Effect.void : Effect.asVoid(Effect.repeatN(admit(arriving), times - 1))

  const problem = (cause: Cause.Cause<unknown>, request: Request) => {
    const incoming = HttpServerRequest.fromWeb(request)
    return Effect.map(
      Problems.answer(cause, incoming, addressFor(settings, incoming.headers["host"])),
      HttpServerResponse.toWeb
    )
  }

  const answer = (protocol: Protocol, request: Request, peer: string | null): Effect.Effect<Response> =>
    Effect.suspend(() => {
      const headers: Readonly<Record<string, string>> = request.headers.toJSON()
      const info: typeof RequestInfo.Service = {
        request_id: requestId(headers["x-request-id"], id.next),
        ip: addressOf(peer, headers["x-forwarded-for"])
      }
      const added: Record<string, string> = {}
      const arriving: Arriving = {
        headers,
        ip: info.ip,
        group: "default",
        answers: (fields) => {
          Object.assign(added, fields)
        }
      }
      const started = performance.now()
      lifecycle.enter()
      metrics.active.inc()

      const admitted = Effect.flatMap(admit(arriving), (principal) => {
        info.caller = principal
        return protocol.handle({ request, principal, info, hold, charge: (times) => charged(arriving, times) })
      })
      const handled: Effect.Effect<Response, unknown> = lifecycle.isDraining()
        ? Effect.fail(shuttingDown)
        : protocol.beforehand === undefined
          ? admitted
          : Effect.flatMap(protocol.beforehand({ request, info }), (early) =>
              early === undefined ? admitted : Effect.succeed(early)
            )

      return handled.pipe(
        Effect.catchAllCause((cause) =>
          Cause.isInterruptedOnly(cause)
            ? Effect.interrupt
            : Effect.zipRight(denied(cause, info.caller, protocol, request.method), problem(cause, request))
        ),
        Effect.map((response) => {
          withFields(response, fixed)
          withFields(response, added)
          withFields(response, crossOriginFields(server.cors_origins, request.headers.get("origin"), false))
          response.headers.set("x-request-id", info.request_id)
          return response
        }),
        Effect.onExit((exit) =>
          Effect.suspend(() => {
            lifecycle.leave()
            metrics.active.dec()
            const status = exit._tag === "Success" ? exit.value.status : 499
            const duration = performance.now() - started
            metrics.requests.observe(
              { method: request.method, route: protocol.name, status: String(status) },
              duration / 1000
            )
            return observability.log_requests
              ? Effect.logInfo(`${request.method} ${protocol.name} ${status} ${Math.round(duration)} ms`)
              : Effect.void
          })
        ),
        Effect.provideService(RequestInfo, info),
        Effect.annotateLogs("request_id", info.request_id)
      )
    })

  const preflight = (request: Request) =>
    new Response(null, {
      status: 204,
      headers: { ...fixed, ...crossOriginFields(server.cors_origins, request.headers.get("origin"), true) }
    })

  const route =
    (protocol: Protocol): Route =>
    (request, listener) => {
      if (isPreflight(request) && server.cors_origins.length > 0) return Promise.resolve(preflight(request))
      const peer = listener.requestIP(request)?.address ?? null
      return Runtime.runPromise(runtime)(answer(protocol, request, peer), { signal: request.signal }).catch(
        // Who asked has gone: nobody reads this.
        () => new Response(null, { status: 499 })
      )
    }

  const protocols = yield* Protocols
  return Object.fromEntries(
    protocols.flatMap((protocol) => {
      const served = route(protocol)
      // As everywhere, a slash at the end is accepted.
      return protocol.paths.flatMap((path) =>
        (path.endsWith("*") ? [path] : [path, `${path}/`]).map((one) => [one, served] as const)
      )
    })
  )
})
