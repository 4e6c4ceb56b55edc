import { HttpApiBuilder, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { BunHttpServerRequest } from "@effect/platform-bun"
import { Effect, Schema } from "effect"
import { Api } from "../api/Api.ts"
import { SessionPage } from "../api/SessionsApi.ts"
import { scope } from "../domain/Principal.ts"
import { CreateSession, RangeNotSatisfiable, Session } from "../domain/session/Session.ts"
import { Sessions } from "../session/Sessions.ts"
import { idempotencyKey } from "../session/Upload.ts"
import { UploadSessions } from "../session/UploadSessions.ts"
import { Uploads } from "../session/Uploads.ts"
import { answered } from "./Answered.ts"
import * as ByteRanges from "./ByteRanges.ts"
import { bodyFailure } from "./DecodeFailure.ts"
import { hangUp } from "./HangUp.ts"
import { bounded } from "./JsonBody.ts"
import { timelineLines } from "./TimelineLines.ts"

/** A recording that is JSON comes with its suite in the query: without one the body names uploads. */
const namesUploads = ({ headers }: HttpServerRequest.HttpServerRequest, suite_id: string | undefined) =>
  suite_id === undefined && /^application\/json\s*(;|$)/i.test(headers["content-type"] ?? "")

/** A wrong body fails as those do that the contract reads. */
const wanted = (request: HttpServerRequest.HttpServerRequest) =>
  bounded(request).json.pipe(
    Effect.flatMap(Schema.decodeUnknown(CreateSession, { errors: "all" })),
    Effect.catchTags({
      ParseError: bodyFailure,
      // The rim says what it was that could not be read.
      RequestError: Effect.die
    })
  )

const created = HttpServerResponse.schemaJson(Session)

/** The last part of the path, in both forms of RFC 6266: plain for old clients, UTF-8 for the others. */
const disposition = (path: string): string => {
  const name = path.split("/").at(-1) ?? path
  const plain = name.replaceAll(/[^\x20-\x7e]|["\\]/g, "_")
  const encoded = encodeURIComponent(name).replaceAll(/['()*]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`)
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`
}

const matches = (header: string | undefined, etag: string): boolean =>
  header !== undefined &&
  (header.trim() === "*" || header.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag))

type File = Effect.Effect.Success<ReturnType<Sessions["file"]>>

/** Answers a file, or a range of it, by the rules of RFC 9110 for ETag, If-Range and Range. */
const content = (file: File, request: HttpServerRequest.HttpServerRequest) =>
  Effect.gen(function* () {
    const { headers } = request
    const etag = `"${file.sha256}"`
    const shared = { etag, "accept-ranges": "bytes", "cache-control": "private, no-cache" }
    if (matches(headers["if-none-match"], etag)) return HttpServerResponse.empty({ status: 304, headers: shared })
    // A range is a matter of GET alone (RFC 9110, 14.2).
    const valid = request.method === "GET" && (headers["if-range"] === undefined || headers["if-range"] === etag)
    const range = valid ? ByteRanges.parse(headers["range"], file.size_bytes) : undefined
    if (range === "unsatisfiable") return yield* new RangeNotSatisfiable({ size_bytes: file.size_bytes })
    const length = range === undefined ? file.size_bytes : range.end - range.start + 1
    const all = {
      ...shared,
      "content-disposition": disposition(file.path),
      ...(range === undefined ? {} : { "content-range": `bytes ${range.start}-${range.end}/${file.size_bytes}` })
    }
    const options = { status: range === undefined ? 200 : 206, headers: all, contentType: file.content_type }
    if (length === 0 || request.method === "HEAD") {
      return HttpServerResponse.empty({ status: options.status }).pipe(
        HttpServerResponse.setHeaders({ ...all, "content-type": file.content_type, "content-length": String(length) })
      )
    }
    return HttpServerResponse.stream(yield* file.bytes(range), { ...options, contentLength: length })
  })

export const layer = HttpApiBuilder.group(Api, "sessions", (handlers) =>
  Effect.gen(function* () {
    const sessions = yield* Sessions
    const uploads = yield* Uploads
    const finished = yield* UploadSessions
    const fromUploads = (request: HttpServerRequest.HttpServerRequest) =>
      Effect.gen(function* () {
        const key = yield* idempotencyKey(request.headers)
        // Before the body is looked at: who may not do this is not told what is wrong with it.
        yield* scope("sessions:write")
        return yield* finished.create(yield* wanted(request), key)
      })
    return handlers
      .handleRaw("create", ({ request, urlParams: { file_name, ...fields } }) =>
        Effect.if(namesUploads(request, fields.suite_id), {
          onTrue: () => fromUploads(request),
          onFalse: () =>
            Effect.tapErrorTag(
              uploads.create({
                fields,
                file_name,
                headers: request.headers,
                body: BunHttpServerRequest.toRequest(request).body
              }),
              "UploadTimeout",
              () => hangUp
            )
        }).pipe(
          Effect.flatMap((session) =>
            Effect.orDie(created(session, { status: 201, headers: { location: `/v1/sessions/${session.id}` } }))
          )
        )
      )
      .handleRaw("list", ({ urlParams }) => Effect.map(sessions.list(urlParams), answered(SessionPage)))
      .handle("get", ({ path }) => sessions.get(path.id))
      .handle("update", ({ path, payload }) => sessions.update(path.id, payload))
      .handle("delete", ({ path }) => sessions.delete(path.id))
      .handle("files", ({ path, urlParams }) => sessions.files(path.id, urlParams))
      .handleRaw("content", ({ path, request, urlParams }) =>
        Effect.flatMap(sessions.file(path.id, urlParams.path), (file) => content(file, request))
      )
      .handleRaw("timeline", ({ path }) =>
        Effect.map(sessions.timeline(path.id), ({ events }) =>
          HttpServerResponse.stream(timelineLines(events), { contentType: "application/x-ndjson" })
        )
      )
  })
)
