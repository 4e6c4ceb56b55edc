import { Effect, FiberSet } from "effect"
import type { FirstFailure } from "../FirstFailure.ts"
import { type ObjectStoreError, ObjectStoreUnavailable, type ObjectWriter } from "../ObjectStore.ts"
import { type Buffers, FIRST_SMALL, type Held, MAX_PARTS, partSize, SMALL_LIMIT } from "./Buffers.ts"
import { type S3Api, type S3Failure, settled, storeError } from "./S3Api.ts"
import { openUpload, type Payload, putObject, sendPart, type Upload } from "./Upload.ts"

/** Parts of one object that are sent at once. */
const IN_FLIGHT = 4

/** What the writers of a batch share. */
export interface BatchState {
  readonly s3: S3Api
  readonly buffers: Buffers
  readonly failure: FirstFailure
  /** The requests that run. */
  readonly requests: FiberSet.FiberSet<void>
  /** Writers that fill a buffer or wait for one. */
  readonly filling: Set<S3Writer>
  /** The buffers that are being filled. */
  readonly held: Set<Held>
  /** Multipart uploads that were neither completed nor aborted, and whether their writer has ended. */
  readonly uploads: Map<Upload, { readonly ended: boolean }>
  /** Keys that may exist: they go away again unless the batch is committed. */
  readonly keys: Set<string>
}

export interface ObjectDraft {
  readonly key: string
  readonly content_type: string
  readonly size_hint: number | undefined
}

/** See {@link ObjectWriter}. One request for what fits into a part, a multipart upload for the rest. */
export class S3Writer implements ObjectWriter {
  readonly #batch: BatchState
  readonly #draft: ObjectDraft
  readonly #in_flight = Effect.unsafeMakeSemaphore(IN_FLIGHT)
  readonly #spare = { small: Effect.unsafeMakeSemaphore(1), part: Effect.unsafeMakeSemaphore(1) }
  #buffer: Held | undefined
  #used = 0
  #hash: Bun.CryptoHasher | undefined
  #parts = 0
  #upload: Upload | undefined
  #ended = false

  constructor(batch: BatchState, draft: ObjectDraft) {
    this.#batch = batch
    this.#draft = draft
    this.#reset()
  }

  readonly write = (chunk: Uint8Array) => this.#batch.failure.guard(this.#writeFrom(chunk, 0))

  readonly end = Effect.suspend(() => this.#batch.failure.guard(this.#end()))

  #reset() {
    this.#buffer = undefined
    this.#used = 0
    this.#hash = this.#batch.s3.signs_payload ? new Bun.CryptoHasher("sha256") : undefined
  }

