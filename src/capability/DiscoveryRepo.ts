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

const isBlank = (text: string | undefined): text is undefined => text === undefined || text.trim() === ""

/** Servers and capabilities as they are found; `search` and `names` are made by the database of what is in the row. */
export class DiscoveryRepo extends Effect.Service<DiscoveryRepo>()("capability/DiscoveryRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const on = sql`c.enabled and c.gone_at is null`
    const live = sql`s.deleted_at is null`

    const conditions = (all: ReadonlyArray<Ranking.Ranked | undefined>) =>
      all.flatMap((one) => (one === undefined ? [] : [one.matches]))

    /** The mean of what was searched for. */
    const scoreOf = (all: ReadonlyArray<Ranking.Ranked | undefined>): Statement.Fragment => {
      const scores = all.flatMap((one) => (one === undefined ? [] : [one.score]))
      const [first, ...rest] = scores
      if (first === undefined) return sql`0`
      return sql`(${rest.reduce((sum, one) => sql`${sum} + ${one}`, first)}) / ${scores.length}`
    }

    /** The best capability of a server by a name. */
    const offering = (name: string): Ranking.Ranked => {
      const named = Ranking.byName(sql, sql`c.names`, name)
      const these = sql`capabilities c where c.org_id = s.org_id and c.server_id = s.id and ${on} and ${named.matches}`
      return {
        matches: sql`exists (select from ${these})`,
        score: sql`(select max(${named.score}) from ${these})`
      }
    }

    const servers = (org_id: OrganizationId, query: DiscoverServers, keyset: Position | undefined) => {
      const { q, capability, tag, environment, limit } = query
      const ranked = [
        isBlank(q) ? undefined : Ranking.byWords(sql, { search: sql`s.search`, names: sql`s.names` }, q),
        isBlank(capability) ? undefined : offering(capability)
      ]
      const wanted = [
        sql`s.org_id = ${org_id} and ${live}`,
        ...(tag === undefined ? [] : [sql`s.tags @> array[${tag}]::text[]`]),
        ...(environment === undefined ? [] : [sql`s.environment = ${environment}`]),
        ...conditions(ranked)
      ]
      return Rows.all(
        PositionedServer,
        sql`with found as (
            select s.id, ${Ranking.position_at(sql, scoreOf(ranked))} from mcp_servers s where ${sql.and(wanted)}
          ), page as (
            select * from found where ${Ranking.after(sql, keyset)} order by position_at desc, id desc limit ${limit + 1}
          )
          select s.id, s.name, s.description, s.transport, s.status, s.url, s.environment, s.tags, s.version,
            (select count(*) from capabilities c where c.org_id = s.org_id and c.server_id = s.id and ${on}) as capability_count,
            ${Ranking.score(sql)}, position_at
          from page join mcp_servers s using (id) order by position_at desc, id desc`
      )
    }

    const capabilities = (org_id: OrganizationId, query: DiscoverCapabilities, keyset: Position | undefined) => {
      const { q, name, kind, schema, limit } = query
      const ranked = [
        isBlank(q) ? undefined : Ranking.byWords(sql, { search: sql`c.search`, names: sql`c.names` }, q),
        isBlank(name) ? undefined : Ranking.byName(sql, sql`c.names`, name)
      ]
      const wanted = [
        sql`c.org_id = ${org_id} and ${on} and ${live}`,
        ...(kind === undefined ? [] : [sql`c.kind = ${kind}`]),
        ...(schema === undefined ? [] : [sql`c.properties @> ${[...schema]}::text[]`]),
        ...conditions(ranked)
      ]
      return Rows.all(
        PositionedCapability,
        sql`with found as (
            select c.id, ${Ranking.position_at(sql, scoreOf(ranked))}
            from capabilities c join mcp_servers s on s.org_id = c.org_id and s.id = c.server_id
            where ${sql.and(wanted)}
          ), page as (
            select * from found where ${Ranking.after(sql, keyset)} order by position_at desc, id desc limit ${limit + 1}
          )
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
