import { Duration, Effect } from "effect"
import { BadRequest } from "../domain/Errors.ts"
import { UploadTimeout } from "../domain/session/Session.ts"

/**
 * Ends a reader's wait once no byte came for `idle`. A timer and not a fiber: most bodies are there
 * at once, and for them a race of fibers would cost more than all the reading.
 */
class IdleWatch {
  readonly #limit: number
  readonly #timer: ReturnType<typeof setInterval>
  #waiting_since: number | undefined
  ended = false

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, idle: Duration.Duration) {
    this.#limit = Duration.toMillis(idle)
    this.#timer = setInterval(
      () => {
        // Counted from a fixed point: setting the machine's clock ends no upload.
        if (this.#waiting_since === undefined || performance.now() - this.#waiting_since <= this.#limit) return
        this.ended = true
        // The reader holds the promise of its next chunk: cancelling settles it.
        reader.cancel().catch(() => undefined)
      },
      Math.min(1000, this.#limit)
    )
  }

  waiting(): void {
    this.#waiting_since = performance.now()
  }

  taking(): void {
    this.#waiting_since = undefined
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

/**
 * Reads a body chunk by chunk with back-pressure: the next chunk is asked for when the last was
 * taken. Fails when no byte comes for `idle`; time that the taker needs does not count.
 */
export const drain = <E, R>(
  body: ReadableStream<Uint8Array>,
  idle: Duration.Duration,
  take: (chunk: Uint8Array) => Effect.Effect<void, E, R>
): Effect.Effect<void, E | UploadTimeout | BadRequest, R> =>
  Effect.acquireUseRelease(
    Effect.sync(() => {
      const reader = body.getReader()
      return { reader, watch: new IdleWatch(reader, idle) }
    }),
    ({ reader, watch }) => {
      const next = Effect.tryPromise({
        try: () => {
          watch.waiting()
          return reader.read()
        },
        catch: () => new BadRequest({ detail: "the body ended before its declared length" })
      })
      return Effect.gen(function* () {
        while (true) {
          const { done, value } = yield* next
          watch.taking()
          if (watch.ended) return yield* new UploadTimeout({ seconds: Math.round(Duration.toSeconds(idle)) })
          if (done) return
          yield* take(value)
        }
      })
    },
    ({ reader, watch }, exit) => {
      watch.stop()
      return exit._tag === "Success" ? Effect.void : Effect.promise(() => reader.cancel().catch(() => undefined))
    }
  )
