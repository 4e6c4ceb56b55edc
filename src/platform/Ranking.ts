import type { SqlClient, Statement } from "@effect/sql"
import type { Keyset } from "../domain/Page.ts"

/** Points are millionths of a score: whole, so that a page ends exactly where the next one begins. */
const POINTS = 1_000_000

/** A sentence is no name, and like none. */
const NAME_WORDS = 5

/** What is searched: rows of a table that has `search`, a tsvector. */
interface Searched {
  readonly table: string
  /** Which of its rows. */
  readonly within: Statement.Fragment
}

/** `names`: names as words (`search_words`), with a trigram index. */
interface Named extends Searched {
  readonly names: true
}

const byTold = (sql: SqlClient.SqlClient, { table, within }: Searched, q: string) => {
  const all = sql`plainto_tsquery('english', search_words(${q}))`
  // Lexemes stand in quotes there: an ampersand of theirs has no spaces around it.
  const any = sql`replace(${all}::text, ' & ', ' | ')::tsquery`
  return sql`select id, (ts_rank('{0.1, 0.2, 0.4, 1.0}', search, ${any}, 32)
      + case when search @@ ${all} then 1 else 0 end) / 2 as score
    from ${sql(table)} where ${within} and search @@ ${any}`
}

/**
 * The ids and scores, from 0 to 1, of what has names that hold the text, or are like it or a part of them
 * is: those that are it come first. A query, with one row for each id.
 */
export const byName = (sql: SqlClient.SqlClient, { table, within }: Named, name: string): Statement.Fragment => {
  const words = sql`search_words(${name})`
  // Nothing is left of a text without letters and digits: it is like no name.
  const part = sql`'%' || replace(replace(replace(nullif(${words}, ''), '\\', '\\\\'), '%', '\\%'), '_', '\\_') || '%'`
  return sql`select id, (similarity(names, ${words}) + word_similarity(${words}, names)) / 2 as score
    from ${sql(table)} where ${within} and (names like ${part} or names % ${words} or ${words} <% names)`
}

/**
 * The ids and scores, from 0 to 1, of what holds the words, in any of their forms: what holds more of them
 * comes first, and what is named so before what only speaks of it. Names are found by parts and with
 * typing errors, too. A query, with one row for each id.
 */
export const byWords = (sql: SqlClient.SqlClient, searched: Searched | Named, q: string): Statement.Fragment =>
  "names" in searched && q.trim().split(/\s+/).length <= NAME_WORDS
    ? // Each by its own index: together they would be looked for in every row.
      sql`select id, sum(score) / 2 as score
        from (${byTold(sql, searched, q)} union all ${byName(sql, searched, q)}) found group by id`
    : byTold(sql, searched, q)

/** All of it, none before the other. */
export const unranked = (sql: SqlClient.SqlClient, { table, within }: Searched): Statement.Fragment =>
  sql`select id, 0 as score from ${sql(table)} where ${within}`

/** The column that `Keyset.page` makes cursors of. */
export const position_at = (sql: SqlClient.SqlClient, score: Statement.Fragment): Statement.Fragment =>
  sql`round((${score})::numeric * ${POINTS})::integer as position_at`

/** `and`-able condition for what comes after a position, best first. */
export const after = (sql: SqlClient.SqlClient, keyset: Keyset | undefined): Statement.Fragment =>
  keyset === undefined ? sql`true` : sql`(position_at, id) < (${keyset.at}::bigint, ${keyset.id}::uuid)`

/** The score that points stand for. */
export const score = (sql: SqlClient.SqlClient): Statement.Fragment => sql`position_at::float8 / ${POINTS} as score`
