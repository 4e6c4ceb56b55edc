import { Schema } from "effect"

/** One call of a tool within an assistant's message; `arguments` is JSON text, as chat completions have it. */
export const ToolCall = Schema.Struct({
  id: Schema.String,
  type: Schema.Literal("function"),
  function: Schema.Struct({ name: Schema.String, arguments: Schema.String })
}).annotations({ identifier: "ToolCall" })
export type ToolCall = typeof ToolCall.Type

/** One line of an example's `messages.jsonl`: a chat-completion message. */
export const Message = Schema.Union(
  Schema.Struct({ role: Schema.Literal("system"), content: Schema.String }),
  Schema.Struct({ role: Schema.Literal("user"), content: Schema.String }),
  Schema.Struct({
    role: Schema.Literal("assistant"),
    content: Schema.NullOr(Schema.String),
    tool_calls: Schema.optionalWith(Schema.NonEmptyArray(ToolCall), { exact: true })
  }),
  Schema.Struct({ role: Schema.Literal("tool"), tool_call_id: Schema.String, content: Schema.String })
).annotations({ identifier: "Message" })
export type Message = typeof Message.Type

/** A tool as fine-tuning files declare it. */
export const ToolDefinition = Schema.Struct({
  type: Schema.Literal("function"),
  function: Schema.Struct({
    name: Schema.String,
    description: Schema.String,
    parameters: Schema.Record({ key: Schema.String, value: Schema.Unknown })
  })
}).annotations({ identifier: "ToolDefinition" })
export type ToolDefinition = typeof ToolDefinition.Type
