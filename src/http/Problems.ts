import { HttpApiError, HttpServerError, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Chunk, Effect, Option, Schema } from "effect"
import {
  BadRequest,
  InternalError,
  MethodNotAllowed,
  NotFound,
  RateLimited,
  Unauthorized,
  Unavailable
} from "../domain/Errors.ts"
import { short } from "../domain/Issues.ts"
import { describe } from "../domain/Problem.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { RangeNotSatisfiable } from "../domain/session/Session.ts"
import { TusVersion } from "../domain/session/Upload.ts"
import { isConnectionFailure, isTimeout, timeoutText } from "../platform/SqlFailure.ts"
import { TUS_VERSION } from "../session/TusHeaders.ts"
import { decodeFailure } from "./DecodeFailure.ts"
import { allowedMethods } from "./Operations.ts"

const isDecodable = (path: string): boolean => {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

const unrouted = (method: string, path: string) => {
  if (!isDecodable(path)) return new BadRequest({ detail: "the path is not valid percent-encoded UTF-8" })
  const allow = allowedMethods(path)
  return allow === undefined || allow.includes(method)
    ? new NotFound({ detail: `there is nothing at ${short(path)}` })
    : new MethodNotAllowed({ detail: `${method} is not a method of ${short(path)}`, allow })
}

const unreadable = ({ cause }: HttpServerError.RequestError) =>
  new BadRequest({
    detail: cause instanceof SyntaxError ? `the body is not JSON: ${cause.message}` : "the body could not be read"
  })

/** What the framework and the platform fail with, as errors of the contract; undefined: a fault of ours. */
const translate = (error: unknown, method: string, path: string) => {
  if (describe(error) !== undefined) return error
  // The router takes `DELETE /v1/examples/export` for the example of that name.
  const isMisrouted = allowedMethods(path)?.includes(method) === false
  if (error instanceof HttpApiError.HttpApiDecodeError)
    return isMisrouted ? unrouted(method, path) : decodeFailure(error, method, path)
  if (error instanceof HttpServerError.RouteNotFound) return unrouted(method, path)
  if (error instanceof HttpServerError.RequestError) return unreadable(error)
  if (isTimeout(error)) return new Unavailable({ detail: timeoutText, retry_after_s: 2 })
  return isConnectionFailure(error)
    ? new Unavailable({ detail: "the database does not answer now; try again", retry_after_s: 2 })
    : undefined
}

const fields = (error: unknown): Effect.Effect<Record<string, unknown>> => {
  // Every described error is a Schema.TaggedError: its class is the schema that encodes it.
  const schema = (error as { readonly constructor: Schema.Schema<unknown, Record<string, unknown>> }).constructor
  return Effect.orDie(Schema.encode(schema)(error))
}

const presents = ["authorization", "x-api-key", "api-key", "api_key", "mcp_client_id", "mcp-client-id"]

/** Which protected resource a path belongs to, as its metadata is named (RFC 9728). */
const metadataOf = (path: string) => {
  if (path === "/mcp" || path === "/mcp/") return "/mcp"
  return path.startsWith("/bridge/") ? "/bridge/mcp" : ""
}

/** How to authenticate (RFC 6750, RFC 9728): where that is described, and what was wrong with what was sent. */
const challenge = (request: HttpServerRequest.HttpServerRequest, path: string, address: string) => {
  const isInvalid = presents.some((name) => request.headers[name] !== undefined)
  const metadata = `resource_metadata="${address}/.well-known/oauth-protected-resource${metadataOf(path)}"`
  return `Bearer realm="tracepipe", ${isInvalid ? 'error="invalid_token", ' : ""}${metadata}`
}

const headers = (
  error: unknown,
  request: HttpServerRequest.HttpServerRequest,
  path: string,
  address: string
): Record<string, string> => {
  if (error instanceof Unavailable || error instanceof RateLimited)
    return { "retry-after": String(error.retry_after_s) }
  if (error instanceof TusVersion) return { "tus-version": TUS_VERSION }
  if (error instanceof Unauthorized) return { "www-authenticate": challenge(request, path, address) }
  if (error instanceof MethodNotAllowed) return { allow: error.allow.join(", ") }
  return error instanceof RangeNotSatisfiable ? { "content-range": `bytes */${error.size_bytes}` } : {}
}

const pathOf = ({ url }: HttpServerRequest.HttpServerRequest) => url.split("?")[0] ?? "/"

/** The RFC 9457 document of one error. */
const toResponse = (error: unknown, request: HttpServerRequest.HttpServerRequest, address: string) =>
  Effect.gen(function* () {
    const path = pathOf(request)
    const { status, code, title } = describe(error) ?? {
      status: 500,
      code: "internal_error",
      title: "The service failed"
    }
    const { request_id } = yield* RequestInfo
    const own = yield* fields(error)
    const detail = error instanceof Error ? error.message : title
    const body = { type: `/problems/${code}`, title, status, detail, instance: path, code, request_id, ...own }
    return HttpServerResponse.unsafeJson(body, {
      status,
      contentType: "application/problem+json",
      headers: headers(error, request, path, address)
    })
  })

/** Failures first, then defects: the one that says most about what went wrong. */
const candidates = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> => [
  ...Chunk.toReadonlyArray(Cause.failures(cause)),
  ...Chunk.toReadonlyArray(Cause.defects(cause))
]

/**
 * Turns every failure of a request into a problem document. What is not a failure of the contract
 * is logged whole and answered with nothing but the request id. `address` is the service's own.
 */
export const answer = (cause: Cause.Cause<unknown>, request: HttpServerRequest.HttpServerRequest, address: string) =>
  Effect.gen(function* () {
    const path = pathOf(request)
    const known = Option.fromNullable(
      candidates(cause)
        .map((error) => translate(error, request.method, path))
        .find((error) => error !== undefined)
    )
    if (Option.isSome(known)) return yield* toResponse(known.value, request, address)
    yield* Effect.logError("a request failed", cause)
    return yield* toResponse(
      new InternalError({ detail: "the failure was logged under this request id" }),
      request,
      address
    )
  })
