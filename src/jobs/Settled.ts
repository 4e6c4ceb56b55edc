import { Effect, Schedule } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { StageFailed } from "../example/StageFailed.ts"
import { isConnectionFailure } from "../platform/SqlFailure.ts"

/** How long a stage waits for a database or a store that is away. */
const patience = Schedule.exponential("250 millis").pipe(
  Schedule.union(Schedule.spaced("5 seconds")),
  Schedule.upTo("10 minutes")
)

const away = new Unavailable({ detail: "the database does not answer", retry_after_s: 5 })

const faulty = new StageFailed({
  code: "internal_error",
  detail: "the service failed; its log says how. Retry it"
})

/** What lasts is waited for, what is a fault of ours fails the job: a workflow never ends without a word. */
export const settled = <A, R>(
  effect: Effect.Effect<A, StageFailed | Unavailable, R>
): Effect.Effect<A, StageFailed, R> =>
  effect.pipe(
    Effect.catchAllDefect(
      (defect): Effect.Effect<never, StageFailed | Unavailable> =>
        isConnectionFailure(defect)
          ? Effect.fail(away)
          : Effect.zipRight(Effect.logError("a stage of a job failed", defect), faulty)
    ),
    Effect.retry({ schedule: patience, while: ({ _tag }) => _tag === "Unavailable" }),
    Effect.catchTag(
      "Unavailable",
      ({ detail }) => new StageFailed({ code: "unavailable", detail: `${detail}: retry it later` })
    )
  )
