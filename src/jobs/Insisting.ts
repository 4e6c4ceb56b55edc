import { Cause, Effect, Schedule } from "effect"

/** Does what ends a job until it is written: given up after a failure, the job would look as if it still ran for ever. */
export const insisting = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  effect.pipe(
    Effect.sandbox,
    Effect.tapError((cause) => Effect.logWarning("the end of a job could not be written; it is tried again", cause)),
    Effect.retry({ schedule: Schedule.spaced("30 seconds"), while: (cause) => !Cause.isInterrupted(cause) }),
    Effect.unsandbox
  )
