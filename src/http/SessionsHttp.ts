import { HttpApiBuilder, HttpApp, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { BunHttpServerRequest } from "@effect/platform-bun"
import { Effect } from "effect"
import { Api } from "../api/Api.ts"
import { SessionPage } from "../api/SessionsApi.ts"
import { RangeNotSatisfiable, Session } from "../domain/session/Session.ts"
import { Sessions } from "../session/Sessions.ts"
import { Uploads } from "../session/Uploads.ts"
import { answered } from "./Answered.ts"
import * as ByteRanges from "./ByteRanges.ts"
import { timelineLines } from "./TimelineLines.ts"

/**
 * The client has stopped in the middle of its body: without this the connection would be kept for the
 * rest. All other refusals keep it, for Bun then discards what is still being sent, and a client that
 * reads only when it has sent all gets its answer instead of a reset.
 */
const hangUp = HttpApp.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "connection", "close"))
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
    return handlers
      .handleRaw("create", ({ request, urlParams: { file_name, ...fields } }) =>
        uploads
          .create({ fields, file_name, headers: request.headers, body: BunHttpServerRequest.toRequest(request).body })
          .pipe(
            Effect.tapErrorTag("UploadTimeout", () => hangUp),
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
