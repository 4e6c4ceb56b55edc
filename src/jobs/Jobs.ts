import { Layer } from "effect"
import { TaskRuns } from "../a2p/TaskRuns.ts"
import { BatchRuns } from "../example/BatchRuns.ts"
import { ExampleRuns } from "../example/ExampleRuns.ts"
import { ClusterHistory } from "../platform/ClusterHistory.ts"
import { Collector } from "../session/Collector.ts"
import { Validation } from "../session/Validation.ts"
import { Logs } from "../telemetry/Logs.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import * as BatchJob from "./BatchJob.ts"
import * as CollectorJob from "./CollectorJob.ts"
import * as ExampleJob from "./ExampleJob.ts"
import * as HistoryCron from "./HistoryCron.ts"
import * as LogPartitionsCron from "./LogPartitionsCron.ts"
import * as TaskJob from "./TaskJob.ts"
import * as ValidationJob from "./ValidationJob.ts"

/** Everything that runs beyond a request. */
export const layer = Layer.mergeAll(
  ExampleJob.layer,
  BatchJob.layer,
  ValidationJob.layer,
  TaskJob.layer,
  CollectorJob.layer,
  HistoryCron.layer,
  LogPartitionsCron.layer
).pipe(
  Layer.provide(
    Layer.mergeAll(
      ExampleRuns.Default,
      BatchRuns.Default,
      Validation.Default,
      Collector.Default,
      ClusterHistory.Default,
      TaskRuns.Default,
      Metrics.Default,
      Logs.Default
    )
  )
)
