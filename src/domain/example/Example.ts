import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { ActionToolMapId, ExampleId, JobId, ModelId, SessionId, SuiteId } from "../Ids.ts"
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

export const ExportFormat = Schema.Literal("openai", "sharegpt", "messages", "manifest").annotations({
  identifier: "ExportFormat"
})
export type ExportFormat = typeof ExportFormat.Type

const splitForm = /^(train|test):(0(?:\.\d{1,6})?|1(?:\.0{1,6})?),([\w.:-]{1,100})$/

/** One of two parts that an export falls into: which one, how much is `train`, and what the lot is drawn with. */
export const ExportSplit = Schema.transform(
  Schema.String.pipe(
    Schema.filter((text) => splitForm.test(text), {
      message: () => "must be like train:0.9,seed or test:0.9,seed",
      jsonSchema: { pattern: splitForm.source, example: "train:0.9,seed" },
      arbitrary: () => (fc) => fc.constantFrom("train:0.9,seed", "test:0.9,seed", "train:0,1", "test:1.0,a")
    })
  ),
  Schema.Struct({ part: Schema.Literal("train", "test"), train: Schema.Number, seed: Schema.String }),
  {
    strict: true,
    decode: (text) => {
      const [, part, train, seed = ""] = splitForm.exec(text) ?? []
      return { part: part === "test" ? ("test" as const) : ("train" as const), train: Number(train), seed }
    },
    encode: ({ part, train, seed }) => `${part}:${train},${seed}`
  }
)
export type ExportSplit = typeof ExportSplit.Type

const Seq = Schema.Int.pipe(Schema.between(0, Number.MAX_SAFE_INTEGER))

/** A part of a session's timeline, both ends inclusive. */
export const SeqRange = Schema.Struct({
  from_seq: Seq.annotations({ description: "`seq` of the first event" }),
  to_seq: Seq.annotations({ description: "`seq` of the last event" })
})
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
  description:
    "What the model is run with: any JSON object up to 16 KiB. A language model is given its temperature (0; null: its own), top_p, max_tokens, seed, reasoning_effort and response_format"
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
  /** How many secrets were taken out of what was read for it, by kind; none of them is kept. */
  redactions: Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.Int })),
  /** With the next two: what models used for it, in all attempts, also for answers that could not be used. */
  tokens_in: Schema.NullOr(Schema.Int),
  tokens_out: Schema.NullOr(Schema.Int),
  /** By the model's prices at the time; null where it has none. */
  cost: Schema.NullOr(Schema.Number),
  error_code: Schema.NullOr(Schema.String),
  /** Says what to do. */
  error_message: Schema.NullOr(Schema.String),
  /** The same for all examples that say the same: a SHA-256 in hex. */
  content_hash: Schema.NullOr(Schema.String),
  /** The first of the examples that say the same, when it is another one. */
  duplicate_of: Schema.NullOr(ExampleId),
  attempts: Schema.Int,
  /** The job that made it, where one did. */
  job_id: Schema.NullOr(JobId),
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
