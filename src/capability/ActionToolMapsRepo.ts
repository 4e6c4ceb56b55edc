import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { ActionToolMap, MapNameTaken } from "../domain/capability/ActionToolMap.ts"
import { ActionToolMapId, type McpServerId, type OrganizationId, type SuiteId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import type { Tenant } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"
import type { ResolvedMapping } from "./MapResolution.ts"

export interface MapRow {
  readonly org_id: OrganizationId
  readonly suite_id: SuiteId
  readonly server_id: McpServerId
  readonly name: string
}

export interface MapFilter {
  readonly suite_id?: SuiteId | undefined
  readonly server_id?: McpServerId | undefined
  readonly q?: string | undefined
}

const Positioned = Keyset.Positioned(ActionToolMap.fields)

/** Rows of `action_tool_maps` and of their mappings. */
export class ActionToolMapsRepo extends Effect.Service<ActionToolMapsRepo>()("capability/ActionToolMapsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const parameters = sql`(
      select coalesce(json_agg(json_build_object('action_parameter', p.name, 'tool_parameter', pm.tool_parameter,
        'transform', pm.transform) order by pm.position), '[]')
      from action_tool_parameter_mappings pm
        join action_parameters p on p.org_id = pm.org_id and p.id = pm.action_parameter_id
      where pm.org_id = am.org_id and pm.mapping_id = am.id)`
    const columns = sql`id, suite_id, server_id, name, version, created_at, updated_at, (
      select coalesce(json_agg(json_build_object('action', a.name, 'action_id', a.id, 'tool', c.name, 'tool_id', c.id,
        'parameters', ${parameters}) order by am.position), '[]')
      from action_tool_mappings am
        join actions a on a.org_id = am.org_id and a.id = am.action_id
        join capabilities c on c.org_id = am.org_id and c.id = am.tool_id
      where am.org_id = action_tool_maps.org_id and am.map_id = action_tool_maps.id) as mappings`
    const visible = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`org_id = ${org_id}` : sql`org_id = ${org_id} and ${sql.in("suite_id", suite_ids)}`

    const list = (tenant: Tenant, filter: MapFilter, keyset: Position | undefined, limit: number) => {
      const conditions = [
        visible(tenant),
        Keyset.after(sql, keyset),
        ...(filter.suite_id === undefined ? [] : [sql`suite_id = ${filter.suite_id}`]),
        ...(filter.server_id === undefined ? [] : [sql`server_id = ${filter.server_id}`]),
        ...(filter.q === undefined ? [] : [sql`position(lower(${filter.q}) in lower(name)) > 0`])
      ]
      return Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from action_tool_maps where ${sql.and(conditions)}
          order by created_at desc, id desc limit ${limit + 1}`
      )
    }

    const find = (tenant: Tenant, map_id: ActionToolMapId) =>
      Rows.first(
        ActionToolMap,
        sql`select ${columns} from action_tool_maps where ${visible(tenant)} and id = ${map_id}`
      )

    const findNamed = (org_id: OrganizationId, suite_id: SuiteId, name: string) =>
      Rows.first(
        ActionToolMap,
        sql`select ${columns} from action_tool_maps
          where org_id = ${org_id} and suite_id = ${suite_id} and name = ${name}`
      )

    const insert = (map: MapRow) => {
      const map_id = ActionToolMapId.make(id.next())
      return sql`insert into action_tool_maps ${sql.insert({ id: map_id, ...map })}`.pipe(
        Effect.as(map_id),
        Effect.mapError((error) =>
          violates(error, "action_tool_maps_suite_name_unique") ? new MapNameTaken({ name: map.name }) : error
        ),
        orDefect
      )
    }

    /** `newer`: what the map does changes, not only its name. */
    const update = (map_id: ActionToolMapId, { org_id, server_id, name }: MapRow, newer: boolean) =>
      sql`update action_tool_maps
        set name = ${name}, server_id = ${server_id}, version = version + ${newer ? 1 : 0}, updated_at = now()
        where org_id = ${org_id} and id = ${map_id}`.pipe(
        Effect.asVoid,
        Effect.mapError((error) =>
          violates(error, "action_tool_maps_suite_name_unique") ? new MapNameTaken({ name }) : error
        ),
        orDefect
      )

    /** Gives a map these mappings and no others. */
    const replaceMappings = (
      org_id: OrganizationId,
      map_id: ActionToolMapId,
      mappings: ReadonlyArray<ResolvedMapping>
    ) => {
      const rows = mappings.map((mapping, position) => ({ ...mapping, id: id.next(), position }))
      const parameters = rows.flatMap(({ id: mapping_id, action_id, parameters }) =>
        parameters.map((parameter, position) => ({ id: id.next(), mapping_id, action_id, position, ...parameter }))
      )
      return Effect.gen(function* () {
        yield* sql`delete from action_tool_mappings where org_id = ${org_id} and map_id = ${map_id}`
        yield* sql`
          insert into action_tool_mappings (id, org_id, map_id, action_id, tool_id, position)
          select r.id, ${org_id}::uuid, ${map_id}::uuid, r.action_id, r.tool_id, r.position
          from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
            as r(id uuid, action_id uuid, tool_id uuid, position integer)`
        yield* sql`
          insert into action_tool_parameter_mappings
            (id, org_id, mapping_id, action_parameter_id, tool_parameter, transform, position)
          select r.id, ${org_id}::uuid, r.mapping_id, p.id, r.tool_parameter, r.transform, r.position
          from jsonb_to_recordset(${JSON.stringify(parameters)}::jsonb) as r(id uuid, mapping_id uuid, action_id uuid,
              position integer, action_parameter text, tool_parameter text, transform text)
            join action_parameters p
              on p.org_id = ${org_id} and p.action_id = r.action_id and p.name = r.action_parameter`
      }).pipe(orDefect)
    }

    const remove = (tenant: Tenant, map_id: ActionToolMapId) =>
      orDefect(Effect.asVoid(sql`delete from action_tool_maps where ${visible(tenant)} and id = ${map_id}`))

    return { list, find, findNamed, insert, update, replaceMappings, remove } as const
  })
}) {}
