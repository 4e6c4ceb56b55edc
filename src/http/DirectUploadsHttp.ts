import { HttpApiBuilder, type HttpServerRequest, HttpServerResponse } from "@effect/platform"
import { BunHttpServerRequest } from "@effect/platform-bun"
import { Effect, Layer } from "effect"
import { Api } from "../api/Api.ts"
import { DirectUploads } from "../session/DirectUploads.ts"
import { hangUp } from "./HangUp.ts"

/** How the caller has reached this service; PUBLIC_URL goes before it. */
const originOf = ({ headers }: HttpServerRequest.HttpServerRequest) => `http://${headers["host"] ?? "localhost"}`

const managed = HttpApiBuilder.group(Api, "direct_uploads", (handlers) =>
  Effect.map(DirectUploads, (uploads) =>
    handlers
      .handle("create", ({ payload, request }) => uploads.create(payload, originOf(request)))
      .handle("get", ({ path, request, urlParams }) => uploads.get(path.id, originOf(request), urlParams.from_part))
      .handle("complete", ({ path, payload, request }) => uploads.complete(path.id, payload, originOf(request)))
      .handle("delete", ({ path }) => uploads.delete(path.id))
  )
)

const parts = HttpApiBuilder.group(Api, "upload_parts", (handlers) =>
  Effect.map(DirectUploads, (uploads) =>
    handlers.handleRaw("put", ({ path, request, urlParams }) =>
      uploads
        .put({ ...path, ...urlParams, headers: request.headers, body: BunHttpServerRequest.toRequest(request).body })
        .pipe(
          Effect.tapErrorTag("UploadTimeout", () => hangUp),
          Effect.map((etag) => HttpServerResponse.empty({ status: 200, headers: { etag: `"${etag}"` } }))
        )
    )
  )
)

export const layer = Layer.merge(managed, parts)
