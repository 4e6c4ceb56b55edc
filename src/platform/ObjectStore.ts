import type { Duration, Effect, Scope, Stream } from "effect"
import { Context, Schema } from "effect"

/** No object has this key. */
export class ObjectNotFound extends Schema.TaggedError<ObjectNotFound>("platform/ObjectNotFound")("ObjectNotFound", {
  key: Schema.String
}) {
  override get message() {
    return `no object ${this.key}`
  }
}

/** The store has no room left for what was to be written. */
export class ObjectStoreFull extends Schema.TaggedError<ObjectStoreFull>("platform/ObjectStoreFull")(
  "ObjectStoreFull",
  { operation: Schema.String, cause: Schema.Defect }
) {
  override get message() {
    return "the object store is full"
  }
}

/** The store could not be reached, did not answer in time, or answered with a failure, after all retries. */
export class ObjectStoreUnavailable extends Schema.TaggedError<ObjectStoreUnavailable>(
  "platform/ObjectStoreUnavailable"
)("ObjectStoreUnavailable", { operation: Schema.String, cause: Schema.Defect }) {
  override get message() {
    return `the object store failed to ${this.operation}`
  }
}

export type ObjectStoreError = ObjectStoreFull | ObjectStoreUnavailable

/** Inclusive byte positions, as in an HTTP Range. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface ObjectInfo {
  readonly key: string
  readonly size_bytes: number
  readonly modified_at: Date
}

/** What an uncommitted batch holds: its exact prefix, and its latest sign of life as far as the store tells. */
export interface PendingBatch {
  readonly prefix: string
  readonly modified_at: Date
}

/** Writes one object, chunk by chunk. A chunk belongs to the writer until `write` returns. */
export interface ObjectWriter {
  /** Takes the chunk with back-pressure: returns once the writer has room for more. */
  readonly write: (chunk: Uint8Array) => Effect.Effect<void, ObjectStoreError>
  /**
   * Ends the object: no byte follows. What is left of the work goes on in the background, so that
   * many small objects overlap; should it fail, the batch's next operation or its commit fails.
   */
  readonly end: Effect.Effect<void, ObjectStoreError>
}

/**
 * A set of objects under one prefix that becomes visible together. Closing its scope without
 * `commit` removes all that was written. After the first failure every further operation of the
 * batch fails with the same error.
 */
export interface ObjectBatch {
  /**
   * Opens a writer for `prefix + path`. Several may be open at once; in the S3 layer each holds up to
   * a part of its object in memory.
   * @param path relative, already checked by the caller: no empty, `.` or `..` segment
   * @param size_hint the length in bytes where it is known; it chooses the part size
   */
  readonly writer: (
    path: string,
    options: { readonly content_type: string; readonly size_hint?: number | undefined }
  ) => Effect.Effect<ObjectWriter, ObjectStoreError>
  /**
   * Makes every ended object durable and visible; after it returns nothing is lost by a crash.
   * Objects that were not ended are dropped. A batch is committed once.
   */
  readonly commit: Effect.Effect<void, ObjectStoreError>
}

/** A part of an object that somebody sent straight to the store. */
export interface DirectPart {
  /** From 1 on. */
  readonly number: number
  readonly size_bytes: number
  readonly etag: string
}

/** Objects whose bytes are sent straight to the store, in parts, to URLs that need no credential. */
export interface DirectStore {
  /** Begins an object; answers the id under which its parts are collected. */
  readonly open: (key: string) => Effect.Effect<string, ObjectStoreError>
  /** Where one part may be PUT for a while. */
  readonly url: (part: {
    readonly key: string
    readonly upload_id: string
    readonly number: number
    readonly lifetime: Duration.Duration
  }) => Effect.Effect<string, ObjectStoreError>
  /** The parts that are there, in order; fails when the object was completed or aborted. */
  readonly parts: (
    key: string,
    upload_id: string
  ) => Effect.Effect<ReadonlyArray<DirectPart>, ObjectNotFound | ObjectStoreError>
  /** Makes these parts the object, from number 1 on and without gaps. */
  readonly complete: (
    key: string,
    upload_id: string,
    parts: ReadonlyArray<DirectPart>
  ) => Effect.Effect<void, ObjectStoreError>
  /** Drops the object and its parts. Idempotent. */
  readonly abort: (key: string, upload_id: string) => Effect.Effect<void, ObjectStoreError>
}

/**
 * Where the bytes live. Two layers: files under the data folder, and any S3-compatible store.
 * Keys are paths with forward slashes. Both layers hold to the same contract suite.
 */
export class ObjectStore extends Context.Tag("platform/ObjectStore")<
  ObjectStore,
  {
    readonly kind: "file" | "s3"
    /** Opens a batch for `prefix` (which ends in a slash); the scope owns what is not committed. */
    readonly batch: (prefix: string) => Effect.Effect<ObjectBatch, ObjectStoreError, Scope.Scope>
    /**
     * The object's bytes, or a range of them, as they come; the stream owns the connection and
     * is read once. A range is clipped at the object's end, and is empty when it starts behind it.
     */
    readonly read: (
      key: string,
      range?: ByteRange
    ) => Effect.Effect<Stream.Stream<Uint8Array, ObjectStoreError>, ObjectNotFound | ObjectStoreError>
    /** All bytes of an object at once; undefined where they are more than `most`. Cheaper than `read` for small ones. */
    readonly whole: (
      key: string,
      most: number
    ) => Effect.Effect<Uint8Array | undefined, ObjectNotFound | ObjectStoreError>
    readonly head: (key: string) => Effect.Effect<ObjectInfo, ObjectNotFound | ObjectStoreError>
    /** Committed objects below the prefix, in no promised order. */
    readonly list: (prefix: string) => Stream.Stream<ObjectInfo, ObjectStoreError>
    /**
     * The names directly below `prefix` that are folders, from `start_after` on (exclusive), in the
     * order of the UTF-8 bytes of `name + "/"` (which is how S3 sorts). Uncommitted ones are not
     * among them in the file layer; small objects of an uncommitted batch may be in the S3 layer.
     */
    readonly folders: (prefix: string, start_after?: string) => Stream.Stream<string, ObjectStoreError>
    /** Removes these objects, which may be missing already. */
    readonly remove: (keys: ReadonlyArray<string>) => Effect.Effect<void, ObjectStoreError>
    /** Removes every object below the prefix (not empty, ends in a slash), pending ones too. Idempotent. */
    readonly removePrefix: (prefix: string) => Effect.Effect<void, ObjectStoreError>
    /** What uncommitted batches hold at this moment: temp folders, open multipart uploads. One entry per batch prefix. */
    readonly pending: (prefix: string) => Stream.Stream<PendingBatch, ObjectStoreError>
    /** Removes what uncommitted batches hold below the prefix, and nothing that was committed. Idempotent. */
    readonly removePending: (prefix: string) => Effect.Effect<void, ObjectStoreError>
    /** Undefined where nothing can be sent past this service. */
    readonly direct: DirectStore | undefined
    /** Resolves when the store can be read and written. */
    readonly health: Effect.Effect<void, ObjectStoreError>
  }
>() {}
