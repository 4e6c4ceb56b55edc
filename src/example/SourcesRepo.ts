import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { Parameter } from "../domain/capability/Action.ts"
import { Mapping } from "../domain/capability/ActionToolMap.ts"
import { Model } from "../domain/example/Model.ts"
import {
  ActionId,
  ActionToolMapId,
  type ExampleId,
  ModelId,
  OrganizationId,
  type SessionId,
  SuiteId
} from "../domain/Ids.ts"
import type { Tenant } from "../domain/Principal.ts"
import { Session } from "../domain/session/Session.ts"
import * as Rows from "../platform/Rows.ts"

const MapRow = Schema.Struct({ id: ActionToolMapId, suite_id: SuiteId, name: Schema.String })

const RunRow = Schema.Struct({
  org_id: OrganizationId,
  model: Schema.String,
  model_configuration: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
  action_tool_map_id: Schema.NullOr(ActionToolMapId),
  from_seq: Schema.NullOr(Schema.Int),
  to_seq: Schema.NullOr(Schema.Int),
  storage_path: Schema.String,
  suite: Schema.Struct({ name: Schema.String, description: Schema.String }),
  map_version: Schema.NullOr(Schema.Int)
})

/** What a model is called by, and what that costs. */
const CalledModel = Schema.Struct({
  provider: Model.fields.provider,
  name: Model.fields.name,
  base_url: Model.fields.base_url,
  input_price: Model.fields.input_price,
  output_price: Model.fields.output_price,
  context_window: Model.fields.context_window
})

const ActionRow = Schema.Struct({
  id: ActionId,
  name: Schema.String,
  description: Schema.String,
  parameters: Schema.Array(Parameter)
})

const MappingRow = Schema.Struct({
  ...Mapping.fields,
  tool_description: Schema.String,
  input_schema: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})

/** What examples are made of: rows of sessions, models, actions and maps, read only. */
export class SourcesRepo extends Effect.Service<SourcesRepo>()("example/SourcesRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const visible = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`org_id = ${org_id}` : sql`org_id = ${org_id} and ${sql.in("suite_id", suite_ids)}`

    const called = sql`provider, name, base_url, input_price::float8 as input_price,
      output_price::float8 as output_price, context_window`

    const session = (tenant: Tenant, id: SessionId) =>
      Rows.first(
        Session,
        sql`select id, user_id, suite_id, description, format, status, status_reason, errors, record_source, file_count, size_bytes, event_count,
            started_at, ended_at, metadata, created_at, updated_at
          from sessions where ${visible(tenant)} and id = ${id}`
      )

    const model = (tenant: Tenant, id: ModelId) =>
      Rows.first(
        CalledModel,
        sql`select ${called} from models where (org_id = ${tenant.org_id} or org_id is null) and id = ${id}`
      )

    /** The model that makes examples of the suite's sessions as they come. */
    const onUpload = (org_id: OrganizationId, suite_id: SuiteId) =>
      Rows.first(
        Schema.Struct({ ...CalledModel.fields, id: ModelId }),
        sql`select m.id, ${called} from models m
          where m.id = (select on_upload_model_id from suites where org_id = ${org_id} and id = ${suite_id})`
      )

    const map = (tenant: Tenant, id: ActionToolMapId) =>
      Rows.first(MapRow, sql`select id, suite_id, name from action_tool_maps where ${visible(tenant)} and id = ${id}`)

    /** A few of a suite's maps: enough to see whether there is one. */
    const maps = (tenant: Tenant, suite_id: SuiteId) =>
      Rows.all(
        MapRow,
        sql`select id, suite_id, name from action_tool_maps where ${visible(tenant)} and suite_id = ${suite_id}
          order by name limit 10`
      )

    const run = (id: ExampleId) =>
      Rows.first(
        RunRow,
        sql`select e.org_id, e.model, e.model_configuration, e.action_tool_map_id, e.from_seq, e.to_seq, e.storage_path,
            json_build_object('name', s.name, 'description', s.description) as suite, m.version as map_version
          from examples e join suites s on s.org_id = e.org_id and s.id = e.suite_id
            left join action_tool_maps m on m.org_id = e.org_id and m.id = e.action_tool_map_id
          where e.id = ${id}`
      )

    /** The example's model as it is now; undefined when it was deleted. */
    const modelOf = (id: ExampleId) =>
      Rows.first(
        CalledModel,
        sql`select ${called} from models where id = (select model_id from examples where id = ${id})`
      )

    const sessionOf = (id: ExampleId) =>
      Rows.first(
        Session,
        sql`select s.id, s.user_id, s.suite_id, s.description, s.format, s.status, s.status_reason, s.errors, s.record_source, s.file_count,
            s.size_bytes, s.event_count, s.started_at, s.ended_at, s.metadata, s.created_at, s.updated_at
          from examples e join sessions s on s.id = e.session_id where e.id = ${id}`
      )

    /** The actions of the example's suite, in an order that stays. */
    const actions = (id: ExampleId) =>
      Rows.all(
        ActionRow,
        sql`select a.id, a.name, a.description,
            (select coalesce(json_agg(json_build_object('name', p.name, 'type', p.type, 'required', p.required,
                'description', p.description) order by p.position), '[]')
              from action_parameters p where p.org_id = a.org_id and p.action_id = a.id) as parameters
          from examples e join actions a on a.org_id = e.org_id and a.suite_id = e.suite_id
          where e.id = ${id} order by a.name collate "C"`
      )

    const mappings = (id: ExampleId) =>
      Rows.all(
        MappingRow,
        sql`select a.name as action, a.id as action_id, c.name as tool, c.id as tool_id, c.description as tool_description,
            c.input_schema, (
              select coalesce(json_agg(json_build_object('action_parameter', p.name, 'tool_parameter', pm.tool_parameter,
                'transform', pm.transform) order by pm.position), '[]')
              from action_tool_parameter_mappings pm
                join action_parameters p on p.org_id = pm.org_id and p.id = pm.action_parameter_id
              where pm.org_id = am.org_id and pm.mapping_id = am.id) as parameters
          from examples e
            join action_tool_mappings am on am.org_id = e.org_id and am.map_id = e.action_tool_map_id
            join actions a on a.org_id = am.org_id and a.id = am.action_id
            join capabilities c on c.org_id = am.org_id and c.id = am.tool_id
          where e.id = ${id} order by am.position`
      )

    return { session, model, onUpload, map, maps, run, modelOf, sessionOf, actions, mappings } as const
  })
}) {}
