import type { SqlClient, Statement } from "@effect/sql"
import type { Keyset } from "../domain/Page.ts"

/** Points are millionths of a score: whole, so that a page ends exactly where the next one begins. */
const POINTS = 1_000_000

interface Columns {
  /** A tsvector. */
  readonly search: Statement.Fragment
  /** Names as words (`search_words`), with a trigram index; undefined where there are none. */
  readonly names?: Statement.Fragment
}

/** `and`-able condition and the score from 0 to 1 of what somebody searches for. */
export interface Ranked {
  readonly matches: Statement.Fragment
  readonly score: Statement.Fragment
}

/**
 * Words anywhere, in any of their forms: what holds more of them comes first, and what is named so before
 * what only speaks of it. Names are found by parts and with typing errors, too.
 */
export const byWords = (sql: SqlClient.SqlClient, { search, names }: Columns, q: string): Ranked => {
  const all = sql`plainto_tsquery('english', search_words(${q}))`
  // Lexemes stand in quotes there: an ampersand of theirs has no spaces around it.
  const any = sql`replace(${all}::text, ' & ', ' | ')::tsquery`
  const told = sql`ts_rank('{0.1, 0.2, 0.4, 1.0}', ${search}, ${any}, 32) + case when ${search} @@ ${all} then 1 else 0 end`
  if (names === undefined) return { matches: sql`${search} @@ ${any}`, score: sql`(${told}) / 2` }
  const named = byName(sql, names, q)
  return {
    matches: sql`(${search} @@ ${any} or ${named.matches})`,
    score: sql`(${told} + 2 * ${named.score}) / 4`
  }
}

/** Names that hold the text, or are like it or a part of them is: those that are it come first. */
export const byName = (sql: SqlClient.SqlClient, names: Statement.Fragment, name: string): Ranked => {
  const words = sql`search_words(${name})`
  // Of a text without letters and digits nothing is left: it is like no name.
  const part = sql`'%' || replace(replace(replace(nullif(${words}, ''), '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%'`
  return {
    matches: sql`(${names} like ${part} or ${names} % ${words} or ${words} <% ${names})`,
    score: sql`(similarity(${names}, ${words}) + word_similarity(${words}, ${names})) / 2`
  }
}

/** The column that `Keyset.page` makes cursors of. */
export const position_at = (sql: SqlClient.SqlClient, score: Statement.Fragment): Statement.Fragment =>
  sql`round((${score})::numeric * ${POINTS})::integer as position_at`

/** `and`-able condition for what comes after a position, best first. */
export const after = (sql: SqlClient.SqlClient, keyset: Keyset | undefined): Statement.Fragment =>
  keyset === undefined ? sql`true` : sql`(position_at, id) < (${keyset.at}::bigint, ${keyset.id}::uuid)`

/** The score that points stand for. */
export const score = (sql: SqlClient.SqlClient): Statement.Fragment => sql`position_at::float8 / ${POINTS} as score`
