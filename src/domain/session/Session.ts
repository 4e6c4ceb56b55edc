import { Schema } from "effect"
import { Issue, NotFound } from "../Errors.ts"
import { SessionId, SuiteId, UploadId, UserId } from "../Ids.ts"
import { JsonObject, Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

/** The formats of recordings that are known. */
export const Format = Schema.Literal(
  "tracepipe.browser/v1",
  "chrome.recorder",
  "chrome.trace",
  "har",
  "playwright.trace",
  "tracepipe.agent/v1",
  "openai.chat",
  "anthropic.messages",
  "claude-code",
  "codex",
  "otlp",
  "atif",
  "swe-agent",
  "langfuse"
).annotations({ identifier: "Format" })
export type Format = typeof Format.Type

export const SessionStatus = Schema.Literal("VALIDATING", "READY", "REJECTED").annotations({
  identifier: "SessionStatus"
})

export const Metadata = JsonObject(64 * 1024).annotations({
  identifier: "Metadata",
  jsonSchema: { type: "object", description: "Any JSON object up to 64 KiB, nested 64 deep at most, without NUL" }
})

export const Description = Text(0, 10_000)

/** One uploaded recording. Its bytes are never changed. */
export class Session extends Schema.Class<Session>("Session")({
  id: SessionId,
  user_id: Schema.NullOr(UserId),
  suite_id: SuiteId,
  description: Schema.String,
  /** Null until it is known, which it always is when the session is READY. */
  format: Schema.NullOr(Format),
  status: SessionStatus,
  /** Why it was REJECTED. */
  status_reason: Schema.NullOr(Schema.String),
  /** What is wrong with a REJECTED one, by file and line. */
  errors: Schema.Array(Issue),
  /** How it came: `upload` for one request, `resumable` for uploads of several. */
  record_source: Schema.String,
  file_count: Schema.Int,
  size_bytes: Schema.Int,
  /** Timeline events; null until the session was first processed. */
  event_count: Schema.NullOr(Schema.Int),
  started_at: Schema.NullOr(TimestampText),
  ended_at: Schema.NullOr(TimestampText),
  metadata: Metadata,
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

/** A session out of finished uploads. */
export class CreateSession extends Schema.Class<CreateSession>("CreateSession")(
  {
    upload_ids: Schema.Array(UploadId).pipe(Schema.minItems(1), Schema.maxItems(10_000)).annotations({
      description: "Finished uploads: one file or archive, or several files that are one bundle; each is used once"
    }),
    suite_id: SuiteId,
    description: Schema.optionalWith(Description, { default: () => "" }),
    metadata: Schema.optionalWith(Metadata, { default: () => ({}) }),
    format: Schema.optionalWith(Format, { exact: true }).annotations({
      description: "Names the format instead of having it detected"
    })
  },
  [undefined, { identifier: "CreateSession" }]
) {}

/** One file of a session's trace bundle. */
export class SessionFile extends Schema.Class<SessionFile>("SessionFile")({
  path: Schema.String,
  content_type: Schema.String,
  size_bytes: Schema.Int,
  sha256: Schema.String.annotations({ description: "Lower-case hex" }),
  /** Non-blank lines; null for files that are not JSONL. */
  line_count: Schema.NullOr(Schema.Int)
}) {}

export class UpdateSession extends Schema.Class<UpdateSession>("UpdateSession")({
  description: Schema.optionalWith(Description, { exact: true }),
  metadata: Schema.optionalWith(Metadata, { exact: true })
}) {}

export const sessionNotFound = (id: SessionId) => new NotFound({ detail: `there is no session ${id}` })

export const suiteMissing = (id: SuiteId) => new NotFound({ detail: `there is no suite ${id}` })

export const fileNotFound = (id: SessionId, path: string) =>
  new NotFound({ detail: `the session ${id} has no file ${JSON.stringify(path)}` })

/** Only a session whose files were checked can be read and made use of. */
export class SessionNotReady extends Schema.TaggedError<SessionNotReady>("SessionNotReady")(
  "SessionNotReady",
  { id: SessionId, session_status: SessionStatus },
  problem(409, "conflict", "The session is not ready")
) {
  override get message() {
    return this.session_status === "REJECTED"
      ? `the session ${this.id} was REJECTED: its status_reason says why, and nothing of it is kept`
      : `the session ${this.id} is not READY: wait until its files are checked`
  }
}

/** The recording was read and is refused; every reason names the file and, where there is one, the line. */
export class SessionRejected extends Schema.TaggedError<SessionRejected>("SessionRejected")(
  "SessionRejected",
  { detail: Schema.String, errors: Schema.Array(Issue) },
  problem(422, "validation_error", "The recording is not valid")
) {
  override get message() {
    return this.detail
  }
}

/** No known format fits the recording. */
export class UnknownFormat extends Schema.TaggedError<UnknownFormat>("UnknownFormat")(
  "UnknownFormat",
  { detail: Schema.String, known: Schema.Array(Format) },
  problem(415, "unsupported_media_type", "The format of the recording is not known")
) {
  override get message() {
    return `${this.detail}; the known formats are ${this.known.join(", ")}`
  }
}

/** The Idempotency-Key was used before for a different request. */
export class IdempotencyMismatch extends Schema.TaggedError<IdempotencyMismatch>("IdempotencyMismatch")(
  "IdempotencyMismatch",
  { key: Schema.String },
  problem(422, "validation_error", "The Idempotency-Key belongs to another request")
) {
  override get message() {
    return `the Idempotency-Key ${JSON.stringify(this.key)} was used with other content`
  }
}

/** The client stopped sending: the upload was ended and nothing of it is kept. */
export class UploadTimeout extends Schema.TaggedError<UploadTimeout>("UploadTimeout")(
  "UploadTimeout",
  { seconds: Schema.Number },
  problem(408, "request_timeout", "The upload stopped")
) {
  override get message() {
    return `no byte came for ${this.seconds} s: the upload was ended and nothing of it is kept`
  }
}

/** The requested range lies outside the file. */
export class RangeNotSatisfiable extends Schema.TaggedError<RangeNotSatisfiable>("RangeNotSatisfiable")(
  "RangeNotSatisfiable",
  { size_bytes: Schema.Int },
  problem(416, "range_not_satisfiable", "The range lies outside the file")
) {
  override get message() {
    return `the file has ${this.size_bytes} bytes`
  }
}