  #writeFrom(chunk: Uint8Array, at: number): Effect.Effect<void, ObjectStoreError> {
    return Effect.suspend(() => {
      const done = at + (this.#buffer === undefined ? 0 : this.#fill(this.#buffer, chunk, at))
      return done === chunk.length ? Effect.void : Effect.andThen(this.#makeRoom(), this.#writeFrom(chunk, done))
    })
  }

  /** Copies what fits of the chunk from `at` on, and answers how much that was. */
  #fill({ bytes }: Held, chunk: Uint8Array, at: number): number {
    const taken = Math.min(bytes.length - this.#used, chunk.length - at)
    const piece = chunk.subarray(at, at + taken)
    bytes.set(piece, this.#used)
    this.#hash?.update(piece)
    this.#used += taken
    return taken
  }

  #partSize(): number {
    return partSize(this.#draft.size_hint ?? this.#batch.s3.largest_object)
  }

  #makeRoom(): Effect.Effect<unknown, ObjectStoreError> {
    if (this.#buffer !== undefined)
      return this.#buffer.small ? this.#outgrow(this.#buffer) : this.#sendPart(this.#buffer)
    const { size_hint } = this.#draft
    const small = this.#parts === 0 && (size_hint ?? 0) <= SMALL_LIMIT
    return small ? this.#take("small", size_hint || FIRST_SMALL) : this.#take("part", this.#partSize())
  }

  /**
   * Of the writers of a batch that fill buffers at the same time, one takes part in the competition
   * with other batches; each further one has a buffer of its own. Writers that are fed by one source
   * would otherwise wait for each other, and all batches for all.
   */
  #take(kind: "small" | "part", size: number): Effect.Effect<Held> {
    const { buffers, filling, held } = this.#batch
    return Effect.uninterruptibleMask((restore) => {
      const alone = filling.size === 0 || (filling.size === 1 && filling.has(this))
      filling.add(this)
      return Effect.map(restore(buffers[kind](size, alone ? undefined : this.#spare[kind])), (got) => {
        held.add(got)
        this.#buffer = got
        return got
      })
    })
  }

  /** Moves what a small buffer holds into a larger one: small at first, then a part's. */
  #outgrow(small: Held): Effect.Effect<void> {
    const content = small.bytes.subarray(0, this.#used)
    if (content.length < SMALL_LIMIT) {
      small.bytes = new Uint8Array(Math.min(SMALL_LIMIT, Math.max(FIRST_SMALL, 2 * content.length)))
      small.bytes.set(content)
      return Effect.void
    }
    return Effect.flatMap(this.#take("part", this.#partSize()), (part) => {
      part.bytes.set(content)
      this.#batch.held.delete(small)
      return small.release
    })
  }

  #sendPart(full: Held): Effect.Effect<void, ObjectStoreError> {
    return Effect.gen(this, function* () {
      if (this.#parts === MAX_PARTS) {
        const cause = new Error(`${this.#draft.size_hint} bytes were declared, and ${MAX_PARTS} parts are not enough`)
        return yield* new ObjectStoreUnavailable({ operation: "upload a part", cause })
      }
      const upload = this.#upload ?? (yield* this.#begin())
      yield* Effect.uninterruptibleMask((restore) =>
        Effect.flatMap(restore(this.#in_flight.take(1)), () => {
          this.#parts += 1
          const request = sendPart(this.#batch.s3, upload, this.#parts, this.#payload())
          return this.#send(request, Effect.andThen(full.release, this.#in_flight.release(1)))
        })
      )
    })
  }

  // Not given up half-way: an upload whose id was not received could not be aborted.
  #begin(): Effect.Effect<Upload, ObjectStoreError> {
    const { s3, uploads } = this.#batch
    return settled("begin an upload", openUpload(s3, this.#draft.key, this.#draft.content_type)).pipe(
      Effect.map((upload) => {
        uploads.set(upload, { ended: false })
        this.#upload = upload
        return upload
      }),
      Effect.mapError(storeError),
      Effect.uninterruptible
    )
  }

  #payload(): Payload {
    const bytes = this.#buffer?.bytes.subarray(0, this.#used) ?? new Uint8Array(0)
    return { bytes, sha256: this.#hash?.digest("hex") }
  }

  /** Sends what the buffer holds in the background. Whatever becomes of the request, `after` runs. */
  #send(request: Effect.Effect<unknown, S3Failure>, after: Effect.Effect<unknown>): Effect.Effect<void> {
    const { failure, held, filling, requests } = this.#batch
    const running = request.pipe(
      Effect.interruptible,
      Effect.catchAll((error) => Effect.sync(() => failure.record(storeError(error)))),
      Effect.ensuring(after),
      Effect.asVoid
    )
    return Effect.suspend(() => {
      if (this.#buffer !== undefined) held.delete(this.#buffer)
      filling.delete(this)
      this.#reset()
      return FiberSet.run(requests, running)
    }).pipe(Effect.uninterruptible, Effect.asVoid)
  }

  #end(): Effect.Effect<void, ObjectStoreError> {
    return Effect.gen(this, function* () {
      if (this.#ended) return
      this.#ended = true
      const { s3, keys, uploads } = this.#batch
      const { key, content_type } = this.#draft
      if (this.#parts === 0) {
        keys.add(key)
        return yield* this.#send(
          putObject(s3, key, content_type, this.#payload()),
          this.#buffer?.release ?? Effect.void
        )
      }
      if (this.#buffer !== undefined) yield* this.#sendPart(this.#buffer)
      if (this.#upload !== undefined) uploads.set(this.#upload, { ended: true })
    })
  }
}
