import { Layer } from "effect"
import { ExampleRuns } from "../example/ExampleRuns.ts"
import { Collector } from "../session/Collector.ts"
import { Validation } from "../session/Validation.ts"
import * as CollectorJob from "./CollectorJob.ts"
import * as ExampleJob from "./ExampleJob.ts"
import * as ValidationJob from "./ValidationJob.ts"

/** Everything that runs beyond a request. */
export const layer = Layer.mergeAll(
  ExampleJob.layer.pipe(Layer.provide(ExampleRuns.Default)),
  ValidationJob.layer.pipe(Layer.provide(Validation.Default)),
  CollectorJob.layer.pipe(Layer.provide(Collector.Default))
)
