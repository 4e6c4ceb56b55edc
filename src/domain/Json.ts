import { DateTime, Schema } from "effect"

const encoder = new TextEncoder()

const isStorableText = (text: string) => text.isWellFormed() && !text.includes("\u0000")

const maxDepth = 64

/** What PostgreSQL's jsonb refuses: NUL, unpaired surrogates, nesting without end. */
const isStorable = (value: unknown, depth = 0): boolean => {
  if (typeof value === "string") return isStorableText(value)
  if (typeof value !== "object" || value === null) return true
  return (
    depth < maxDepth &&
    Object.entries(value).every(([key, member]) => isStorableText(key) && isStorable(member, depth + 1))
  )
}

/** Any JSON object whose text is at most `bytes` long in UTF-8. */
export const JsonObject = (bytes: number) =>
  Schema.Record({ key: Schema.String, value: Schema.Unknown }).pipe(
    Schema.filter(
      (value) => isStorable(value) || `must hold no NUL and no unpaired surrogate, nested ${maxDepth} deep at most`
    ),
    Schema.filter((value) => encoder.encode(JSON.stringify(value)).length <= bytes, {
      message: () => `must be at most ${bytes} bytes of JSON`,
      arbitrary: () => (fc) => fc.dictionary(fc.string({ maxLength: 10 }), fc.string({ maxLength: 10 }), { maxKeys: 3 })
    })
  )

/** Characters as PostgreSQL and JSON Schema count them: code points. */
const hasLength = (text: string, min: number, max: number): boolean => {
  if (text.length > 2 * max) return false
  let count = 0
  for (const _ of text) count += 1
  return count >= min && count <= max
}

/** Text that PostgreSQL can hold: neither NUL nor half of a surrogate pair. */
export const Text = (min: number, max: number) =>
  Schema.String.pipe(
    Schema.filter((text) => hasLength(text, min, max), {
      message: () => `must be ${min} to ${max} characters long`,
      jsonSchema: { minLength: min, maxLength: max }
    }),
    Schema.filter(isStorableText, {
      message: () => "must hold no NUL and no unpaired surrogate",
      jsonSchema: { pattern: "^[^\\u0000]*$" },
      arbitrary: () => (fc) => fc.string({ minLength: min, maxLength: Math.min(max, 40) })
    })
  )

const timestamp = /^(\d{4}-\d{2}-\d{2})(T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2}))?$/i

/** ISO 8601 with an offset (a date alone is its midnight in UTC), of a day that the calendar has. */
const isTimestamp = (text: string): boolean => {
  const day = timestamp.exec(text)?.[1]
  const midnight = new Date(`${day}T00:00:00Z`)
  return day !== undefined && !Number.isNaN(midnight.getTime()) && midnight.toISOString().startsWith(day)
}

/** A point in time between the years 1 and 9999; ISO 8601 on the wire, in UTC when written. */
export const TimestampText = Schema.String.pipe(
  Schema.filter(isTimestamp, { message: () => "must be a point in time such as 2026-01-31T12:00:00Z" }),
  Schema.compose(Schema.DateTimeUtc),
  Schema.filter(({ epochMillis }) => epochMillis >= -62_135_596_800_000 && epochMillis <= 253_402_300_799_999, {
    message: () => "must lie between the years 1 and 9999"
  })
).annotations({
  identifier: "Timestamp",
  jsonSchema: { type: "string", format: "date-time", description: "A point in time, ISO 8601 in UTC" },
  arbitrary: () => (fc) =>
    fc.integer({ min: 1_900_000_000_000, max: 2_500_000_000_000 }).map((ms) => DateTime.unsafeMake(ms))
})
