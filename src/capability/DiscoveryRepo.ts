import { SqlClient, type Statement } from "@effect/sql"
import { Effect } from "effect"
import {
  type DiscoverCapabilities,
  type DiscoverServers,
  FoundCapability,
  FoundServer
} from "../domain/capability/Discovery.ts"
import type { OrganizationId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Ranking from "../platform/Ranking.ts"
import * as Rows from "../platform/Rows.ts"

const PositionedServer = Keyset.Positioned(FoundServer.fields)
const PositionedCapability = Keyset.Positioned(FoundCapability.fields)

const isWanted = (text: string | undefined): text is string => text !== undefined && text.trim() !== ""

/** Servers and capabilities as they are found; `search` and `names` are made by the database of what is in the row. */
export class DiscoveryRepo extends Effect.Service<DiscoveryRepo>()("capability/DiscoveryRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const on = sql`enabled and gone_at is null`

    /** What every search found, with the mean of the scores. */
    const together = (searches: ReadonlyArray<Statement.Fragment>) => {
      const alias = (at: number) => sql(`found_${at}`)
      const [first, ...others] = searches
      const joins = others.reduce(
        (joins, search, at) => sql`${joins} join (${search}) ${alias(at + 1)} using (id)`,
        sql`(${first ?? sql``}) ${alias(0)}`
      )
      const sum = others.reduce((sum, _, at) => sql`${sum} + ${alias(at + 1)}.score`, sql`${alias(0)}.score`)
      return sql`select id, ${Ranking.position_at(sql, sql`(${sum}) / ${searches.length}::float8`)} from ${joins}`
    }

    const page = (found: Statement.Fragment, keyset: Position | undefined, limit: number) =>
      sql`with found as (${found}), page as (
        select * from found where ${Ranking.after(sql, keyset)} order by position_at desc, id desc limit ${limit + 1})`

    const servers = (org_id: OrganizationId, query: DiscoverServers, keyset: Position | undefined) => {
      const { q, capability, tag, environment, limit } = query
      const within = sql.and([
        sql`org_id = ${org_id} and deleted_at is null`,
        ...(tag === undefined ? [] : [sql`tags @> array[${tag}]::text[]`]),
        ...(environment === undefined ? [] : [sql`environment = ${environment}`])
      ])
      const searched = { table: "mcp_servers", within, names: true } as const
      const offered = { table: "capabilities", within: sql`org_id = ${org_id} and ${on}`, names: true } as const
      const offering = (name: string) =>
        sql`select c.server_id as id, max(named.score) as score
          from (${Ranking.byName(sql, offered, name)}) named join capabilities c using (id)
          where c.server_id in (select id from mcp_servers where ${within}) group by c.server_id`
      const searches = [
        ...(isWanted(q) ? [Ranking.byWords(sql, searched, q)] : []),
        ...(isWanted(capability) ? [offering(capability)] : [])
      ]
      return Rows.all(
        PositionedServer,
        sql`${page(together(searches.length === 0 ? [Ranking.unranked(sql, searched)] : searches), keyset, limit)}
          select s.id, s.name, s.description, s.transport, s.status, s.url, s.environment, s.tags, s.version,
            (select count(*) from capabilities c where c.org_id = s.org_id and c.server_id = s.id and ${on}) as capability_count,
            ${Ranking.score(sql)}, position_at
          from page join mcp_servers s using (id) order by position_at desc, id desc`
      )
    }

    const capabilities = (org_id: OrganizationId, query: DiscoverCapabilities, keyset: Position | undefined) => {
      const { q, name, kind, schema, limit } = query
      const within = sql.and([
        sql`org_id = ${org_id} and ${on}`,
        sql`server_id in (select id from mcp_servers where org_id = ${org_id} and deleted_at is null)`,
        ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
        ...(schema === undefined ? [] : [sql`properties @> ${[...schema]}::text[]`])
      ])
      const searched = { table: "capabilities", within, names: true } as const
      const searches = [
        ...(isWanted(q) ? [Ranking.byWords(sql, searched, q)] : []),
        ...(isWanted(name) ? [Ranking.byName(sql, searched, name)] : [])
      ]
      return Rows.all(
        PositionedCapability,
        sql`${page(together(searches.length === 0 ? [Ranking.unranked(sql, searched)] : searches), keyset, limit)}
          select c.id, json_build_object('id', s.id, 'name', s.name, 'transport', s.transport, 'status', s.status,
              'url', s.url) as server, c.kind, c.name, c.title, c.description, c.input_schema, c.output_schema,
            c.annotations, ${Ranking.score(sql)}, position_at
          from page join capabilities c using (id) join mcp_servers s on s.org_id = c.org_id and s.id = c.server_id
          order by position_at desc, id desc`
      )
    }

    return { servers, capabilities } as const
  })
}) {}
