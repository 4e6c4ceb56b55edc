import { DurableClock } from "@effect/workflow"
import { Effect, Schema } from "effect"
import { ExampleBatchWorkflow } from "../domain/example/ExampleBatchWorkflow.ts"
import { Advanced, BatchRuns } from "../example/BatchRuns.ts"
import { insisting } from "./Insisting.ts"
import { stages } from "./Stages.ts"

/** With so many of its examples under way, a job waits before it begins more. */
const MAX_OPEN = 500

/** Carries out {@link ExampleBatchWorkflow}; a killed one goes on at the session it was at. */
export const layer = ExampleBatchWorkflow.toLayer((run) =>
  Effect.gen(function* () {
    const runs = yield* BatchRuns
    const stage = yield* stages(ExampleBatchWorkflow)

    const made = Effect.gen(function* () {
      for (let turn = 0; ; turn++) {
        const { more, open } = yield* stage(`advance ${turn}`, Advanced, runs.advance(run))
        if (!more) break
        for (let look = 0, left = open; left > MAX_OPEN; look++) {
          yield* DurableClock.sleep({ name: `wait ${turn}.${look}`, duration: "2 seconds" })
          left = yield* stage(`look ${turn}.${look}`, Schema.Int, runs.open(run))
        }
      }
      yield* stage("finish", Schema.Void, runs.finish(run))
    })
    yield* Effect.catchTag(made, "StageFailed", (failure) =>
      Effect.ignore(stage("fail", Schema.Void, insisting(runs.fail(run, failure))))
    )
  })
)
