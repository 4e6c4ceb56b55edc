import { Activity } from "@effect/workflow"
import { Effect, Schedule, Schema } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { ExampleWorkflow } from "../domain/example/ExampleWorkflow.ts"
import { Classified, ExampleRuns, Written } from "../example/ExampleRuns.ts"
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
  detail: "the service failed; its log says how. Retry the example"
})

/** What lasts is waited for, what is a fault of ours fails the example: a workflow never ends without a word. */
const settled = <A, R>(effect: Effect.Effect<A, StageFailed | Unavailable, R>): Effect.Effect<A, StageFailed, R> =>
  effect.pipe(
    Effect.catchAllDefect(
      (defect): Effect.Effect<never, StageFailed | Unavailable> =>
        isConnectionFailure(defect)
          ? Effect.fail(away)
          : Effect.zipRight(Effect.logError("a stage of an example failed", defect), faulty)
    ),
    Effect.retry({ schedule: patience, while: ({ _tag }) => _tag === "Unavailable" }),
    Effect.catchTag(
      "Unavailable",
      ({ detail }) => new StageFailed({ code: "unavailable", detail: `${detail}: retry the example later` })
    )
  )

/** Carries out {@link ExampleWorkflow}; a killed one goes on at the stage it was in. */
export const layer = ExampleWorkflow.toLayer((run) =>
  Effect.gen(function* () {
    const runs = yield* ExampleRuns
    const stage = <A, I, R>(
      name: string,
      success: Schema.Schema<A, I>,
      execute: Effect.Effect<A, StageFailed | Unavailable, R>
    ) => Activity.make({ name, success, error: StageFailed, execute: settled(execute) })

    const made = Effect.gen(function* () {
      if (!(yield* stage("load", Schema.Boolean, runs.load(run)))) return
      const classified = yield* stage("classify", Classified, runs.classify(run))
      const written = yield* stage("write", Written, runs.write(run, classified))
      yield* stage("record", Schema.Void, runs.record(run, written))
    })
    yield* Effect.catchTag(made, "StageFailed", (failure) =>
      Effect.ignore(stage("fail", Schema.Boolean, runs.fail(run, failure)))
    )
  })
)
