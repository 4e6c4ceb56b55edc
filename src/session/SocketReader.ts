import { Clock, Duration, Effect, Schedule } from "effect"
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
    let waitingSince: bigint | undefined = clock.unsafeCurrentTimeNanos()
    const limit = BigInt(Math.ceil(Duration.toMillis(idle) * 1e6))
    const reader = body.getReader()

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
        if (done) return
        yield* take(value)
      }
    })
    const watch = Effect.flatMap(Clock.currentTimeNanos, (now) =>
      waitingSince !== undefined && now - waitingSince > limit
        ? Effect.fail(new UploadTimeout({ seconds: Math.round(Duration.toSeconds(idle)) }))
        : Effect.void
    ).pipe(Effect.repeat(Schedule.spaced(Duration.min(Duration.seconds(1), idle))))

    // A reader that is waiting holds the promise of its next chunk: cancelling settles it.
    return yield* Effect.raceFirst(loop, Effect.zipRight(watch, Effect.never)).pipe(
      Effect.onExit((exit) =>
        exit._tag === "Success" ? Effect.void : Effect.promise(() => reader.cancel().catch(() => undefined))
      )
    )
  })
