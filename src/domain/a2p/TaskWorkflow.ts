import { Workflow } from "@effect/workflow"
import { A2pTaskId } from "../Ids.ts"

/** Carries out a task that takes longer than a request should. How it goes stands on the task's row. */
export const TaskWorkflow = Workflow.make({
  name: "Task",
  payload: { task_id: A2pTaskId },
  idempotencyKey: ({ task_id }) => task_id
})
