import { Layer } from "effect"
import { ExampleRuns } from "../example/ExampleRuns.ts"
import * as ExampleJob from "./ExampleJob.ts"

/** Everything that runs beyond a request. */
export const layer = ExampleJob.layer.pipe(Layer.provide(ExampleRuns.Default))
