import { Schema } from "effect"
import { TimestampText } from "../Json.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { exact: true })

export const UsageGrouping = Schema.Literal("day", "hour", "user", "model", "suite").annotations({
  identifier: "UsageGrouping"
})
export type UsageGrouping = typeof UsageGrouping.Type

/** What usage is asked for: times from `from` on, up to and without `to`. */
export const UsageQuery = Schema.Struct({
  group_by: Schema.optionalWith(UsageGrouping, { default: () => "day" as const }).annotations({
    description: "One group for each of these"
  }),
  from: optional(TimestampText).annotations({
    description:
      "From this moment on; without it, 31 days before `to`, by hour 7 days. At most 365 days, by hour 365 hours."
  }),
  to: optional(TimestampText).annotations({ description: "Before this moment; without it, until now" })
})
export type UsageQuery = typeof UsageQuery.Type

/** What was recorded, and what was made of it. */
const figures = {
  sessions: Schema.Int,
  /** Of those sessions. */
  bytes: Schema.Int,
  /** By the state that they are in now. */
  examples: Schema.Struct({
    PENDING: Schema.Int,
    RUNNING: Schema.Int,
    COMPLETED: Schema.Int,
    FAILED: Schema.Int,
    CANCELLED: Schema.Int
  }).annotations({ identifier: "ExampleCounts" }),
  tokens_in: Schema.Int,
  tokens_out: Schema.Int,
  /** As far as models have prices. */
  cost: Schema.Number
}

export const UsageFigures = Schema.Struct(figures).annotations({ identifier: "UsageFigures" })

export const UsageGroup = Schema.Struct({
  /** The begin of a day or hour in UTC, an id, or `PROVIDER/name` of a model; null: of nobody who is there. */
  key: Schema.NullOr(Schema.String),
  /** What the key stands for, in words. */
  name: Schema.NullOr(Schema.String),
  ...figures
}).annotations({ identifier: "UsageGroup" })
export type UsageGroup = typeof UsageGroup.Type

export const UsageReport = Schema.Struct({
  group_by: UsageGrouping,
  from: TimestampText,
  to: TimestampText,
  /** Days and hours in their order, those without anything left out; else the largest first. */
  groups: Schema.Array(UsageGroup),
  /** True when there are more groups than are shown. */
  truncated: Schema.Boolean,
  /** Of all, also of what is not shown. */
  total: UsageFigures
}).annotations({ identifier: "UsageReport" })
export type UsageReport = typeof UsageReport.Type
