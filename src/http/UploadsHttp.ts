import { HttpApiBuilder, HttpApp, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { BunHttpServerRequest } from "@effect/platform-bun"
import { DateTime, Effect } from "effect"
import { Api } from "../api/Api.ts"
import { scope } from "../domain/Principal.ts"
import { Upload } from "../domain/session/Upload.ts"
import { ResumableUploads } from "../session/ResumableUploads.ts"
import { CHECKSUM_ALGORITHMS, TUS_EXTENSIONS, TUS_VERSION, type TusRequest } from "../session/TusHeaders.ts"
import { hangUp } from "./HangUp.ts"

type State = Effect.Effect.Success<ReturnType<ResumableUploads["patch"]>>
type Head = Effect.Effect.Success<ReturnType<ResumableUploads["head"]>>

/** On every answer, failures too. */
const versioned = HttpApp.appendPreResponseHandler((_, response) =>
  Effect.succeed(HttpServerResponse.setHeader(response, "tus-resumable", TUS_VERSION))
)

const spoken = <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.zipRight(versioned, self)

const tusRequest = (request: HttpServerRequest.HttpServerRequest): TusRequest => ({
  headers: request.headers,
  body: BunHttpServerRequest.toRequest(request).body
})

/** RFC 9110's form of a point in time. */
const httpDate = (at: State["expires_at"]) => DateTime.toDate(at).toUTCString()

const stateHeaders = (row: State) => ({
  "upload-offset": String(row.offset),
  "upload-expires": httpDate(row.expires_at),
  "cache-control": "no-store",
  ...(row.session_id === null ? {} : { "tracepipe-session-id": row.session_id })
})

const concatOf = ({ row, pieces }: Head) =>
  row.concat === "final" ? `final;${pieces.map((id) => `/v1/uploads/${id}`).join(" ")}` : row.concat

const headHeaders = ({ row, pieces }: Head) => ({
  ...stateHeaders(row),
  "upload-length": String(row.length),
  ...(row.upload_metadata === "" ? {} : { "upload-metadata": row.upload_metadata }),
  ...(row.concat === null ? {} : { "upload-concat": concatOf({ row, pieces }) ?? "" })
})

const created = HttpServerResponse.schemaJson(Upload)

const capabilities = {
  "tus-version": TUS_VERSION,
  "tus-extension": TUS_EXTENSIONS.join(","),
  "tus-checksum-algorithm": CHECKSUM_ALGORITHMS.join(",")
}

export const layer = HttpApiBuilder.group(Api, "uploads", (handlers) =>
  Effect.gen(function* () {
    const uploads = yield* ResumableUploads
    const options = { ...capabilities, "tus-max-size": String(uploads.max_bytes) }
    return handlers
      .handleRaw("options", () =>
        spoken(Effect.as(scope("sessions:write"), HttpServerResponse.empty({ status: 204, headers: options })))
      )
      .handleRaw("create", ({ request }) =>
        spoken(
          Effect.flatMap(
            Effect.tapErrorTag(uploads.create(tusRequest(request)), "RequestTimeout", () => hangUp),
            (row) => {
              const headers = { ...stateHeaders(row), location: `/v1/uploads/${row.id}` }
              return Effect.orDie(created(new Upload(row), { status: 201, headers }))
            }
          )
        )
      )
      .handleRaw("head", ({ path, request }) =>
        spoken(
          Effect.map(uploads.head(path.id, tusRequest(request)), (found) =>
            HttpServerResponse.empty({ status: 200, headers: headHeaders(found) })
          )
        )
      )
      .handleRaw("append", ({ path, request }) =>
        spoken(
          Effect.map(
            Effect.tapErrorTag(uploads.patch(path.id, tusRequest(request)), "RequestTimeout", () => hangUp),
            (row) => HttpServerResponse.empty({ status: 204, headers: stateHeaders(row) })
          )
        )
      )
      .handleRaw("delete", ({ path, request }) =>
        spoken(Effect.as(uploads.terminate(path.id, tusRequest(request)), HttpServerResponse.empty({ status: 204 })))
      )
  })
)
