import { Layer } from "effect"
import { ExampleRuns } from "../example/ExampleRuns.ts"
import { Validation } from "../session/Validation.ts"
import * as ExampleJob from "./ExampleJob.ts"
import * as ValidationJob from "./ValidationJob.ts"

/** Everything that runs beyond a request. */
export const layer = Layer.merge(
  ExampleJob.layer.pipe(Layer.provide(ExampleRuns.Default)),
  ValidationJob.layer.pipe(Layer.provide(Validation.Default))
)
