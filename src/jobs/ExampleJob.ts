import { Effect, Schema } from "effect"
import { ExampleWorkflow } from "../domain/example/ExampleWorkflow.ts"
import { Classified, ExampleRuns, Written } from "../example/ExampleRuns.ts"
import { insisting } from "./Insisting.ts"
import { stages } from "./Stages.ts"

/** Carries out {@link ExampleWorkflow}; a killed one goes on at the stage it was in. */
export const layer = ExampleWorkflow.toLayer((run) =>
  Effect.gen(function* () {
    const runs = yield* ExampleRuns
    const stage = yield* stages(ExampleWorkflow)

    const made = Effect.gen(function* () {
      if (!(yield* stage("load", Schema.Boolean, runs.load(run)))) return
      const classified = yield* stage("classify", Classified, runs.classify(run))
      const written = yield* stage("write", Written, runs.write(run, classified))
      yield* stage("record", Schema.Void, runs.record(run, written))
    })
    yield* Effect.catchTag(made, "StageFailed", (failure) =>
      Effect.ignore(stage("fail", Schema.Void, insisting(runs.fail(run, failure))))
    )
  })
)
