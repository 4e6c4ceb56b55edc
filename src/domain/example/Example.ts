import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { ActionToolMapId, ExampleId, ModelId, SessionId, SuiteId } from "../Ids.ts"
import { JsonObject, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"
import { Message } from "./Message.ts"

export const ExampleStatus = Schema.Literal("PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED").annotations({
  identifier: "ExampleStatus"
})
export type ExampleStatus = typeof ExampleStatus.Type

export const ExampleStage = Schema.Literal("load", "classify", "write", "record").annotations({
  identifier: "ExampleStage"
})
export type ExampleStage = typeof ExampleStage.Type

export const ExportFormat = Schema.Literal("openai", "sharegpt", "messages").annotations({ identifier: "ExportFormat" })
export type ExportFormat = typeof ExportFormat.Type

const Seq = Schema.Int.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER))

/** A part of a session's timeline, both ends inclusive. */
export const SeqRange = Schema.Struct({ from_seq: Seq, to_seq: Seq })
  .pipe(
    Schema.filter(({ from_seq, to_seq }) => from_seq <= to_seq, {
      message: () => "from_seq must not be above to_seq",
      arbitrary: () => (fc) => fc.nat(1000).map((from_seq) => ({ from_seq, to_seq: from_seq + 10 }))
    })
  )
  .annotations({ identifier: "SeqRange", description: "Timeline events, both ends inclusive" })
export type SeqRange = typeof SeqRange.Type

const Configuration = JsonObject(16 * 1024).annotations({
  identifier: "ModelConfiguration",
  description: "What the model is run with: any JSON object up to 16 KiB"
})

/** One training example, made out of a session by a model through an action–tool map. */
export class Example extends Schema.Class<Example>("Example")({
  id: ExampleId,
  session_id: SessionId,
  suite_id: SuiteId,
  /** Null when the model was deleted; its name stays in `model`. */
  model_id: Schema.NullOr(ModelId),
  /** `PROVIDER/name`. */
  model: Schema.String,
  action_tool_map_id: Schema.NullOr(ActionToolMapId),
  /** The version of the map that the messages were made with. */
  map_version: Schema.NullOr(Schema.Int),
  model_configuration: Configuration,
  range: Schema.NullOr(SeqRange),
  status: ExampleStatus,
  /** What is being done, or was when it ended. */
  stage: Schema.NullOr(ExampleStage),
  /** 0 to 1. */
  confidence: Schema.NullOr(Schema.Number),
  /** True when somebody should look: the confidence is low, or an action had no tool. */
  needs_review: Schema.Boolean,
  review: Schema.NullOr(Schema.Literal("accepted", "rejected")),
  message_count: Schema.NullOr(Schema.Int),
  tokens_in: Schema.NullOr(Schema.Int),
  tokens_out: Schema.NullOr(Schema.Int),
  cost: Schema.NullOr(Schema.Number),
  error_code: Schema.NullOr(Schema.String),
  /** Says what to do. */
  error_message: Schema.NullOr(Schema.String),
  attempts: Schema.Int,
  started_at: Schema.NullOr(TimestampText),
  completed_at: Schema.NullOr(TimestampText),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

export class CreateExample extends Schema.Class<CreateExample>("CreateExample")(
  {
    session_id: SessionId,
    model_id: ModelId,
    action_tool_map_id: Schema.optionalWith(ActionToolMapId, { exact: true }).annotations({
      description: "Without it, the only map of the session's suite"
    }),
    model_configuration: Schema.optionalWith(Configuration, { default: () => ({}) }),
    range: Schema.optionalWith(Schema.NullOr(SeqRange), { default: () => null })
  },
  [undefined, { identifier: "CreateExample" }]
) {}

/** `messages` replace those that were made; they can be given when accepting only. */
export class ReviewExample extends Schema.Class<ReviewExample>("ReviewExample")({
  decision: Schema.Literal("accept", "reject"),
  messages: Schema.optionalWith(Schema.Array(Message).pipe(Schema.minItems(1), Schema.maxItems(10_000)), {
    exact: true
  })
}) {}

export const exampleNotFound = (id: ExampleId) => new NotFound({ detail: `there is no example ${id}` })

/** What is asked for does not go with the state that the example is in. */
export class ExampleState extends Schema.TaggedError<ExampleState>("ExampleState")(
  "ExampleState",
  { id: ExampleId, example_status: ExampleStatus, needed: Schema.String },
  problem(409, "conflict", "The example is in another state")
) {
  override get message() {
    return `the example ${this.id} is ${this.example_status}: ${this.needed}`
  }
}
