import { Either, ParseResult, Schema } from "effect"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** What of an example's `model_configuration` a language model is called with; anything else in it is kept, not sent. */
export const LlmSettings = Schema.Struct({
  /** 0 where it is absent; null: the model's own. */
  temperature: optional(Schema.NullOr(Schema.Number.pipe(Schema.between(0, 2)))),
  top_p: optional(Schema.Number.pipe(Schema.between(0, 1))),
  /** The most tokens of one answer. */
  max_tokens: optional(Schema.Int.pipe(Schema.between(1, 1_000_000))),
  seed: optional(Schema.Int),
  reasoning_effort: optional(Schema.Literal("none", "minimal", "low", "medium", "high")),
  /** For servers of `/chat/completions` that know no `json_schema`: the schema is then told in words. */
  response_format: optional(Schema.Literal("json_schema", "json_object", "text"))
})
export type LlmSettings = typeof LlmSettings.Type

const decode = Schema.decodeUnknownEither(LlmSettings)

/** The settings, or which one is wrong and how. */
export const settingsOf = (
  configuration: Readonly<Record<string, unknown>>
): Either.Either<LlmSettings, { readonly path: string; readonly message: string }> =>
  Either.mapLeft(decode(configuration), (error) => {
    const [issue] = ParseResult.ArrayFormatter.formatErrorSync(error)
    return { path: issue?.path.join(".") ?? "", message: issue?.message ?? error.message }
  })

/** Models that reason refuse a temperature. */
const reasons = /^(o\d|gpt-5)/

/** The temperature to send, if any: 0 unless another one is asked for. */
export const temperatureOf = (name: string, { temperature, reasoning_effort }: LlmSettings): number | undefined => {
  if (temperature === null) return undefined
  if (temperature !== undefined) return temperature
  return reasons.test(name) || reasoning_effort !== undefined ? undefined : 0
}

/** Leaves out what is undefined. */
export const given = <A extends Readonly<Record<string, unknown>>>(members: A) =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as {
    readonly [Key in keyof A]?: Exclude<A[Key], undefined>
  }
