import { Activity } from "@effect/workflow"
import { Cause, Effect, Schedule, Schema } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { ValidationWorkflow } from "../domain/session/ValidationWorkflow.ts"
import { isPassingFailure } from "../platform/SqlFailure.ts"
import { Validation } from "../session/Validation.ts"
import { insisting } from "./Insisting.ts"

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
        isPassingFailure(defect)
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
    // A fault may be of this moment: what was uploaded is given up only when it stays.
    const patient = validation.run(session_id).pipe(
      Effect.tapDefect((cause) => Effect.logWarning("a validation failed; it is tried again", cause)),
      Effect.sandbox,
      Effect.retry({ times: 2, schedule: Schedule.exponential("2 seconds"), while: Cause.isDie }),
      Effect.unsandbox
    )
    yield* Effect.catchTag(activity("validate", patient), "ValidationFailed", ({ detail }) =>
      Effect.ignore(activity("give-up", insisting(validation.giveUp(session_id, detail))))
    )
  })
)
