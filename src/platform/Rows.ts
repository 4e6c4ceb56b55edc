import type { SqlError } from "@effect/sql"
import { Effect, Schema } from "effect"
import { orDefect } from "./SqlFailure.ts"

type Query<E> = Effect.Effect<ReadonlyArray<unknown>, E | SqlError.SqlError>

/** Runs a query and decodes its rows. A row that does not fit is a defect: the schema is ours. */
export const all = <A, I, E = never>(
  Row: Schema.Schema<A, I>,
  query: Query<E>
): Effect.Effect<ReadonlyArray<A>, Exclude<E, SqlError.SqlError>> => {
  // Row by row: a schema of the array would be a new one, to be compiled again for every query.
  const decode = Schema.decodeUnknownSync(Row)
  return orDefect(Effect.map(query, (rows) => rows.map((row) => decode(row)))) as Effect.Effect<
    ReadonlyArray<A>,
    Exclude<E, SqlError.SqlError>
  >
}

/** So many rows of a query are looked at; the types of its columns do not change after that. */
const MAX_CHECKED = 256

const checks = new WeakMap<object, (row: unknown) => unknown>()

/** Looks at rows in their encoded form, until enough of them were right: looking costs more than reading them. */
const checked = <A, I>(Row: Schema.Schema<A, I>): ((row: unknown) => I) => {
  const known = checks.get(Row.ast)
  if (known !== undefined) return known as (row: unknown) => I
  const decode = Schema.decodeUnknownSync(Schema.encodedSchema(Row))
  let count = 0
  let columns = 0
  const check = (row: unknown): I => {
    // A row with further columns is decoded, for they are not for those who ask.
    if (count >= MAX_CHECKED && Object.keys(row ?? {}).length === columns) return row as I
    const fits = decode(row)
    count += 1
    columns = Object.keys(fits ?? {}).length
    return fits
  }
  checks.set(Row.ast, check)
  return check
}

/** Runs a query whose rows go out as they are: in the form that the schema encodes to. */
export const encoded = <A, I, E = never>(
  Row: Schema.Schema<A, I>,
  query: Query<E>
): Effect.Effect<ReadonlyArray<I>, Exclude<E, SqlError.SqlError>> => {
  const check = checked(Row)
  return orDefect(Effect.map(query, (rows) => rows.map(check))) as Effect.Effect<
    ReadonlyArray<I>,
    Exclude<E, SqlError.SqlError>
  >
}

/** The first row, or undefined. */
export const first = <A, I, E = never>(Row: Schema.Schema<A, I>, query: Query<E>) =>
  Effect.map(all(Row, query), (rows): A | undefined => rows[0])

/** The one row that a statement such as `insert … returning` answers. */
export const one = <A, I, E = never>(Row: Schema.Schema<A, I>, query: Query<E>) =>
  Effect.flatMap(first(Row, query), (row) =>
    row === undefined ? Effect.dieMessage("the statement answered no row") : Effect.succeed(row)
  )
