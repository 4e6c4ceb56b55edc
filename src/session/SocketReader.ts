import { Clock, Duration, Effect, Fiber, Schedule } from "effect"
import { BadRequest } from "../domain/Errors.ts"
import { UploadTimeout } from "../domain/session/Session.ts"

/**
 * Reads a body chunk by chunk with back-pressure: the next chunk is asked for when the last was
 * taken. Fails when no byte comes for `idle`; time that the taker needs does not count.
 */
export const drain = <E, R>(
  body: ReadableStream<Uint8Array>,
  idle: Duration.Duration,
  take: (chunk: Uint8Array) => Effect.Effect<void, E, R>
): Effect.Effect<void, E | UploadTimeout | BadRequest, R> =>
  Effect.gen(function* () {
    // Nanoseconds, for they are counted from a fixed point: setting the machine's clock ends no upload.
    const clock = yield* Effect.clock
    const limit = BigInt(Math.ceil(Duration.toMillis(idle) * 1e6))
    const reader = body.getReader()
    let waitingSince: bigint | undefined
    let stopped = false

    const cancel = Effect.promise(() => reader.cancel().catch(() => undefined))
    const next = Effect.tryPromise({
      try: () => {
        waitingSince = clock.unsafeCurrentTimeNanos()
        return reader.read()
      },
      catch: () => new BadRequest({ detail: "the body ended before its declared length" })
    })
    const loop = Effect.gen(function* () {
      while (true) {
        const { done, value } = yield* next
        waitingSince = undefined
        if (stopped) return yield* new UploadTimeout({ seconds: Math.round(Duration.toSeconds(idle)) })
        if (done) return
        yield* take(value)
      }
    })
    // It ends the reading instead of racing with it: whoever interrupts a race is not kept waiting for
    // the sides, and what `take` has begun must have ended before anything is cleaned up.
    const watch = Effect.flatMap(Clock.currentTimeNanos, (now) => {
      if (waitingSince === undefined || now - waitingSince <= limit) return Effect.void
      stopped = true
      return cancel
    }).pipe(Effect.repeat({ schedule: Schedule.spaced(Duration.min(Duration.seconds(1), idle)), until: () => stopped }))

    // No scope of its own: what `take` opens belongs to the caller's, and outlives the reading.
    const watching = yield* Effect.fork(watch)
    return yield* loop.pipe(
      Effect.onExit((exit) => (exit._tag === "Success" ? Effect.void : cancel)),
      Effect.ensuring(Fiber.interrupt(watching))
    )
  })
