import { Effect, Schema } from "effect"
import { CreateExampleBatch } from "../../domain/example/ExampleBatch.ts"
import { ExampleId, JobId } from "../../domain/Ids.ts"
import { Skipped } from "../../domain/job/Job.ts"
import { Batches } from "../../example/Batches.ts"
import { Examples } from "../../example/Examples.ts"
import { declare, type Later, type Outcome } from "../Skill.ts"
import { textPart } from "../Wire.ts"

/** The most examples that an answer names. */
const maxNamed = 100

const Output = Schema.Struct({
  job_id: JobId,
  completed: Schema.Int,
  failed: Schema.Int,
  cancelled: Schema.Int,
  example_ids: Schema.Array(ExampleId).annotations({ description: `The newest ${maxNamed}, whatever became of them` }),
  skipped: Schema.Array(Skipped)
})

const { card, implement } = declare({
  id: "create_examples",
  name: "Create examples",
  description: "Makes training examples of recorded sessions; the task ends when all of them are finished.",
  tags: ["examples", "training", "sessions"],
  examples: [
    '{"skill":"create_examples","input":{"session_ids":["01980000-0000-7000-8000-0000000000aa"],"model_id":"01980000-0000-7000-8000-000000000001"}}'
  ],
  scopes: ["examples:read", "examples:write"],
  input: CreateExampleBatch,
  output: Output
})

export { card }

/** The key is the task's own: begun again after a crash, it is the same job. */
const keyOf = (id: string) => `a2p-${id}`

/** A job as many others make it: its own durable workflow does the work, and it is looked at until it has ended. */
export const createExamples = Effect.gen(function* () {
  const batches = yield* Batches
  const examples = yield* Examples
  return implement({
    isLong: () => true,
    cancel: ({ id, job_id }) =>
      Effect.gen(function* () {
        const begun = job_id ?? (yield* batches.begunWith(keyOf(id)))
        if (begun !== undefined) yield* batches.cancel(begun)
      }).pipe(Effect.catchTag("JobState", () => Effect.void)),
    run: (payload, { id, job_id }) =>
      Effect.gen(function* () {
        const job = job_id === null ? yield* batches.create(payload, keyOf(id)) : yield* batches.get(job_id)
        const { total, done, examples: made } = job.progress
        switch (job.status) {
          case "PENDING":
          case "RUNNING": {
            const progress = `${done} of ${total} sessions gone through, ${made.completed} examples made`
            return { _tag: "Later", job_id: job.id, progress } satisfies Later
          }
          case "FAILED":
            return {
              _tag: "Outcome",
              state: "TASK_STATE_FAILED",
              parts: [textPart(job.error_message ?? "the job failed")]
            } satisfies Outcome
          case "CANCELLED":
            return {
              _tag: "Outcome",
              state: "TASK_STATE_CANCELED",
              parts: [textPart("the job was cancelled")]
            } satisfies Outcome
          case "COMPLETED": {
            const { items } = yield* examples.list({ job_id: job.id, limit: maxNamed })
            const { completed, failed, cancelled } = made
            const example_ids = items.map((example) => ExampleId.make(example.id))
            return { job_id: job.id, completed, failed, cancelled, example_ids, skipped: job.skipped }
          }
        }
      })
  })
})
