import { Schema } from "effect"
import { Text } from "./Json.ts"

/** Text to search for. */
export const SearchText = Schema.optionalWith(
  Text(0, 200).annotations({ description: "Only what holds this text, in any case" }),
  { exact: true }
)

const Limit = Schema.String.pipe(
  Schema.filter((text) => /^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 100, {
    message: () => "must be a whole number from 1 to 100"
  }),
  Schema.compose(Schema.NumberFromString)
).annotations({ jsonSchema: { type: "integer", minimum: 1, maximum: 100, default: 20 } })

/** Query parameters that every list takes. */
export const pageFields = {
  limit: Schema.optionalWith(Limit, { default: () => 20 }).annotations({ description: "Items per page" }),
  cursor: Schema.optionalWith(
    Schema.String.pipe(Schema.maxLength(4096)).annotations({ description: "`next_cursor` of the page before" }),
    { exact: true }
  )
}

/** One page of a keyset-paginated list; `next_cursor` is null on the last. */
export const Page = <A, I, R>(identifier: string, item: Schema.Schema<A, I, R>) =>
  Schema.Struct({ items: Schema.Array(item), next_cursor: Schema.NullOr(Schema.String) }).annotations({ identifier })

/**
 * The position behind a cursor: lists are ordered by creation time (here in microseconds since the
 * epoch, as exact as the database keeps it), newest first, then by id.
 */
export const Keyset = Schema.Struct({ at: Schema.Int.pipe(Schema.between(0, 4e15)), id: Schema.UUID })
export type Keyset = typeof Keyset.Type

export const Cursor = Schema.StringFromBase64Url.pipe(Schema.compose(Schema.parseJson(Keyset)))
