import { Activity } from "@effect/workflow"
import { Effect, Schedule, Schema } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { ValidationWorkflow } from "../domain/session/ValidationWorkflow.ts"
import { isConnectionFailure } from "../platform/SqlFailure.ts"
import { Validation } from "../session/Validation.ts"

/** How long a validation waits for a database or a store that is away. */
const patience = Schedule.exponential("250 millis").pipe(
  Schedule.union(Schedule.spaced("10 seconds")),
  Schedule.upTo("6 hours")
)

const away = new Unavailable({ detail: "the database does not answer", retry_after_s: 5 })

class ValidationFailed extends Schema.TaggedError<ValidationFailed>("jobs/ValidationFailed")("ValidationFailed", {
  detail: Schema.String
}) {}

const faulty = new ValidationFailed({
  detail: "the service failed while it read the recording; its log says how. Upload it again"
})

const settled = <R>(effect: Effect.Effect<void, Unavailable, R>): Effect.Effect<void, ValidationFailed, R> =>
  effect.pipe(
    Effect.catchAllDefect(
      (defect): Effect.Effect<never, ValidationFailed | Unavailable> =>
        isConnectionFailure(defect)
          ? Effect.fail(away)
          : Effect.zipRight(Effect.logError("a validation failed", defect), faulty)
    ),
    Effect.retry({ schedule: patience, while: ({ _tag }) => _tag === "Unavailable" }),
    Effect.catchTag("Unavailable", ({ detail }) => new ValidationFailed({ detail: `${detail}: upload it again` }))
  )

/** Carries out {@link ValidationWorkflow}; a killed one begins again. */
export const layer = ValidationWorkflow.toLayer(({ session_id }) =>
  Effect.gen(function* () {
    const validation = yield* Validation
    const activity = (name: string, execute: Effect.Effect<void, Unavailable>) =>
      Activity.make({ name, success: Schema.Void, error: ValidationFailed, execute: settled(execute) })
    yield* Effect.catchTag(activity("validate", validation.run(session_id)), "ValidationFailed", ({ detail }) =>
      Effect.ignore(activity("give-up", validation.giveUp(session_id, detail)))
    )
  })
)
