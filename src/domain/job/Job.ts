import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { JobId, SessionId } from "../Ids.ts"
import { TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

export const JobKind = Schema.Literal("examples.batch").annotations({ identifier: "JobKind" })

export const JobStatus = Schema.Literal("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED").annotations({
  identifier: "JobStatus",
  description: "RUNNING until everything that the job made is finished, too"
})

/** How far a job is. */
export const JobProgress = Schema.Struct({
  /** Sessions that it goes through. */
  total: Schema.Int,
  done: Schema.Int,
  /** Sessions that nothing could be made of. */
  skipped: Schema.Int,
  /** What it made, by what became of it. */
  examples: Schema.Struct({
    open: Schema.Int,
    completed: Schema.Int,
    failed: Schema.Int,
    cancelled: Schema.Int
  })
}).annotations({ identifier: "JobProgress" })

/** A session that a job could make nothing of, and why. */
export const Skipped = Schema.Struct({
  session_id: SessionId,
  code: Schema.String,
  detail: Schema.String
}).annotations({ identifier: "Skipped" })
export type Skipped = typeof Skipped.Type

/** Work that goes on after the request that asked for it. */
export class Job extends Schema.Class<Job>("Job")({
  id: JobId,
  kind: JobKind,
  status: JobStatus,
  progress: JobProgress,
  /** The first hundred. */
  skipped: Schema.Array(Skipped),
  attempts: Schema.Int,
  error_code: Schema.NullOr(Schema.String),
  /** Says what to do. */
  error_message: Schema.NullOr(Schema.String),
  started_at: Schema.NullOr(TimestampText),
  completed_at: Schema.NullOr(TimestampText),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

export const jobNotFound = (id: JobId) => new NotFound({ detail: `there is no job ${id}` })

/** What is asked for does not go with the state that the job is in. */
export class JobState extends Schema.TaggedError<JobState>("JobState")(
  "JobState",
  { id: JobId, job_status: JobStatus, needed: Schema.String },
  problem(409, "conflict", "The job is in another state")
) {
  override get message() {
    return `the job ${this.id} is ${this.job_status}: ${this.needed}`
  }
}
