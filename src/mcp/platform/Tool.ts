import { Effect, Either, ParseResult, Schema } from "effect"
import { Issue, ValidationError } from "../../domain/Errors.ts"
import { issuesOf, issuesText } from "../../domain/Issues.ts"
import { pageFields } from "../../domain/Page.ts"
import type { CurrentPrincipal } from "../../domain/Principal.ts"
import type { Json, Progress, ResourceLink, TextContent, ToolAnswer, ToolDescription } from "../Surface.ts"
import { closed, fieldsAt, type ObjectSchema, objectSchema, wanted } from "./SchemaText.ts"

/** What the model can do about a failure, by the failure's tag. */
export type NextSteps = Readonly<Record<string, string>>

/** A tool that is ready to be called. What it fails with is an error of the contract, or a fault of ours. */
export interface PlatformTool {
  readonly description: ToolDescription
  readonly next: NextSteps
  readonly call: (input: unknown, progress: Progress) => Effect.Effect<ToolAnswer, unknown, CurrentPrincipal>
}

/** What a tool answers with: its schema, and the way to its encoded form. */
interface Output<A> {
  readonly schema: ObjectSchema
  /** Throws where the value is not of the schema, which is a fault of ours. */
  readonly toJson: (value: A) => Json
}

const asJson = (value: object): Json => Object.fromEntries(Object.entries(value))

export const output = <A, I extends object>(schema: Schema.Schema<A, I>): Output<A> => {
  const encode = Schema.encodeSync(schema)
  return { schema: objectSchema(schema), toJson: (value) => asJson(encode(value)) }
}

/** The same for values that are in their encoded form already, as pages of rows are. */
export const written = <A, I extends object>(schema: Schema.Schema<A, I>): Output<I> => ({
  schema: objectSchema(schema),
  toJson: asJson
})

/** Of tools that change nothing. */
export const reads: ToolDescription["annotations"] = {
  readOnlyHint: true,
  destructiveHint: false,
  idempotentHint: true,
  openWorldHint: false
}

/** The page of a list that is wanted, as the API's, with a number that is a number. */
export const paging = {
  limit: Schema.optionalWith(Schema.Int.pipe(Schema.between(1, 100)), { default: () => 20 }).annotations({
    description: "How many items to answer",
    default: 20
  }),
  cursor: pageFields.cursor
}

/** How much of something long is wanted at once. */
export const windowing = {
  max_chars: Schema.optionalWith(Schema.Int.pipe(Schema.between(2000, 100_000)), {
    default: () => 20_000
  }).annotations({
    description: "About how many characters of JSON to answer at most: four are about one token",
    default: 20_000
  })
}

/** Says of each field what is wrong with it, and what is expected there. */
const refusal = (name: string, schema: ObjectSchema) => (error: ParseResult.ParseError) => {
  const errors = issuesOf(ParseResult.ArrayFormatter.formatErrorSync(error), "the input").map(({ path, message }) => {
    const steps = path.split(".")
    if (message.startsWith("is unexpected")) {
      const around = steps.slice(0, -1)
      const known = fieldsAt(schema, around).join(", ") || "nothing"
      return new Issue({ path, message: `is not known; ${around.join(".") || name} takes ${known}` })
    }
    const expected = path === "" || message.startsWith("must be") ? undefined : wanted(schema, steps)
    return expected === undefined
      ? new Issue({ path, message })
      : new Issue({ path, message: `${message} (expected: ${expected})` })
  })
  return new ValidationError({ detail: issuesText(errors), errors })
}

/**
 * A tool out of the schemas of what goes in and out, and what it does with the one to give the other.
 * Input that does not fit fails with every field that is wrong.
 * @param also what is said besides the output: links to more, what to do next
 * @param next what the model can do about a failure, by its tag
 */
export const tool = <A, I extends object, B, E>(options: {
  readonly name: string
  readonly title: string
  readonly description: string
  readonly input: Schema.Schema<A, I>
  readonly output: Output<B>
  readonly annotations: ToolDescription["annotations"]
  readonly next?: NextSteps
  readonly also?: (answer: B) => ReadonlyArray<TextContent | ResourceLink>
  readonly handle: (input: A, progress: Progress) => Effect.Effect<B, E, CurrentPrincipal>
}): PlatformTool => {
  const { name, title, description, annotations, next = {}, also, handle } = options
  const inputSchema = { ...closed(objectSchema(options.input)), type: "object" as const, additionalProperties: false }
  const refused = refusal(name, inputSchema)
  const decode = Schema.decodeUnknownEither(options.input, { errors: "all", onExcessProperty: "error" })
  const answered = (answer: B): ToolAnswer => {
    const structuredContent = options.output.toJson(answer)
    const text = JSON.stringify(structuredContent)
    return { content: [{ type: "text", text }, ...(also?.(answer) ?? [])], structuredContent }
  }
  return {
    description: { name, title, description, inputSchema, outputSchema: options.output.schema, annotations },
    next,
    call: (input, progress) =>
      Either.match(decode(input ?? {}), {
        onLeft: (error) => Effect.fail(refused(error)),
        onRight: (wanted) => Effect.map(handle(wanted, progress), answered)
      })
  }
}
