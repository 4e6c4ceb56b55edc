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
    const clock = yield* Effect.clock
    let waitingSince: number | undefined = clock.unsafeCurrentTimeMillis()
    const reader = body.getReader()

    const next = Effect.tryPromise({
      try: () => {
        waitingSince = clock.unsafeCurrentTimeMillis()
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
    const watch = Effect.flatMap(Clock.currentTimeMillis, (now) =>
      waitingSince !== undefined && now - waitingSince > Duration.toMillis(idle)
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
