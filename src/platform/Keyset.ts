import type { SqlClient, Statement } from "@effect/sql"
import { Effect, Schema } from "effect"
import { BadRequest, Issue } from "../domain/Errors.ts"
import { Text } from "../domain/Json.ts"
import { Cursor, type Keyset } from "../domain/Page.ts"

const decode = Schema.decodeUnknown(Cursor)
const encode = Schema.encodeSync(Cursor)

const notOurs = new BadRequest({
  detail: "cursor is not one that this service made",
  errors: [new Issue({ path: "cursor", message: "not a cursor of this list" })]
})

/** The position behind a caller's cursor, or undefined for the first page. */
export const position = (cursor: string | undefined): Effect.Effect<Keyset | undefined, BadRequest> =>
  cursor === undefined ? Effect.succeed(undefined) : Effect.mapError(decode(cursor), () => notOurs)

/** `and`-able condition for the rows after a position, newest first. */
export const after = (sql: SqlClient.SqlClient, keyset: Keyset | undefined): Statement.Fragment =>
  keyset === undefined
    ? sql`true`
    : sql`(created_at, id) < ('epoch'::timestamptz + ${keyset.at}::bigint * interval '1 microsecond', ${keyset.id}::uuid)`

/** The column that {@link page} makes cursors of. */
export const position_at = (sql: SqlClient.SqlClient): Statement.Fragment =>
  sql`(extract(epoch from created_at) * 1000000)::bigint as position_at`

/** A row's schema together with that column. */
export const Positioned = <Fields extends Schema.Struct.Fields>(fields: Fields) =>
  Schema.Struct({ ...fields, position_at: Schema.Int })

/** Cuts `limit + 1` rows into a page. Where fewer were read than there are, `more` says that others follow. */
export const page = <A extends { readonly id: string; readonly position_at: number }>(
  rows: ReadonlyArray<A>,
  limit: number,
  more = rows.length > limit
): { readonly items: ReadonlyArray<Omit<A, "position_at">>; readonly next_cursor: string | null } => {
  const shown = rows.slice(0, limit)
  const last = shown.at(-1)
  return {
    items: shown.map(({ position_at: _position_at, ...item }) => item),
    next_cursor: more && last !== undefined ? encode({ at: last.position_at, id: last.id }) : null
  }
}

const PathCursor = Schema.StringFromBase64Url.pipe(
  Schema.compose(Schema.parseJson(Schema.Struct({ path: Text(1, 1024) })))
)
const decodePath = Schema.decodeUnknown(PathCursor)
const encodePath = Schema.encodeSync(PathCursor)

/** For lists in order of a path: the path behind a caller's cursor. */
export const path = (cursor: string | undefined): Effect.Effect<string | undefined, BadRequest> =>
  cursor === undefined
    ? Effect.succeed(undefined)
    : decodePath(cursor).pipe(
        Effect.map(({ path }) => path),
        Effect.mapError(() => notOurs)
      )

/** Cuts `limit + 1` rows in order of their path into a page. */
export const pathPage = <A extends { readonly path: string }>(rows: ReadonlyArray<A>, limit: number) => {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items, next_cursor: rows.length > limit && last !== undefined ? encodePath({ path: last.path }) : null }
}
