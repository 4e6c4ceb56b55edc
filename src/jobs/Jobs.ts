import { Layer } from "effect"
import { BatchRuns } from "../example/BatchRuns.ts"
import { ExampleRuns } from "../example/ExampleRuns.ts"
import * as BatchJob from "./BatchJob.ts"
import * as ExampleJob from "./ExampleJob.ts"

/** Everything that runs beyond a request. */
export const layer = Layer.merge(
  Layer.provide(ExampleJob.layer, ExampleRuns.Default),
  Layer.provide(BatchJob.layer, BatchRuns.Default)
)
