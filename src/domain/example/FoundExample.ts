import { Schema } from "effect"
import { ExampleId, SessionId, SuiteId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { pageFields } from "../Page.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

/** What examples are looked for, to show a model how something is done. */
export const FindExamples = Schema.Struct({
  ...pageFields,
  suite_id: optional(SuiteId).annotations({ description: "Only of this suite" }),
  action: optional(Text(1, 200)).annotations({ description: "Only what shows this action, by its name or id" }),
  tool: optional(Text(1, 200)).annotations({ description: "Only what calls this tool, by its name or id" }),
  q: optional(Text(0, 200)).annotations({
    description: "Words of the conversation: what holds more of them comes first"
  })
})
export type FindExamples = typeof FindExamples.Type

/** A completed example that fits: what it shows, and how sure that is. */
export const FoundExample = Schema.Struct({
  id: ExampleId,
  session_id: SessionId,
  suite_id: SuiteId,
  /** What was wanted, in the words of who wanted it. */
  title: Schema.String,
  /** By their names when the example was made. */
  actions: Schema.Array(Schema.String),
  tools: Schema.Array(Schema.String),
  /** 0 to 1. */
  confidence: Schema.NullOr(Schema.Number),
  message_count: Schema.NullOr(Schema.Int),
  created_at: TimestampText,
  score: Schema.Number.annotations({
    description: "How well it fits, from 0 to 1; 0 for all where nothing was searched for"
  })
}).annotations({ identifier: "FoundExample" })
export type FoundExample = typeof FoundExample.Type
