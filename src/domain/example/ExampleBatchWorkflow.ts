import { ShardGroup } from "@effect/cluster/ClusterSchema"
import { Workflow } from "@effect/workflow"
import { Schema } from "effect"
import { JobId } from "../Ids.ts"

/** Which attempt at which job. */
export const BatchRun = Schema.Struct({ job_id: JobId, attempt: Schema.Int })
export type BatchRun = typeof BatchRun.Type

/**
 * Goes through the sessions of a job and begins the examples of each. How it goes stands on the job's
 * row; the examples run by themselves.
 */
export const ExampleBatchWorkflow = Workflow.make({
  name: "ExampleBatch",
  payload: BatchRun.fields,
  idempotencyKey: ({ job_id, attempt }) => `${job_id}/${attempt}`
}).annotate(ShardGroup, () => "examples")
