import { Schema } from "effect"
import { Issue, NotFound } from "../Errors.ts"
import { A2pTaskId, AgentId, JobId, OrganizationId, UserId } from "../Ids.ts"
import { TimestampText } from "../Json.ts"
import { Principal } from "../Principal.ts"
import { problem } from "../Problem.ts"

/** The states that a task passes through here, under the names that A2A 1.0 gives them. */
export const TaskState = Schema.Literal(
  "TASK_STATE_SUBMITTED",
  "TASK_STATE_WORKING",
  "TASK_STATE_INPUT_REQUIRED",
  "TASK_STATE_AUTH_REQUIRED",
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_CANCELED",
  "TASK_STATE_REJECTED"
)
export type TaskState = typeof TaskState.Type

const terminal = new Set<string>([
  "TASK_STATE_COMPLETED",
  "TASK_STATE_FAILED",
  "TASK_STATE_CANCELED",
  "TASK_STATE_REJECTED"
])

/** What is in such a state changes no more. */
export const isTerminal = (state: string): boolean => terminal.has(state)

const Json = Schema.Record({ key: Schema.String, value: Schema.Unknown })

/** One request of an agent or a person, and how it goes. Messages, artifacts and events are in A2A's JSON form. */
export const Task = Schema.Struct({
  id: A2pTaskId,
  org_id: OrganizationId,
  user_id: Schema.NullOr(UserId),
  agent_id: Schema.NullOr(AgentId),
  context_id: Schema.String,
  /** Null: what was sent names none. */
  skill: Schema.NullOr(Schema.String),
  input: Schema.NullOr(Json),
  /** On whose behalf it runs, as they were when they asked for it. */
  principal: Principal,
  request_id: Schema.String,
  state: TaskState,
  status_message: Schema.NullOr(Json),
  status_at: TimestampText,
  history: Schema.Array(Json),
  artifacts: Schema.Array(Json),
  /** The job that does its work, and is cancelled with it. */
  job_id: Schema.NullOr(JobId),
  /** A process runs it now, which answers or has answered the request for it; false: a durable job, or nothing. */
  is_here: Schema.Boolean,
  /** Of its newest event. */
  last_seq: Schema.Int
})
export type Task = typeof Task.Type

/** One thing that happened to a task; `seq` counts from 1, without gaps. */
export const TaskEvent = Schema.Struct({ seq: Schema.Int, event: Json })
export type TaskEvent = typeof TaskEvent.Type

/** Said of a task that is not there, and of one that is not the caller's: nobody can tell which. */
export const taskNotFound = (id: string) => new NotFound({ detail: `there is no task ${id}` })

/** The message cannot be understood: no task was made of it. */
export class MessageMalformed extends Schema.TaggedError<MessageMalformed>("MessageMalformed")(
  "MessageMalformed",
  { detail: Schema.String, errors: Schema.Array(Issue) },
  problem(400, "bad_request", "The message cannot be understood")
) {
  override get message() {
    return this.detail
  }
}

/** The task has ended, or does not wait for a message. */
export class TaskClosed extends Schema.TaggedError<TaskClosed>("TaskClosed")(
  "TaskClosed",
  { id: A2pTaskId, state: TaskState, needed: Schema.String },
  problem(409, "conflict", "The task is in another state")
) {
  override get message() {
    return `the task ${this.id} is in ${this.state}: ${this.needed}`
  }
}

/** The task has ended: there is nothing left to cancel. */
export class TaskEnded extends Schema.TaggedError<TaskEnded>("TaskEnded")(
  "TaskEnded",
  { id: A2pTaskId, state: TaskState },
  problem(409, "conflict", "The task has ended")
) {
  override get message() {
    return `the task ${this.id} has ended in ${this.state}: it cannot be canceled`
  }
}
