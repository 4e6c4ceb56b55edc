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

/** The first row, or undefined. */
export const first = <A, I, E = never>(Row: Schema.Schema<A, I>, query: Query<E>) =>
  Effect.map(all(Row, query), (rows): A | undefined => rows[0])

/** The one row that a statement such as `insert … returning` answers. */
export const one = <A, I, E = never>(Row: Schema.Schema<A, I>, query: Query<E>) =>
  Effect.flatMap(first(Row, query), (row) =>
    row === undefined ? Effect.dieMessage("the statement answered no row") : Effect.succeed(row)
  )
