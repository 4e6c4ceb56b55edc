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
  SessionNotReady,
  SessionRejected,
  UnknownFormat,
  UpdateSession,
  UploadTimeout
} from "../domain/session/Session.ts"
import { UploadExpired, UploadState } from "../domain/session/Upload.ts"
import { Authentication, RateGroup, RequiredScope } from "./Security.ts"
import { fileContent, timelineContent, uploadBody } from "./SessionsDocument.ts"

const path = Schema.Struct({ id: SessionId })

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

/** What may stand in the query of an upload, or in the form before its first file. */
const UploadFields = Schema.Struct({
  suite_id: optional(Schema.String.annotations({ jsonSchema: { type: "string", format: "uuid" } })).annotations({
    description: "The suite that the recording was made in; needed unless the form names it"
  }),
  description: optional(Schema.String.annotations({ jsonSchema: { type: "string", maxLength: 10_000 } })).annotations({
    description: "What was recorded"
  }),
  metadata: optional(Schema.String).annotations({ description: "A JSON object up to 64 KiB" }),
  format: optional(Schema.String.annotations({ jsonSchema: { type: "string", enum: Format.literals } })).annotations({
    description: "Names the format instead of having it detected"
  }),
  file_name: optional(Schema.String).annotations({ description: "Name of a raw body; `recording` otherwise" })
})

const ContentQuery = Schema.Struct({
  path: Text(1, 1024).annotations({ description: "A path of the session's file list" })
})

/** Which sessions a list is of. */
export const sessionFilters = {
  suite_id: optional(SuiteId).annotations({ description: "Only of this suite" }),
  user_id: optional(UserId).annotations({ description: "Only what this user uploaded" }),
  format: optional(Format).annotations({ description: "Only of this format" }),
  created_after: optional(TimestampText).annotations({ description: "Only what came after this moment" }),
  created_before: optional(TimestampText).annotations({ description: "Only what came before this moment" }),
  q: SearchText
}

const upload = `Uploads one recording, as \`multipart/form-data\` (the fields \`suite_id\`, \`description\`, \`metadata\`, \`format\` first, then the file parts in any order: \`input_events\`, \`network_traffic\`, \`screenshots\` as files or one zip, \`bundle\` as one archive, any other file) or as one raw body: a single file or an archive (zip, tar, tar.gz), gzip or zstd where wanted, with the fields as query parameters. Nothing is kept of an upload that is refused or cut off. Or makes a session of finished uploads (\`/v1/uploads\`) that an \`application/json\` body names, with no \`suite_id\` in the query: it is VALIDATING until its files were read, then READY, or REJECTED with \`status_reason\` and \`errors\` and without any object. The same \`Idempotency-Key\` with the same content answers the same session.`

const timeline = `The recording's normalised events as JSON Lines, one \`TimelineEvent\` each, in the order of their time, made and sent as the files are read. Secrets are \`[redacted]\`. Should the recording turn out to be unreadable after the answer began, the last line is a note named \`tracepipe.error\` whose \`data\` is the problem; without such a line the timeline is whole.`

export const SessionPage = Page("SessionPage", Session)

/** Sessions: uploaded recordings. */
export class SessionsApi extends HttpApiGroup.make("sessions")
  .annotate(OpenApi.Description, "Uploaded recordings and their files")
  .add(
    HttpApiEndpoint.post("create", "/v1/sessions")
      .annotate(OpenApi.Summary, "Upload a recording")
      .setUrlParams(UploadFields)
      .addSuccess(Session, { status: 201 })
      .addError(NotFound)
      .addError(UploadState)
      .addError(UploadExpired)
      .addError(UploadTimeout)
      .addError(PayloadTooLarge)
      .addError(SessionRejected)
      .addError(UnknownFormat)
      .addError(IdempotencyMismatch)
      .annotate(RequiredScope, "sessions:write")
      .annotate(RateGroup, "sessions")
      .annotate(OpenApi.Description, upload)
      .annotate(OpenApi.Transform, uploadBody)
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/sessions")
      .annotate(OpenApi.Summary, "List sessions, newest first")
      .setUrlParams(Schema.Struct({ ...pageFields, ...sessionFilters }))
      .addSuccess(SessionPage)
      .annotate(RequiredScope, "sessions:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/sessions/:id")
      .annotate(OpenApi.Summary, "Read a session")
      .setPath(path)
      .addSuccess(Session)
      .addError(NotFound)
      .annotate(RequiredScope, "sessions:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/sessions/:id")
      .annotate(OpenApi.Summary, "Describe a session")
      .setPath(path)
      .setPayload(UpdateSession)
      .addSuccess(Session)
      .addError(NotFound)
      .annotate(RequiredScope, "sessions:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/sessions/:id")
      .annotate(OpenApi.Summary, "Delete a session with all of its files")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .annotate(RequiredScope, "sessions:write")
  )
  .add(
    HttpApiEndpoint.get("files", "/v1/sessions/:id/files")
      .annotate(OpenApi.Summary, "List a session's files, by path")
      .setPath(path)
      .setUrlParams(Schema.Struct(pageFields))
      .addSuccess(Page("SessionFilePage", SessionFile))
      .addError(NotFound)
      .addError(SessionNotReady)
      .annotate(RequiredScope, "sessions:read")
  )
  .add(
    HttpApiEndpoint.get("content", "/v1/sessions/:id/files/content")
      .annotate(OpenApi.Summary, "Read a file, or a part of it")
      .setPath(path)
      .setUrlParams(ContentQuery)
      .addSuccess(
        Schema.Uint8ArrayFromSelf.pipe(
          HttpApiSchema.withEncoding({ kind: "Uint8Array", contentType: "application/octet-stream" })
        )
      )
      .addError(NotFound)
      .addError(SessionNotReady)
      .addError(RangeNotSatisfiable)
      .annotate(RequiredScope, "sessions:read")
      .annotate(
        OpenApi.Description,
        "The file's bytes, with its own content type. `Range` answers 206; the ETag is the SHA-256."
      )
      .annotate(OpenApi.Transform, fileContent)
  )
  .add(
    HttpApiEndpoint.get("timeline", "/v1/sessions/:id/timeline")
      .annotate(OpenApi.Summary, "Read a session's timeline")
      .setPath(path)
      .addSuccess(Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "application/x-ndjson" })))
      .addError(NotFound)
      .addError(SessionNotReady)
      .annotate(RequiredScope, "sessions:read")
      .annotate(OpenApi.Description, timeline)
      .annotate(OpenApi.Transform, timelineContent)
  )
  .middleware(Authentication) {}
