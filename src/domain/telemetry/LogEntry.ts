import { Schema } from "effect"
import { LogEntryId } from "../Ids.ts"
import { JsonObject, Text, TimestampText } from "../Json.ts"
import { pageFields } from "../Page.ts"

/** More entries are not taken at once. */
export const maxLogEntries = 10_000

export const Severity = Schema.Literal("debug", "info", "warning", "error", "critical").annotations({
  identifier: "Severity"
})

const Name = Text(1, 200)

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

const fields = {
  event_type: Name,
  source: Schema.NullOr(Name),
  correlation_id: Schema.NullOr(Name),
  /** Whatever the sender calls its session; no id of ours. */
  session_id: Schema.NullOr(Name)
}

/** One entry as it is reported. Without `timestamp`, it happened now. */
export const NewLogEntry = Schema.Struct({
  timestamp: optional(TimestampText),
  event_type: fields.event_type,
  severity: Schema.optionalWith(Severity, { default: () => "info" as const }),
  source: Schema.optionalWith(fields.source, { default: () => null }),
  correlation_id: Schema.optionalWith(fields.correlation_id, { default: () => null }),
  session_id: Schema.optionalWith(fields.session_id, { default: () => null }),
  data: Schema.optionalWith(JsonObject(64 * 1024), { default: () => ({}) })
}).annotations({ identifier: "NewLogEntry" })
export type NewLogEntry = typeof NewLogEntry.Type

/** Entries as they come: each is looked at by itself, so that one which is wrong does not refuse the others. */
export const LogBatch = Schema.Array(
  Schema.Unknown.annotations({ jsonSchema: { $ref: "#/components/schemas/NewLogEntry" } })
)
  .pipe(Schema.maxItems(maxLogEntries, { message: () => `must hold ${maxLogEntries} entries at most` }))
  .annotations({ identifier: "LogBatch" })

export const LogReport = Schema.Struct({
  accepted: Schema.Int,
  refused: Schema.Array(
    Schema.Struct({
      /** Of the entry in what was sent, from 0. */
      index: Schema.Int,
      reason: Schema.String
    }).annotations({ identifier: "RefusedLogEntry" })
  )
}).annotations({ identifier: "LogReport" })
export type LogReport = typeof LogReport.Type

export const LogEntry = Schema.Struct({
  id: LogEntryId,
  timestamp: TimestampText,
  event_type: Schema.String,
  severity: Severity,
  source: Schema.NullOr(Schema.String),
  correlation_id: Schema.NullOr(Schema.String),
  session_id: Schema.NullOr(Schema.String),
  data: Schema.Record({ key: Schema.String, value: Schema.Unknown })
}).annotations({ identifier: "LogEntry" })
export type LogEntry = typeof LogEntry.Type

/** Which entries; times from `from` on, up to and without `to`. */
export const LogQuery = Schema.Struct({
  ...pageFields,
  severity: optional(Severity).annotations({ description: "Only of this severity" }),
  event_type: optional(Name).annotations({ description: "Only of this type" }),
  session_id: optional(Name).annotations({ description: "Only of what the sender called its session" }),
  correlation_id: optional(Name).annotations({ description: "Only what belongs together" }),
  source: optional(Name).annotations({ description: "Only from this source" }),
  from: optional(TimestampText).annotations({
    description: "Only from this moment on; with `q` and without it, from 7 days before `to`, or before now"
  }),
  to: optional(TimestampText).annotations({ description: "Only before this moment" }),
  q: optional(
    Text(0, 200).annotations({
      description: "Only what holds this text, in any case: without `from`, of the last 7 days"
    })
  )
})
export type LogQuery = typeof LogQuery.Type
