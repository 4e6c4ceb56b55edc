import { Activity } from "@effect/workflow"
import { Effect, Schedule, type Schema } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { StageFailed } from "../example/StageFailed.ts"
import { isPassingFailure } from "../platform/SqlFailure.ts"
import { Metrics } from "../telemetry/Metrics.ts"

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
const settled = <A, R>(effect: Effect.Effect<A, StageFailed | Unavailable, R>): Effect.Effect<A, StageFailed, R> =>
  effect.pipe(
    Effect.catchAllDefect(
      (defect): Effect.Effect<never, StageFailed | Unavailable> =>
        isPassingFailure(defect)
          ? Effect.fail(away)
          : Effect.zipRight(Effect.logError("a stage of a job failed", defect), faulty)
    ),
    Effect.retry({ schedule: patience, while: ({ _tag }) => _tag === "Unavailable" }),
    Effect.catchTag(
      "Unavailable",
      ({ detail }) => new StageFailed({ code: "unavailable", detail: `${detail}: retry it later` })
    )
  )

/**
 * Makes the stages of a workflow: each done once, as far as it can be known, and measured. The name of
 * one that is done several times has its number after a space.
 */
export const stages = (workflow: { readonly name: string }) =>
  Effect.map(
    Metrics,
    (metrics) =>
      <A, I, R>(name: string, success: Schema.Schema<A, I>, execute: Effect.Effect<A, StageFailed | Unavailable, R>) =>
        Activity.make({
          name,
          success,
          error: StageFailed,
          execute: Effect.suspend(() => {
            const end = metrics.stages.startTimer({ kind: workflow.name, stage: name.split(" ")[0] ?? name })
            return Effect.ensuring(settled(execute), Effect.sync(end))
          })
        })
  )
