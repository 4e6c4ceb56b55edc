import { HttpApiError, HttpServerError, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { Cause, Chunk, Effect, Option, Schema } from "effect"
import {
  BadRequest,
  InternalError,
  Issue,
  MethodNotAllowed,
  NotFound,
  Unavailable,
  ValidationError
} from "../domain/Errors.ts"
import { describe } from "../domain/Problem.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { isConnectionFailure } from "../platform/SqlFailure.ts"

const tag = (error: unknown): string | undefined =>
  typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : undefined

/** Payload schemas have a name, those of path and query are plain structs: only the first are a 422. */
const isPayload = (error: HttpApiError.HttpApiDecodeError) => !/^(Expected )?\{/.test(error.message)

const decodeFailure = (error: HttpApiError.HttpApiDecodeError) => {
  const errors = error.issues.map(({ path, message }) => new Issue({ path: path.map(String).join("."), message }))
  const detail = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ")
  return isPayload(error) ? new ValidationError({ detail, errors }) : new BadRequest({ detail, errors })
}

const unreadable = ({ cause }: HttpServerError.RequestError) =>
  new BadRequest({
    detail: cause instanceof SyntaxError ? `the body is not JSON: ${cause.message}` : "the body could not be read"
  })

/** What the framework and the platform fail with, as errors of the contract; undefined: a fault of ours. */
const translate = (error: unknown, method: string, path: string, knownPath: (path: string) => boolean) => {
  if (describe(error) !== undefined) return error
  if (error instanceof HttpApiError.HttpApiDecodeError) return decodeFailure(error)
  if (error instanceof HttpServerError.RouteNotFound) {
    return knownPath(path)
      ? new MethodNotAllowed({ detail: `${method} is not a method of ${path}` })
      : new NotFound({ detail: `there is nothing at ${path}` })
  }
  if (error instanceof HttpServerError.RequestError) return unreadable(error)
  return isConnectionFailure(error)
    ? new Unavailable({ detail: "the database does not answer now; try again", retry_after_s: 2 })
    : undefined
}

const fields = (error: unknown): Effect.Effect<Record<string, unknown>> => {
  // Every described error is a Schema.TaggedError: its class is the schema that encodes it.
  const schema = (error as { readonly constructor: Schema.Schema<unknown, Record<string, unknown>> }).constructor
  return Effect.orDie(Schema.encode(schema)(error))
}

const headers = (error: unknown): Record<string, string> => {
  if (error instanceof Unavailable) return { "retry-after": String(error.retry_after_s) }
  return tag(error) === "Unauthorized" ? { "www-authenticate": 'Bearer realm="tracepipe"' } : {}
}

/** The RFC 9457 document of one error. */
const toResponse = (error: unknown, path: string) =>
  Effect.gen(function* () {
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
      headers: headers(error)
    })
  })

/** Failures first, then defects: the one that says most about what went wrong. */
const candidates = (cause: Cause.Cause<unknown>): ReadonlyArray<unknown> => [
  ...Chunk.toReadonlyArray(Cause.failures(cause)),
  ...Chunk.toReadonlyArray(Cause.defects(cause))
]

/**
 * Turns every failure of a request into a problem document. What is not a failure of the contract
 * is logged whole and answered with nothing but the request id.
 */
export const answer = (
  cause: Cause.Cause<unknown>,
  request: HttpServerRequest.HttpServerRequest,
  knownPath: (path: string) => boolean
) =>
  Effect.gen(function* () {
    const path = request.url.split("?")[0] ?? "/"
    const known = Option.fromNullable(
      candidates(cause)
        .map((error) => translate(error, request.method, path, knownPath))
        .find((error) => error !== undefined)
    )
    if (Option.isSome(known)) return yield* toResponse(known.value, path)
    yield* Effect.logError("a request failed", cause)
    return yield* toResponse(new InternalError({ detail: "the failure was logged under this request id" }), path)
  })
