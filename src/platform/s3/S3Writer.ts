import { Effect, FiberSet } from "effect"
import type { FirstFailure } from "../FirstFailure.ts"
import { type ObjectStoreError, ObjectStoreUnavailable, type ObjectWriter } from "../ObjectStore.ts"
import { type Buffers, type Held, MAX_PARTS, partSize, SMALL_LIMIT } from "./Buffers.ts"
import { type S3Api, type S3Failure, settled, storeError } from "./S3Api.ts"
import { openUpload, putObject, sendPart, type Upload } from "./Upload.ts"

/** Parts of one object that are sent at once. */
const IN_FLIGHT = 4
const FIRST_SMALL = 64 * 1024

/** What the writers of a batch share. */
export interface BatchState {
  readonly s3: S3Api
  readonly buffers: Buffers
  readonly failure: FirstFailure
  /** The requests that run. */
  readonly requests: FiberSet.FiberSet<void>
  /** Buffers that are held and not being sent. */
  readonly held: Set<Held>
  /** Multipart uploads that were neither completed nor aborted, and whether their writer has ended. */
  readonly uploads: Map<Upload, { ended: boolean }>
  /** Keys that may exist: they go away again unless the batch is committed. */
  readonly keys: Set<string>
}

export interface ObjectDraft {
  readonly key: string
  readonly content_type: string
  readonly size_hint: number | undefined
}

/** See {@link ObjectWriter}. One request for what fits into a part, a multipart upload for the rest. */
export const s3Writer = (batch: BatchState, draft: ObjectDraft): ObjectWriter => {
  const { s3, buffers, failure, held } = batch
  const part_size = partSize(draft.size_hint)
  const slots = Effect.unsafeMakeSemaphore(IN_FLIGHT)
  let buffer: Held | undefined
  let used = 0
  let parts = 0
  let upload: Upload | undefined
  let ended = false

  const take = (acquire: Effect.Effect<Held>) =>
    Effect.uninterruptibleMask((restore) =>
      Effect.map(restore(acquire), (got) => {
        held.add(got)
        buffer = got
        return got
      })
    )

  /** Sends in the background; whatever happens to it, its buffer and `after` are given back. */
  const send = (sent: Held | undefined, request: Effect.Effect<unknown, S3Failure>, after: Effect.Effect<unknown>) => {
    const giveBack = Effect.andThen(sent?.release ?? Effect.void, after)
    const running = request.pipe(
      Effect.interruptible,
      Effect.catchAll((error) => Effect.sync(() => failure.record(storeError(error)))),
      Effect.ensuring(giveBack),
      Effect.asVoid
    )
    return Effect.suspend(() => {
      if (sent !== undefined) held.delete(sent)
      buffer = undefined
      used = 0
      return FiberSet.run(batch.requests, running)
    }).pipe(Effect.uninterruptible)
  }

  // Not given up half-way: an upload whose id was not received could not be aborted.
  const begin = settled("begin an upload", openUpload(s3, draft.key, draft.content_type)).pipe(
    Effect.map((opened) => {
      batch.uploads.set(opened, { ended: false })
      upload = opened
      return opened
    }),
    Effect.mapError(storeError),
    Effect.uninterruptible
  )

  const sendBuffer = (full: Held) =>
    Effect.gen(function* () {
      if (parts === MAX_PARTS) {
        const cause = new Error(`an object declared with ${draft.size_hint} bytes takes more than ${MAX_PARTS} parts`)
        return yield* new ObjectStoreUnavailable({ operation: "upload a part", cause })
      }
      const into = upload ?? (yield* begin)
      yield* Effect.uninterruptibleMask((restore) =>
        Effect.gen(function* () {
          yield* restore(slots.take(1))
          parts += 1
          yield* send(full, sendPart(s3, into, parts, full.bytes.subarray(0, used)), slots.release(1))
        })
      )
    })

  /** Moves what a small buffer holds into a larger one: small at first, then a part's. */
  const outgrow = (small: Held) =>
    Effect.gen(function* () {
      const content = small.bytes.subarray(0, used)
      if (content.length < SMALL_LIMIT) {
        small.bytes = new Uint8Array(Math.min(SMALL_LIMIT, Math.max(FIRST_SMALL, 2 * content.length)))
        small.bytes.set(content)
        return
      }
      const part = yield* take(buffers.part(part_size))
      part.bytes.set(content)
      held.delete(small)
      yield* small.release
    })

  const room: Effect.Effect<Held, ObjectStoreError> = Effect.gen(function* () {
    if (buffer !== undefined && used === buffer.bytes.length) {
      yield* buffer.small ? outgrow(buffer) : sendBuffer(buffer)
    }
    if (buffer !== undefined) return buffer
    const small = parts === 0 && (draft.size_hint ?? 0) <= SMALL_LIMIT
    return yield* take(small ? buffers.small(draft.size_hint || FIRST_SMALL) : buffers.part(part_size))
  })

  const write = (chunk: Uint8Array) =>
    Effect.gen(function* () {
      for (let at = 0; at < chunk.length; ) {
        const { bytes } = buffer !== undefined && used < buffer.bytes.length ? buffer : yield* room
        const taken = Math.min(bytes.length - used, chunk.length - at)
        bytes.set(chunk.subarray(at, at + taken), used)
        used += taken
        at += taken
      }
    })

  const end = Effect.gen(function* () {
    if (ended) return
    ended = true
    if (parts === 0) {
      batch.keys.add(draft.key)
      const bytes = buffer?.bytes.subarray(0, used) ?? new Uint8Array(0)
      return yield* send(buffer, putObject(s3, draft.key, draft.content_type, bytes), Effect.void)
    }
    if (buffer !== undefined) yield* sendBuffer(buffer)
    if (upload !== undefined) batch.uploads.set(upload, { ended: true })
  })

  return { write: (chunk) => failure.guard(write(chunk)), end: Effect.asVoid(failure.guard(end)) }
}
