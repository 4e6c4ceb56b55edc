import { ShardGroup } from "@effect/cluster/ClusterSchema"
import { Workflow } from "@effect/workflow"
import { Schema } from "effect"
import { ExampleId } from "../Ids.ts"

/** Which attempt at which example; a retry is another one. */
export const ExampleRun = Schema.Struct({ example_id: ExampleId, attempt: Schema.Int })
export type ExampleRun = typeof ExampleRun.Type

/**
 * Makes an example out of its session: load, normalise and classify, synthesise and write, record.
 * Each attempt runs once, however often it is asked for. How it goes stands on the example's row.
 */
export const ExampleWorkflow = Workflow.make({
  name: "Example",
  payload: ExampleRun.fields,
  idempotencyKey: ({ example_id, attempt }) => `${example_id}/${attempt}`
}).annotate(ShardGroup, () => "examples")
