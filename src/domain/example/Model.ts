import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { ModelId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

export const Provider = Schema.Literal("OPENAI", "ANTHROPIC", "GOOGLE", "AZURE", "CUSTOM", "BUILTIN").annotations({
  identifier: "Provider"
})

/** The model that ships with the product, needs no provider and costs nothing: `BUILTIN/lexical`. */
export const lexicalModelId = ModelId.make("01980000-0000-7000-8000-000000000001")

const fields = {
  provider: Schema.Literal("OPENAI", "ANTHROPIC", "GOOGLE", "AZURE", "CUSTOM"),
  name: Text(1, 200),
  base_url: Schema.NullOr(
    Text(1, 2000).pipe(
      Schema.filter((text) => /^https?:\/\//i.test(text) && URL.canParse(text), {
        message: () => "must be an http or https URL",
        jsonSchema: { format: "uri", pattern: "^[Hh][Tt][Tt][Pp][Ss]?://" },
        arbitrary: () => (fc) => fc.webUrl()
      }),
      Schema.filter((text) => new URL(text).username === "" && new URL(text).password === "", {
        message: () => "must hold no user information: keys are kept apart",
        arbitrary: () => (fc) => fc.webUrl()
      })
    )
  ),
  price: Schema.NullOr(Schema.Number.pipe(Schema.between(0, 1_000_000))).annotations({
    description: "Per million tokens; null: not known"
  }),
  context_window: Schema.NullOr(Schema.Int.pipe(Schema.between(1, 2_000_000_000)))
}

/** A provider and a model name, with what it costs per million tokens. */
export class Model extends Schema.Class<Model>("Model")({
  id: ModelId,
  provider: Provider,
  name: Schema.String,
  base_url: Schema.NullOr(Schema.String),
  input_price: Schema.NullOr(Schema.Number),
  output_price: Schema.NullOr(Schema.Number),
  context_window: Schema.NullOr(Schema.Int),
  /** True for the models that ship with the product: every organization sees them, none changes them. */
  shipped: Schema.Boolean,
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

export class CreateModel extends Schema.Class<CreateModel>("CreateModel")(
  {
    provider: fields.provider,
    name: fields.name,
    base_url: Schema.optionalWith(fields.base_url, { default: () => null }),
    input_price: Schema.optionalWith(fields.price, { default: () => null }),
    output_price: Schema.optionalWith(fields.price, { default: () => null }),
    context_window: Schema.optionalWith(fields.context_window, { default: () => null })
  },
  [undefined, { identifier: "CreateModel" }]
) {}

export class UpdateModel extends Schema.Class<UpdateModel>("UpdateModel")({
  name: Schema.optionalWith(fields.name, { exact: true }),
  base_url: Schema.optionalWith(fields.base_url, { exact: true }),
  input_price: Schema.optionalWith(fields.price, { exact: true }),
  output_price: Schema.optionalWith(fields.price, { exact: true }),
  context_window: Schema.optionalWith(fields.context_window, { exact: true })
}) {}

export const modelNotFound = (id: ModelId) => new NotFound({ detail: `there is no model ${id}` })

/** An organization has a provider's model once. */
export class ModelNameTaken extends Schema.TaggedError<ModelNameTaken>("ModelNameTaken")(
  "ModelNameTaken",
  { provider: Provider, name: Schema.String },
  problem(409, "conflict", "This model exists")
) {
  override get message() {
    return `there is a model ${this.provider}/${this.name} already`
  }
}

/** Models that ship with the product are the same for everybody. */
export class ModelShipped extends Schema.TaggedError<ModelShipped>("ModelShipped")(
  "ModelShipped",
  { id: ModelId },
  problem(409, "conflict", "The model ships with the product")
) {
  override get message() {
    return `the model ${this.id} ships with the product and cannot be changed or deleted`
  }
}
