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

/** What was searched for: a query of ids and scores for each. */
type Searches = ReadonlyArray<Statement.Fragment>

/** Servers and capabilities as they are found; `search` and `names` are made by the database of what is in the row. */
export class DiscoveryRepo extends Effect.Service<DiscoveryRepo>()("capability/DiscoveryRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const on = sql`c.enabled and c.gone_at is null`
    const live = sql`s.deleted_at is null`

    const source = (table: "capabilities" | "mcp_servers", org_id: OrganizationId) =>
      ({ table, within: sql`org_id = ${org_id}`, names: true }) as const

    const alias = (at: number) => sql(`found_${at}`)

    /** Only what every search found. */
    const joined = (searches: Searches) =>
      searches.reduce((joins, search, at) => sql`${joins} join (${search}) ${alias(at)} using (id)`, sql``)

    /** The mean of the scores. */
    const scored = (searches: Searches) =>
      Ranking.position_at(
        sql,
        sql`(0 ${searches.reduce((sum, _, at) => sql`${sum} + ${alias(at)}.score`, sql``)}) / ${Math.max(1, searches.length)}::float8`
      )

    const page = (found: Statement.Fragment, keyset: Position | undefined, limit: number) =>
      sql`with found as (${found}), page as (
        select * from found where ${Ranking.after(sql, keyset)} order by position_at desc, id desc limit ${limit + 1})`

    const servers = (org_id: OrganizationId, query: DiscoverServers, keyset: Position | undefined) => {
      const { q, capability, tag, environment, limit } = query
      const searches = [
        ...(isWanted(q) ? [Ranking.byWords(sql, source("mcp_servers", org_id), q)] : []),
        ...(isWanted(capability)
          ? [
              sql`select c.server_id as id, max(named.score) as score
                from (${Ranking.byName(sql, source("capabilities", org_id), capability)}) named
                  join capabilities c using (id) where ${on} group by c.server_id`
            ]
          : [])
      ]
      const conditions = sql.and([
        sql`s.org_id = ${org_id} and ${live}`,
        ...(tag === undefined ? [] : [sql`s.tags @> array[${tag}]::text[]`]),
        ...(environment === undefined ? [] : [sql`s.environment = ${environment}`])
      ])
      const found = sql`select id, ${scored(searches)} from mcp_servers s ${joined(searches)} where ${conditions}`
      return Rows.all(
        PositionedServer,
        sql`${page(found, keyset, limit)}
          select s.id, s.name, s.description, s.transport, s.status, s.url, s.environment, s.tags, s.version,
            (select count(*) from capabilities c where c.org_id = s.org_id and c.server_id = s.id and ${on}) as capability_count,
            ${Ranking.score(sql)}, position_at
          from page join mcp_servers s using (id) order by position_at desc, id desc`
      )
    }

    const capabilities = (org_id: OrganizationId, query: DiscoverCapabilities, keyset: Position | undefined) => {
      const { q, name, kind, schema, limit } = query
      const searches = [
        ...(isWanted(q) ? [Ranking.byWords(sql, source("capabilities", org_id), q)] : []),
        ...(isWanted(name) ? [Ranking.byName(sql, source("capabilities", org_id), name)] : [])
      ]
      const conditions = sql.and([
        sql`c.org_id = ${org_id} and ${on}`,
        sql`exists (select from mcp_servers s where s.org_id = c.org_id and s.id = c.server_id and ${live})`,
        ...(kind === undefined ? [] : [sql`c.kind = ${kind}`]),
        ...(schema === undefined ? [] : [sql`c.properties @> ${[...schema]}::text[]`])
      ])
      const found = sql`select id, ${scored(searches)} from capabilities c ${joined(searches)} where ${conditions}`
      return Rows.all(
        PositionedCapability,
        sql`${page(found, keyset, limit)}
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
