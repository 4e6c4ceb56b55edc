import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NotFound, PayloadTooLarge } from "../domain/Errors.ts"
import { SessionId, SuiteId, UserId } from "../domain/Ids.ts"
import { Text, TimestampText } from "../domain/Json.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import {
  Format,
  IdempotencyMismatch,
  RangeNotSatisfiable,
  Session,
  SessionFile,
  SessionRejected,
  UnknownFormat,
  UpdateSession,
  UploadTimeout
} from "../domain/session/Session.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const path = Schema.Struct({ id: SessionId })

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

/** What may stand in the query of an upload, or in the form before its first file. */
export const UploadFields = Schema.Struct({
  suite_id: optional(Schema.String).annotations({ description: "The suite that the recording was made in" }),
  description: optional(Schema.String),
  metadata: optional(Schema.String).annotations({ description: "A JSON object up to 64 KiB" }),
  format: optional(Schema.String).annotations({ description: "Names the format instead of having it detected" }),
  file_name: optional(Schema.String).annotations({ description: "Name of a raw body; `recording` otherwise" })
})

const ContentQuery = Schema.Struct({
  path: Text(1, 1024).annotations({ description: "A path of the session's file list" })
})

const upload = `Uploads one recording, as \`multipart/form-data\` (the fields \`suite_id\`, \`description\`, \`metadata\`, \`format\` first, then the file parts in any order: \`input_events\`, \`network_traffic\`, \`screenshots\` as files or one zip, \`bundle\` as one archive, any other file) or as one raw body: a single file or an archive (zip, tar, tar.gz), gzip or zstd where wanted, with the fields as query parameters. Nothing is kept of an upload that is refused or cut off. The same \`Idempotency-Key\` with the same content answers the same session.`

const binary = { schema: { type: "string", format: "binary" } } as const

const multipart = {
  schema: {
    type: "object",
    required: ["suite_id"],
    properties: {
      suite_id: { type: "string", format: "uuid" },
      description: { type: "string" },
      metadata: { type: "string", description: "a JSON object" },
      format: { type: "string" },
      input_events: { type: "string", format: "binary" },
      network_traffic: { type: "string", format: "binary" },
      screenshots: { type: "array", items: { type: "string", format: "binary" } },
      bundle: { type: "string", format: "binary" }
    },
    additionalProperties: { type: "string", format: "binary" }
  }
}

/** Sessions: uploaded recordings. */
export class SessionsApi extends HttpApiGroup.make("sessions")
  .add(
    HttpApiEndpoint.post("create", "/v1/sessions")
      .setUrlParams(UploadFields)
      .addSuccess(Session, { status: 201 })
      .addError(NotFound)
      .addError(UploadTimeout)
      .addError(PayloadTooLarge)
      .addError(SessionRejected)
      .addError(UnknownFormat)
      .addError(IdempotencyMismatch)
      .annotate(RequiredScope, "sessions:write")
      .annotate(OpenApi.Description, upload)
      .annotate(OpenApi.Transform, (operation) => ({
        ...operation,
        parameters: [
          ...(operation["parameters"] ?? []),
          {
            name: "Idempotency-Key",
            in: "header",
            required: false,
            schema: { type: "string", maxLength: 255 },
            description: "Makes the upload safe to send again"
          }
        ],
        requestBody: {
          required: true,
          content: { "multipart/form-data": multipart, "application/octet-stream": binary }
        }
      }))
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/sessions")
      .setUrlParams(
        Schema.Struct({
          ...pageFields,
          suite_id: optional(SuiteId),
          user_id: optional(UserId),
          format: optional(Format),
          created_after: optional(TimestampText),
          created_before: optional(TimestampText),
          q: SearchText
        })
      )
      .addSuccess(Page("SessionPage", Session))
      .annotate(RequiredScope, "sessions:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/sessions/:id")
      .setPath(path)
      .addSuccess(Session)
      .addError(NotFound)
      .annotate(RequiredScope, "sessions:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/sessions/:id")
      .setPath(path)
      .setPayload(UpdateSession)
      .addSuccess(Session)
      .addError(NotFound)
      .annotate(RequiredScope, "sessions:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/sessions/:id")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .annotate(RequiredScope, "sessions:write")
  )
  .add(
    HttpApiEndpoint.get("files", "/v1/sessions/:id/files")
      .setPath(path)
      .setUrlParams(Schema.Struct(pageFields))
      .addSuccess(Page("SessionFilePage", SessionFile))
      .addError(NotFound)
      .annotate(RequiredScope, "sessions:read")
  )
  .add(
    HttpApiEndpoint.get("content", "/v1/sessions/:id/files/content")
      .setPath(path)
      .setUrlParams(ContentQuery)
      .addSuccess(
        Schema.Uint8ArrayFromSelf.pipe(
          HttpApiSchema.withEncoding({ kind: "Uint8Array", contentType: "application/octet-stream" })
        )
      )
      .addError(NotFound)
      .addError(RangeNotSatisfiable)
      .annotate(RequiredScope, "sessions:read")
      .annotate(
        OpenApi.Description,
        "The file's bytes, with its own content type. `Range` answers 206; the ETag is the SHA-256."
      )
  )
  .middleware(Authentication) {}
