import { SqlClient } from "@effect/sql"
import { Cause, Effect, Exit, Option } from "effect"
import { BadRequest, Forbidden, PayloadTooLarge, RequestTimeout, UnsupportedMediaType } from "../domain/Errors.ts"
import type { UploadId } from "../domain/Ids.ts"
import { CurrentPrincipal, type Principal, scope, withPolicy } from "../domain/Principal.ts"
import type { UploadTimeout } from "../domain/session/Session.ts"
import {
  ChecksumMismatch,
  OffsetMismatch,
  UploadExpired,
  UploadState,
  uploadNotFound
} from "../domain/session/Upload.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import { ObjectStore } from "../platform/ObjectStore.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { partsWriter } from "./PartsWriter.ts"
import { Removals } from "./Removals.ts"
import { drain } from "./SocketReader.ts"
import { storeAway, storeFull } from "./StoreTrouble.ts"
import type { TusRequest } from "./TusHeaders.ts"
import * as Tus from "./TusHeaders.ts"
import { declaredLength } from "./Upload.ts"
import { UploadCreation } from "./UploadCreation.ts"
import { UploadSessions } from "./UploadSessions.ts"
import { type StoredPart, type UploadRow, UploadsRepo, uploadPrefix } from "./UploadsRepo.ts"

const MIB = 1024 * 1024
/** What a crash can cost at most; the store's part buffer holds as much, so that it is one request to S3. */
const PART_BYTES = 8 * MIB
const MAX_PARTS = 10_000

/** Larger ones for uploads above 39 GiB: half of the parts that one may have are for requests that end early. */
const partBytes = (length: number) => Math.max(PART_BYTES, Math.ceil((2 * length) / MAX_PARTS / MIB) * MIB)

/** The bytes that came before a client went away are kept; those that may be wrong are not. */
const keeps = (cause: Cause.Cause<{ readonly _tag: string }>) =>
  Cause.isInterruptedOnly(cause) ||
  Option.exists(Cause.failureOption(cause), ({ _tag }) => _tag === "BadRequest" || _tag === "UploadTimeout")

const stopped = ({ seconds }: UploadTimeout) =>
  new RequestTimeout({ detail: `no byte came for ${seconds} s: ask for the upload's offset, and go on from there` })

/**
 * Uploads that can be interrupted and taken up again: tus 1.0. Bytes live in the object store as numbered
 * parts; the offset is in the database and advances when a part is durable, so that it is right after any
 * crash. Of two requests that write to one upload the later one goes on, and the earlier one adds nothing
 * more: nobody waits for a lock whose owner is gone.
 *
 * Not @tus/server (2.4): it has neither the checksum nor the concatenation extension, keeps its locks in
 * one process, answers failures as plain text, and routes past the contract that everything here is
 * derived from. Of it no more than the header checks would be left.
 */
