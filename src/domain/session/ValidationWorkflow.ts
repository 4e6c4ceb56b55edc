import { Workflow } from "@effect/workflow"
import { SessionId } from "../Ids.ts"

/**
 * Reads the uploads of a session back through the checks of every upload, and makes it READY or
 * REJECTED. Runs once for each session; how it went stands on the session's row.
 */
export const ValidationWorkflow = Workflow.make({
  name: "Validation",
  payload: { session_id: SessionId },
  idempotencyKey: ({ session_id }) => session_id
})
