import { SqlClient, type Statement } from "@effect/sql"
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

    const conditions = (tenant: Tenant, { suite_id, action, tool }: FindExamples) =>
      sql.and([
        visible(tenant),
        sql`status = 'COMPLETED' and review is distinct from 'rejected'`,
        ...(suite_id === undefined ? [] : [sql`suite_id = ${suite_id}`]),
        ...(action === undefined ? [] : [named("action", action)]),
        ...(tool === undefined ? [] : [named("tool", tool)])
      ])

    /** Best first. Of those that say the same, the first that fits: what they say they score by. */
    const bestPage = (wanted: Statement.Fragment, q: string, keyset: Position | undefined, limit: number) =>
      sql`with fitting as (${Ranking.byWords(sql, { table: "examples", within: wanted }, q)}), found as (
          select distinct on (coalesce(e.content_hash, id::text)) id, ${Ranking.position_at(sql, sql`score`)}
          from fitting join examples e using (id) order by coalesce(e.content_hash, id::text), id
        )
        select * from found where ${Ranking.after(sql, keyset)} order by position_at desc, id desc limit ${limit + 1}`

    /** Newest first, read no further than the page: the first of those that say the same is looked up for each. */
    const newestPage = (wanted: Statement.Fragment, keyset: Position | undefined, limit: number) =>
      sql`select id, 0 as position_at from examples
        where ${wanted} and ${keyset === undefined ? sql`true` : sql`id < ${keyset.id}`}
          and not exists (select from examples o where ${wanted}
            and o.content_hash = examples.content_hash and o.id < examples.id)
        order by id desc limit ${limit + 1}`

    const find = (tenant: Tenant, query: FindExamples, keyset: Position | undefined) => {
      const { q, limit } = query
      const wanted = conditions(tenant, query)
      const page =
        q === undefined || q.trim() === "" ? newestPage(wanted, keyset, limit) : bestPage(wanted, q, keyset, limit)
      return Rows.all(
        Positioned,
        sql`with page as (${page})
          select e.id, e.session_id, e.suite_id, coalesce(e.title, '') as title, e.actions, e.tools, e.confidence,
            e.message_count, e.created_at, ${Ranking.score(sql)}, position_at
          from page join examples e using (id) order by position_at desc, id desc`
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
