import { Schema } from "effect"
import { problem } from "../Problem.ts"

const optional = <A, I, R>(schema: Schema.Schema<A, I, R>) => Schema.optionalWith(schema, { exact: true })

/** Where in the bundle an event stands: the file, and the line of a JSONL file. */
export const EventSource = Schema.Struct({ file: Schema.String, line: Schema.NullOr(Schema.Int) }).annotations({
  identifier: "EventSource"
})
export type EventSource = typeof EventSource.Type

/** What an input event was aimed at, as far as the recording tells. */
export const EventTarget = Schema.Struct({
  selector: optional(Schema.String),
  role: optional(Schema.String),
  /** The accessible name. */
  name: optional(Schema.String),
  text: optional(Schema.String),
  tag: optional(Schema.String),
  /** The `type` of an input element: `password`, `email`, `checkbox`… */
  input_type: optional(Schema.String)
}).annotations({ identifier: "EventTarget" })
export type EventTarget = typeof EventTarget.Type

const common = {
  /** Position in the timeline, from 0. */
  seq: Schema.Int,
  /** ISO 8601, UTC; null where the recording has no clock: then the order is the time. */
  at: Schema.NullOr(Schema.String),
  source: EventSource,
  /** Fields of the recording that this kind has no place for, as they came. */
  extra: optional(Schema.Record({ key: Schema.String, value: Schema.Unknown }))
}

/** A person's input, or a step of a scripted browser. */
export const InputEvent = Schema.Struct({
  ...common,
  kind: Schema.Literal("input"),
  /** `click`, `change`, `input`, `keydown`, `navigate`, `scroll`, `submit`… */
  type: Schema.String,
  target: Schema.NullOr(EventTarget),
  value: Schema.NullOr(Schema.String),
  key: Schema.NullOr(Schema.String),
  url: Schema.NullOr(Schema.String),
  x: Schema.NullOr(Schema.Number),
  y: Schema.NullOr(Schema.Number)
}).annotations({ identifier: "InputEvent" })
export type InputEvent = typeof InputEvent.Type

export const NetworkEvent = Schema.Struct({
  ...common,
  kind: Schema.Literal("network"),
  method: Schema.String,
  url: Schema.String,
  /** Null, or not positive, where no answer came. */
  status: Schema.NullOr(Schema.Int),
  request_headers: Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.String })),
  request_body: Schema.NullOr(Schema.String),
  response_headers: Schema.NullOr(Schema.Record({ key: Schema.String, value: Schema.String })),
  response_body: Schema.NullOr(Schema.String),
  duration_ms: Schema.NullOr(Schema.Number)
}).annotations({ identifier: "NetworkEvent" })
export type NetworkEvent = typeof NetworkEvent.Type

export const ScreenshotEvent = Schema.Struct({
  ...common,
  kind: Schema.Literal("screenshot"),
  /** The image's path in the bundle. */
  path: Schema.String
}).annotations({ identifier: "ScreenshotEvent" })

/** Said in a conversation. A file may hold several: `conversation` tells them apart, from 0. */
export const MessageEvent = Schema.Struct({
  ...common,
  kind: Schema.Literal("message"),
  conversation: Schema.Int,
  role: Schema.Literal("system", "user", "assistant"),
  content: Schema.String
}).annotations({ identifier: "MessageEvent" })
export type MessageEvent = typeof MessageEvent.Type

export const ToolCallEvent = Schema.Struct({
  ...common,
  kind: Schema.Literal("tool_call"),
  conversation: Schema.Int,
  /** Made where the recording has none, so that the result finds its call. */
  call_id: Schema.String,
  name: Schema.String,
  /** An object where the recording's arguments are one; else the text as it came. */
  arguments: Schema.Union(Schema.Record({ key: Schema.String, value: Schema.Unknown }), Schema.String)
}).annotations({ identifier: "ToolCallEvent" })
export type ToolCallEvent = typeof ToolCallEvent.Type

export const ToolResultEvent = Schema.Struct({
  ...common,
  kind: Schema.Literal("tool_result"),
  conversation: Schema.Int,
  call_id: Schema.String,
  content: Schema.String,
  is_error: Schema.Boolean
}).annotations({ identifier: "ToolResultEvent" })
export type ToolResultEvent = typeof ToolResultEvent.Type

/** What the recording holds besides: kept, never dropped. */
export const NoteEvent = Schema.Struct({
  ...common,
  kind: Schema.Literal("note"),
  /** The conversation that it belongs to, where it belongs to one. */
  conversation: optional(Schema.Int),
  name: Schema.String,
  data: Schema.Unknown
}).annotations({ identifier: "NoteEvent" })
export type NoteEvent = typeof NoteEvent.Type

/** One thing that happened in a session, whatever format it was recorded in. */
export const TimelineEvent = Schema.Union(
  InputEvent,
  NetworkEvent,
  ScreenshotEvent,
  MessageEvent,
  ToolCallEvent,
  ToolResultEvent,
  NoteEvent
).annotations({ identifier: "TimelineEvent" })
export type TimelineEvent = typeof TimelineEvent.Type

type WithoutSeq<Event> = Event extends unknown ? Omit<Event, "seq"> : never

/** An event before it has its place: what an adapter makes of a file. */
export type DraftEvent = WithoutSeq<TimelineEvent>

/** A file of the recording is not what its format says: its events end there. */
export class TimelineUnreadable extends Schema.TaggedError<TimelineUnreadable>("TimelineUnreadable")(
  "TimelineUnreadable",
  {
    file: Schema.String,
    /** Never absent: an Error of JavaScriptCore has a `line` of its own. */
    line: Schema.NullOr(Schema.Int),
    reason: Schema.String
  },
  problem(422, "unreadable_recording", "The recording cannot be read")
) {
  override get message() {
    return `${this.file}${this.line === null ? "" : `:${this.line}`}: ${this.reason}`
  }
}
