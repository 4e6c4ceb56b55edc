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

/** Text that PostgreSQL can hold: neither NUL nor half of a surrogate pair. */
export const Text = (min: number, max: number) =>
  Schema.String.pipe(
    Schema.minLength(min),
    Schema.maxLength(max),
    Schema.filter(isStorableText, {
      message: () => "must hold no NUL and no unpaired surrogate",
      arbitrary: () => (fc) => fc.string({ minLength: min, maxLength: Math.min(max, 40) })
    })
  )

/** A point in time between the years 1 and 9999; ISO 8601 on the wire, in UTC when written. */
export const TimestampText = Schema.DateTimeUtc.pipe(
  Schema.filter(({ epochMillis }) => epochMillis >= -62_135_596_800_000 && epochMillis <= 253_402_300_799_999, {
    message: () => "must lie between the years 1 and 9999"
  })
).annotations({
  identifier: "Timestamp",
  jsonSchema: { type: "string", format: "date-time" },
  arbitrary: () => (fc) =>
    fc.integer({ min: 1_900_000_000_000, max: 2_500_000_000_000 }).map((ms) => DateTime.unsafeMake(ms))
})
