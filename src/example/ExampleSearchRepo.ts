import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { type FindExamples, FoundExample } from "../domain/example/FoundExample.ts"
import type { ExampleId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import type { Tenant } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Ranking from "../platform/Ranking.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import type { Showing } from "./pipeline/Showing.ts"

const Positioned = Keyset.Positioned(FoundExample.fields)

const isId = Schema.is(Schema.UUID)

/** What examples are found by, on their rows. */
export class ExampleSearchRepo extends Effect.Service<ExampleSearchRepo>()("example/ExampleSearchRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const visible = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`org_id = ${org_id}` : sql`org_id = ${org_id} and ${sql.in("suite_id", suite_ids)}`

    const named = (kind: "action" | "tool", wanted: string) => {
      const byName = sql`${sql(`${kind}s`)} @> array[${wanted}]::text[]`
      return isId(wanted) ? sql`(${byName} or ${sql(`${kind}_ids`)} @> array[${wanted}]::uuid[])` : byName
    }

    const find = (tenant: Tenant, query: FindExamples, keyset: Position | undefined) => {
      const { suite_id, action, tool, q, limit } = query
      const wanted = sql.and([
        visible(tenant),
        sql`status = 'COMPLETED' and review is distinct from 'rejected'`,
        ...(suite_id === undefined ? [] : [sql`suite_id = ${suite_id}`]),
        ...(action === undefined ? [] : [named("action", action)]),
        ...(tool === undefined ? [] : [named("tool", tool)])
      ])
      const searched = { table: "examples", within: wanted }
      const fitting =
        q === undefined || q.trim() === "" ? Ranking.unranked(sql, searched) : Ranking.byWords(sql, searched, q)
      return Rows.all(
        Positioned,
        // Of those that say the same, the first that fits: what they say they score by.
        sql`with fitting as (${fitting}), found as (
            select distinct on (coalesce(e.content_hash, id::text)) id, ${Ranking.position_at(sql, sql`score`)}
            from fitting join examples e using (id) order by coalesce(e.content_hash, id::text), id
          ), page as (
            select * from found where ${Ranking.after(sql, keyset)} order by position_at desc, id desc limit ${limit + 1}
          )
          select e.id, e.session_id, e.suite_id, coalesce(nullif(e.title, ''), left(s.description, 200)) as title,
            e.actions, e.tools, e.confidence, e.message_count, e.created_at, ${Ranking.score(sql)}, position_at
          from page join examples e using (id) join sessions s on s.id = e.session_id
          order by position_at desc, id desc`
      )
    }

    /** Notes what an example shows; of an `attempt` that is no longer the current one nothing. */
    const describe = (
      { id, attempt }: { readonly id: ExampleId; readonly attempt?: number },
      { text, ...shown }: Showing
    ) =>
      orDefect(
        Effect.asVoid(sql`update examples set title = ${shown.title}, actions = ${[...shown.actions]}::text[],
            action_ids = ${[...shown.action_ids]}::uuid[], tools = ${[...shown.tools]}::text[],
            tool_ids = ${[...shown.tool_ids]}::uuid[],
            search = setweight(to_tsvector('english', search_words(${shown.title})), 'A')
              || setweight(to_tsvector('english', joined_words(${[...shown.actions, ...shown.tools]}::text[])), 'B')
              || setweight(to_tsvector('english', search_words(${text})), 'D')
          where id = ${id} and ${attempt === undefined ? sql`true` : sql`attempts = ${attempt}`}`)
      )

    return { find, describe } as const
  })
}) {}
