import { SqlClient, type Statement } from "@effect/sql"
import { Effect, Schema } from "effect"
import { NamedMap } from "../domain/capability/ActionToolMap.ts"
import type { ActionId, CapabilityId, McpServerId, OrganizationId, SuiteId } from "../domain/Ids.ts"
import * as Rows from "../platform/Rows.ts"

/** Which maps use something; at most this many are named. */
const named = 10

const Use = Schema.Struct({ ...NamedMap.fields, used: Schema.String })

/** What action–tool maps use, for those that want to take it away. */
export class MapUsesRepo extends Effect.Service<MapUsesRepo>()("capability/MapUsesRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    const maps = (org_id: OrganizationId, condition: Statement.Fragment) =>
      Rows.all(
        NamedMap,
        sql`select m.id, m.name from action_tool_maps m where m.org_id = ${org_id} and ${condition}
          order by m.name limit ${named}`
      )

    const ofSuite = (org_id: OrganizationId, suite_id: SuiteId) => maps(org_id, sql`m.suite_id = ${suite_id}`)

    const ofServer = (org_id: OrganizationId, server_id: McpServerId) => maps(org_id, sql`m.server_id = ${server_id}`)

    /** Maps that use one of these actions, with that action's name. */
    const ofActions = (org_id: OrganizationId, ids: ReadonlyArray<ActionId>) =>
      Rows.all(
        Use,
        sql`select m.id, m.name, a.name as used from action_tool_mappings am
          join action_tool_maps m on m.org_id = am.org_id and m.id = am.map_id
          join actions a on a.org_id = am.org_id and a.id = am.action_id
          where am.org_id = ${org_id} and ${sql.in("am.action_id", ids)} order by a.name, m.name limit ${named}`
      )

    /** Maps that use one of these parameters of actions, with that parameter's name. */
    const ofParameters = (
      org_id: OrganizationId,
      lost: ReadonlyArray<{ readonly action_id: ActionId; readonly name: string }>
    ) =>
      Rows.all(
        Use,
        sql`select distinct m.id, m.name, p.name as used
          from jsonb_to_recordset(${JSON.stringify(lost)}::jsonb) as l(action_id uuid, name text)
          join action_parameters p on p.org_id = ${org_id} and p.action_id = l.action_id and p.name = l.name
          join action_tool_parameter_mappings pm on pm.org_id = p.org_id and pm.action_parameter_id = p.id
          join action_tool_mappings am on am.org_id = pm.org_id and am.id = pm.mapping_id
          join action_tool_maps m on m.org_id = am.org_id and m.id = am.map_id
          order by used, m.name limit ${named}`
      )

    /** Maps that use one of these tools, with that tool's name. */
    const ofTools = (org_id: OrganizationId, ids: ReadonlyArray<CapabilityId>) =>
      Rows.all(
        Use,
        sql`select distinct m.id, m.name, c.name as used from action_tool_mappings am
          join action_tool_maps m on m.org_id = am.org_id and m.id = am.map_id
          join capabilities c on c.org_id = am.org_id and c.id = am.tool_id
          where am.org_id = ${org_id} and ${sql.in("am.tool_id", ids)} order by used, m.name limit ${named}`
      )

    /** Every parameter of these tools that a map uses. */
    const ofToolParameters = (org_id: OrganizationId, ids: ReadonlyArray<CapabilityId>) =>
      Rows.all(
        Schema.Struct({ ...Use.fields, tool_id: Schema.String }),
        sql`select distinct m.id, m.name, am.tool_id, pm.tool_parameter as used from action_tool_mappings am
          join action_tool_maps m on m.org_id = am.org_id and m.id = am.map_id
          join action_tool_parameter_mappings pm on pm.org_id = am.org_id and pm.mapping_id = am.id
          where am.org_id = ${org_id} and ${sql.in("am.tool_id", ids)} order by used, m.name`
      )

    return { ofSuite, ofServer, ofActions, ofParameters, ofTools, ofToolParameters } as const
  })
}) {}