export class ResumableUploads extends Effect.Service<ResumableUploads>()("session/ResumableUploads", {
  dependencies: [
    UploadsRepo.Default,
    UploadSessions.Default,
    UploadCreation.Default,
    Removals.Default,
    Audit.Default,
    Metrics.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const store = yield* ObjectStore
    const repo = yield* UploadsRepo
    const made = yield* UploadSessions
    const creation = yield* UploadCreation
    const removals = yield* Removals
    const audit = yield* Audit
    const metrics = yield* Metrics
    const newId = yield* Id
    const { ingest } = yield* Settings
    const write = withPolicy(scope("sessions:write"))

    const tooLarge = (detail: string) => new PayloadTooLarge({ detail, limit: ingest.max_session_bytes })

    const existing = (id: UploadId) =>
      Effect.gen(function* () {
        const row = yield* repo.find(yield* CurrentPrincipal, id)
        if (row === undefined || row.kind !== "tus") return yield* uploadNotFound(id)
        return row.expired ? yield* new UploadExpired({ id }) : row
      })

    /** Why nothing can be added to the upload, at this offset or at all. */
    const refusal = ({ id, concat, status, offset }: UploadRow, at: number) => {
      if (concat === "final") {
        return new Forbidden({ detail: `the upload ${id} is made of others: nothing can be added to it` })
      }
      return status === "OPEN" || offset !== at
        ? new OffsetMismatch({ id, offset })
        : new UploadState({ id, upload_status: status, needed: "no byte of it is missing" })
    }

    const refused = (id: UploadId, offset: number) =>
      Effect.flatMap(existing(id), (row) => Effect.fail(refusal(row, offset)))

    const enter = (id: UploadId, offset: number, writer: string) =>
      Effect.gen(function* () {
        const row = yield* repo.enter(yield* CurrentPrincipal, id, offset, writer)
        if (row === undefined) return yield* refused(id, offset)
        if ((yield* repo.partCount(id)) >= MAX_PARTS) {
          return yield* tooLarge(`an upload has at most ${MAX_PARTS} parts: send more in one request`)
        }
        yield* audit.record({ action: "upload.append", resource: `upload/${id}`, after: { id, offset } })
        return row
      }).pipe(sql.withTransaction, orDefect)

    const advance = (principal: Principal, id: UploadId, writer: string) => (from: number, part: StoredPart) =>
      Effect.gen(function* () {
        const row = yield* repo.advance(principal.org_id, id, writer, from, part)
        if (row === undefined) return yield* refused(id, from)
        return yield* made.finished(row)
      }).pipe(sql.withTransaction, orDefect)

    /** Stores the body from the upload's offset on; answers the upload as it then is. */
    const append = (id: UploadId, offset: number, length: number, { headers, body }: TusRequest) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const checksum = yield* Tus.parseChecksum(headers["upload-checksum"])
        const declared = declaredLength(headers)
        const room = length - offset
        if (declared !== undefined && declared > room) {
          return yield* tooLarge(`the body has ${declared} bytes, and ${room} of the upload are missing`)
        }
        const writer = newId.next()
        let latest = yield* enter(id, offset, writer)
        if (body === null) return latest
        const store_part = advance(principal, id, writer)
        const parts = yield* partsWriter(store, {
          prefix: uploadPrefix(principal.org_id, id),
          offset,
          writer,
          // Bytes that have yet to be compared become a part all at once, or not at all.
          part_bytes: checksum === undefined ? partBytes(length) : Number.MAX_SAFE_INTEGER,
          size_hint: checksum === undefined ? undefined : declared,
          advance: (from, part) =>
            Effect.map(store_part(from, part), (row) => {
              latest = row
            })
        })
        const hasher = checksum === undefined ? undefined : new Bun.CryptoHasher(checksum.algorithm)
        let received = 0
        const take = (chunk: Uint8Array) =>
          Effect.gen(function* () {
            received += chunk.length
            if (received > room) return yield* tooLarge(`the body has more than the ${room} bytes that are missing`)
            hasher?.update(chunk)
            yield* parts.write(chunk)
          }).pipe(Effect.uninterruptible)
        yield* Effect.uninterruptibleMask((restore) =>
          Effect.gen(function* () {
            const exit = yield* Effect.exit(restore(drain(body, ingest.upload_idle_timeout, take)))
            if (Exit.isSuccess(exit) && checksum !== undefined && hasher?.digest("base64") !== checksum.digest) {
              const detail = `the ${received} bytes have another ${checksum.algorithm} than Upload-Checksum says`
              return yield* new ChecksumMismatch({ detail })
            }
            const kept = Exit.isSuccess(exit) || (checksum === undefined && keeps(exit.cause))
            yield* kept ? parts.finish : parts.abandon
            return yield* exit
          })
        )
        return latest
      }).pipe(
        Effect.tap((row) => (row.status === "CLAIMED" ? made.begin : Effect.void)),
        Effect.scoped,
        Effect.catchTags({ ObjectStoreFull: storeFull, ObjectStoreUnavailable: storeAway, UploadTimeout: stopped })
      )

    const counted = <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => metrics.uploads.inc()),
        () => self,
        () => Effect.sync(() => metrics.uploads.dec())
      )

    const isOffsetStream = ({ headers }: TusRequest) =>
      headers["content-type"]?.split(";")[0]?.trim().toLowerCase() === Tus.OFFSET_OCTET_STREAM

    const otherType = new UnsupportedMediaType({ detail: `the bytes of an upload are ${Tus.OFFSET_OCTET_STREAM}` })

    /** Creates an upload, and takes its first bytes when they come with the request. */
    const create = Effect.fn("ResumableUploads.create")(
      function* (request: TusRequest) {
        yield* Tus.checkVersion(request.headers)
        if (request.body !== null && !isOffsetStream(request)) return yield* otherType
        const row = yield* creation.insert(request)
        if (row.status === "CLAIMED") yield* made.begin
        return request.body === null || row.offset === row.length ? row : yield* append(row.id, 0, row.length, request)
      },
      counted,
      write
    )

    /** The upload, and of what others it was made. */
    const head = Effect.fn("ResumableUploads.head")(function* (id: UploadId, { headers }: TusRequest) {
      yield* Tus.checkVersion(headers)
      const row = yield* existing(id)
      const pieces = row.concat === "final" ? yield* repo.pieces(id) : []
      return { row, pieces: pieces.map((piece) => piece.id) }
    }, write)

    /** Adds bytes at the offset that the request names, which must be the upload's. */
    const patch = Effect.fn("ResumableUploads.patch")(
      function* (id: UploadId, request: TusRequest) {
        yield* Tus.checkVersion(request.headers)
        if (!isOffsetStream(request)) return yield* otherType
        const offset = yield* Tus.bytesIn(request.headers, "Upload-Offset")
        if (offset === undefined) return yield* new BadRequest({ detail: "Upload-Offset must be given" })
        const row = yield* existing(id)
        if (row.status !== "OPEN" || row.offset !== offset) return yield* refusal(row, offset)
        return yield* append(id, offset, row.length, request)
      },
      counted,
      write
    )

    /** Ends an upload and removes its bytes. */
    const terminate = Effect.fn("ResumableUploads.terminate")(function* (id: UploadId, { headers }: TusRequest) {
      yield* Tus.checkVersion(headers)
      const { org_id } = yield* CurrentPrincipal
      const gone = yield* Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        yield* repo.lock(principal, [id])
        const row = yield* existing(id)
        if (row.status === "CLAIMED" || row.final_id !== null) {
          const needed = "it is a part of another upload or session"
          return yield* new UploadState({ id, upload_status: row.status, needed })
        }
        yield* audit.record({ action: "upload.delete", resource: `upload/${id}`, before: row })
        return yield* repo.remove(principal, id)
      }).pipe(sql.withTransaction, orDefect)
      // The table's trigger noted the objects under the ids: whatever happens now, the collector finishes it.
      yield* Effect.forEach(gone, (one) => removals.carryOut({ id: one, prefix: uploadPrefix(org_id, one) }), {
        discard: true
      })
    }, write)

    return { create, head, patch, terminate, max_bytes: ingest.max_session_bytes } as const
  })
}) {}
