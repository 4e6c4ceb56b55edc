import { Workflow } from "@effect/workflow"
import { A2pTaskId } from "../Ids.ts"

/** Which task is to be carried out. */
export interface TaskRun {
  readonly task_id: A2pTaskId
}

/** Carries out a task that takes longer than a request should. How it goes stands on the task's row. */
export const TaskWorkflow = Workflow.make({
  name: "Task",
  payload: { task_id: A2pTaskId },
  idempotencyKey: ({ task_id }) => task_id
})
