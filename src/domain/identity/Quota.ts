import { Schema } from "effect"
import { TimestampText } from "../Json.ts"

/** Which further rate limit a request counts on; `none`: it counts on no limit at all. */
export type RateGroup = "default" | "sessions" | "keys" | "none"

export const QuotaKind = Schema.Literal("requests", "tool_calls", "tokens", "bytes_stored").annotations({
  identifier: "QuotaKind"
})
export type QuotaKind = typeof QuotaKind.Type

/** Days and months are UTC's; `total` is what there is now, whenever it came. */
export const QuotaWindow = Schema.Literal("day", "month", "total").annotations({ identifier: "QuotaWindow" })
export type QuotaWindow = typeof QuotaWindow.Type

/** What an organization may use in a window, and what it has used. */
export class Quota extends Schema.Class<Quota>("Quota")({
  kind: QuotaKind,
  window: QuotaWindow,
  ceiling: Schema.NullOr(Schema.NonNegativeInt).annotations({ description: "The most; null: there is no such quota" }),
  used: Schema.NonNegativeInt,
  resets_at: Schema.NullOr(TimestampText).annotations({ description: "When the window ends; null: it never does" })
}) {}

export class QuotaList extends Schema.Class<QuotaList>("QuotaList")({ items: Schema.Array(Quota) }) {}

/** The windows that each kind is counted in. Bytes stored are given back when they are deleted. */
export const quotaWindows: ReadonlyArray<{ readonly kind: QuotaKind; readonly window: QuotaWindow }> = [
  { kind: "requests", window: "day" },
  { kind: "requests", window: "month" },
  { kind: "tool_calls", window: "day" },
  { kind: "tool_calls", window: "month" },
  { kind: "tokens", window: "day" },
  { kind: "tokens", window: "month" },
  { kind: "bytes_stored", window: "total" }
]

/** When the window that a moment lies in ends, in milliseconds; null: never. */
export const windowEnd = (window: QuotaWindow, now: number): number | null => {
  const date = new Date(now)
  if (window === "total") return null
  return window === "day"
    ? Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + 1)
    : Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}

/** The first day of the window that a moment lies in, as `2026-01-31`. */
export const windowBegin = (window: QuotaWindow, now: number): string => {
  const day = new Date(now).toISOString().slice(0, 10)
  return window === "month" ? `${day.slice(0, 8)}01` : day
}
