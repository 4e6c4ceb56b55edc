import { Headers, type HttpServerError, type HttpServerRequest } from "@effect/platform"
import { Chunk, Duration, Effect, Stream } from "effect"
import { BadRequest, PayloadTooLarge, RequestTimeout, UnsupportedMediaType } from "../domain/Errors.ts"
import { isTooDeep, maxJsonDepth } from "../platform/JsonDepth.ts"

const MiB = 1024 * 1024
const patience = Duration.seconds(30)

/** Ten thousand log entries come at once. */
const limitOf = (path: string) => (path === "/v1/logs/batch" ? 16 * MiB : MiB)

const tooLarge = (limit: number) => new PayloadTooLarge({ detail: `a JSON body has at most ${limit} bytes`, limit })

const stopped = new RequestTimeout({ detail: `the body was not whole after ${Duration.toSeconds(patience)} s` })

const tooDeep = new BadRequest({ detail: `the body is nested deeper than ${maxJsonDepth} levels` })

/** Text of a body whose length nobody declared. */
const collected = (body: Stream.Stream<Uint8Array, HttpServerError.RequestError>, limit: number) => {
  let size = 0
  return body.pipe(
    Stream.mapEffect((chunk) => {
      size += chunk.length
      return size > limit ? Effect.fail(tooLarge(limit)) : Effect.succeed(chunk)
    }),
    Stream.runCollect,
    Effect.map((chunks) => Buffer.concat(Chunk.toReadonlyArray(chunks)).toString("utf8"))
  )
}

const read = (request: HttpServerRequest.HttpServerRequest, limit: number) => {
  const { "content-length": declared, "transfer-encoding": encoding } = request.headers
  if (declared !== undefined && Number(declared) > limit) return Effect.fail(tooLarge(limit))
  return declared === undefined && encoding !== undefined ? collected(request.stream, limit) : request.text
}

// curl's `-d` says that its body is a form, and means JSON.
const readable = /^application\/(?:(?:[\w.-]+\+)?json|x-www-form-urlencoded)\s*(?:;|$)/i

const refused = (type: string) =>
  new UnsupportedMediaType({ detail: `the body is ${JSON.stringify(type)}; application/json is read here` })

const text = (
  request: HttpServerRequest.HttpServerRequest,
  limit: number
): Effect.Effect<
  string,
  BadRequest | RequestTimeout | PayloadTooLarge | UnsupportedMediaType | HttpServerError.RequestError
> => {
  const type = request.headers["content-type"]
  if (type !== undefined && !readable.test(type)) return Effect.fail(refused(type))
  return read(request, limit).pipe(
    Effect.timeoutFail({ duration: patience, onTimeout: () => stopped }),
    Effect.filterOrFail(
      (body) => !isTooDeep(body),
      () => tooDeep
    )
  )
}

/** A form (RFC 6749 sends its requests as one) as the JSON of the same fields. */
const formToJson = (body: string): string =>
  /^\s*[{[]/.test(body) ? body : JSON.stringify(Object.fromEntries(new URLSearchParams(body)))

/**
 * The request with its body bounded in type, size, depth and time, for an operation that takes
 * JSON: read by the handler when it is authenticated, and never into a file. As a form only for
 * the OAuth endpoints.
 */
export const bounded = (
  request: HttpServerRequest.HttpServerRequest,
  path = ""
): HttpServerRequest.HttpServerRequest => {
  const limit = limitOf(path)
  const isForm =
    path.startsWith("/auth/") &&
    request.headers["content-type"]?.startsWith("application/x-www-form-urlencoded") === true
  const body = isForm ? Effect.map(text(request, limit), formToJson) : text(request, limit)
  const json = request.modify({ headers: Headers.set(request.headers, "content-type", "application/json") })
  // `json` reads `text`: what fails there comes to the rim as it is.
  return Object.defineProperty(json, "text", { value: body })
}
