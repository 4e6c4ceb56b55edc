import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { DirectUploadId, SessionId, SuiteId, UploadId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

/**
 * OPEN: bytes are missing. COMPLETE: all are there, for a session to be made of. CLAIMED: they are a
 * session's, which is being validated. DONE: that has ended, the bytes are gone from here. EXPIRED: nobody
 * came back for it.
 */
export const UploadStatus = Schema.Literal("OPEN", "COMPLETE", "CLAIMED", "DONE", "EXPIRED").annotations({
  identifier: "UploadStatus"
})
export type UploadStatus = typeof UploadStatus.Type

const fields = {
  /** Null where only the session will name one. */
  suite_id: Schema.NullOr(SuiteId),
  /** The file's name in the bundle; empty where none was given. */
  filename: Schema.String,
  length: Schema.Int,
  /** Bytes that are durable. */
  offset: Schema.Int,
  status: UploadStatus,
  /** The session that it became, or is on its way to. */
  session_id: Schema.NullOr(SessionId),
  expires_at: TimestampText,
  created_at: TimestampText,
  updated_at: TimestampText
}

/** A file on its way, in as many requests as it takes. */
export class Upload extends Schema.Class<Upload>("Upload")({
  id: UploadId,
  concat: Schema.NullOr(Schema.Literal("partial", "final")),
  ...fields
}) {}

const Sha256 = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{64}$/)).annotations({ description: "Lower-case hex" })

export class CreateDirectUpload extends Schema.Class<CreateDirectUpload>("CreateDirectUpload")({
  suite_id: SuiteId,
  filename: Text(1, 1024),
  length: Schema.Int.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER)).annotations({ description: "Size in bytes" })
}) {}

/** Where the bytes of one part are to be sent, by PUT and without any credential. */
export class PartUrl extends Schema.Class<PartUrl>("PartUrl")({
  number: Schema.Int.annotations({ description: "From 1 on" }),
  size_bytes: Schema.Int,
  url: Schema.String
}) {}

/** A file whose parts are sent by PUT to URLs that hold for a while. */
export class DirectUpload extends Schema.Class<DirectUpload>("DirectUpload")({
  id: DirectUploadId,
  ...fields,
  part_size: Schema.Int.annotations({ description: "Bytes of every part but the last" }),
  part_count: Schema.Int,
  parts: Schema.Array(PartUrl).annotations({ description: "At most 1,000; read the upload again for further ones" }),
  urls_expire_at: TimestampText
}) {}

/** What the sender knows of what it sent; each that is given is compared. */
export class CompleteDirectUpload extends Schema.Class<CompleteDirectUpload>("CompleteDirectUpload")({
  parts: Schema.optionalWith(
    Schema.Array(Schema.Struct({ number: Schema.Int, etag: Text(1, 200) })).pipe(Schema.maxItems(10_000)),
    { exact: true }
  ).annotations({ description: "The ETag that each PUT answered" }),
  sha256: Schema.optionalWith(Sha256, { exact: true }).annotations({
    description: "Of the whole file, lower-case hex; compared when the session is validated"
  })
}) {}

export const uploadNotFound = (id: string) => new NotFound({ detail: `there is no upload ${id}` })

/** Nobody came back for it in time; its bytes are gone. */
export class UploadExpired extends Schema.TaggedError<UploadExpired>("UploadExpired")(
  "UploadExpired",
  { id: Schema.String },
  problem(410, "gone", "The upload has expired")
) {
  override get message() {
    return `the upload ${this.id} has expired: begin it anew`
  }
}

/** The bytes do not go on where the upload is; it may have been continued by another request. */
export class OffsetMismatch extends Schema.TaggedError<OffsetMismatch>("OffsetMismatch")(
  "OffsetMismatch",
  { id: Schema.String, offset: Schema.Int },
  problem(409, "conflict", "The upload is at another offset")
) {
  override get message() {
    return `the upload ${this.id} is at ${this.offset}: ask for its offset, and go on from there`
  }
}

/** What is asked for does not go with the state that the upload is in. */
export class UploadState extends Schema.TaggedError<UploadState>("UploadState")(
  "UploadState",
  { id: Schema.String, upload_status: UploadStatus, needed: Schema.String },
  problem(409, "conflict", "The upload is in another state")
) {
  override get message() {
    return `the upload ${this.id} is ${this.upload_status}: ${this.needed}`
  }
}

/** What came is not what was sent; nothing of it is kept. The status is that of tus' checksum extension. */
export class ChecksumMismatch extends Schema.TaggedError<ChecksumMismatch>("ChecksumMismatch")(
  "ChecksumMismatch",
  { detail: Schema.String },
  problem(460, "checksum_mismatch", "The bytes are not those of the checksum")
) {
  override get message() {
    return this.detail
  }
}

/** The request speaks another version of tus, or does not say that it speaks it. */
export class TusVersion extends Schema.TaggedError<TusVersion>("TusVersion")(
  "TusVersion",
  { given: Schema.NullOr(Schema.String) },
  problem(412, "precondition_failed", "Another version of tus is spoken here")
) {
  override get message() {
    return `Tus-Resumable must be 1.0.0, and is ${this.given === null ? "absent" : JSON.stringify(this.given)}`
  }
}

/** The time of a part's URL is over. */
export class UrlRefused extends Schema.TaggedError<UrlRefused>("UrlRefused")(
  "UrlRefused",
  { detail: Schema.String },
  problem(403, "forbidden", "The URL does not hold")
) {
  override get message() {
    return this.detail
  }
}
