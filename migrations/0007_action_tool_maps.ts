import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/**
 * Which tool does what a person does. What a map needs cannot be deleted under it; `no action`
 * rather than `restrict`, so that an organization can still go with all that it has.
 */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table action_tool_maps (
        id uuid primary key,
        org_id uuid not null constraint action_tool_maps_org references organizations on delete cascade,
        suite_id uuid not null,
        server_id uuid not null,
        name text not null constraint action_tool_maps_name_length check (char_length(name) between 1 and 200),
        version integer not null default 1 constraint action_tool_maps_version check (version >= 1),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint action_tool_maps_suite foreign key (org_id, suite_id) references suites (org_id, id) on delete no action,
        constraint action_tool_maps_server foreign key (org_id, server_id) references mcp_servers (org_id, id) on delete no action,
        constraint action_tool_maps_suite_name_unique unique (suite_id, name),
        constraint action_tool_maps_org_id_unique unique (org_id, id)
      )`
    yield* sql`create index action_tool_maps_org_created on action_tool_maps (org_id, created_at desc, id desc)`
    yield* sql`create index action_tool_maps_org_suite_created on action_tool_maps (org_id, suite_id, created_at desc, id desc)`
    yield* sql`create index action_tool_maps_org_server_created on action_tool_maps (org_id, server_id, created_at desc, id desc)`
    yield* sql`
      create table action_tool_mappings (
        id uuid primary key,
        org_id uuid not null constraint action_tool_mappings_org references organizations on delete cascade,
        map_id uuid not null,
        action_id uuid not null,
        tool_id uuid not null,
        position integer not null constraint action_tool_mappings_position check (position >= 0),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint action_tool_mappings_map foreign key (org_id, map_id) references action_tool_maps (org_id, id) on delete cascade,
        constraint action_tool_mappings_action foreign key (org_id, action_id) references actions (org_id, id) on delete no action,
        constraint action_tool_mappings_tool foreign key (org_id, tool_id) references capabilities (org_id, id) on delete no action,
        constraint action_tool_mappings_map_action_unique unique (map_id, action_id),
        constraint action_tool_mappings_org_id_unique unique (org_id, id)
      )`
    yield* sql`create index action_tool_mappings_org_map on action_tool_mappings (org_id, map_id)`
    yield* sql`create index action_tool_mappings_org_action on action_tool_mappings (org_id, action_id)`
    yield* sql`create index action_tool_mappings_org_tool on action_tool_mappings (org_id, tool_id)`
    yield* sql`
      create table action_tool_parameter_mappings (
        id uuid primary key,
        org_id uuid not null constraint action_tool_parameter_mappings_org references organizations on delete cascade,
        mapping_id uuid not null,
        action_parameter_id uuid not null,
        tool_parameter text not null constraint action_tool_parameter_mappings_tool_parameter_length
          check (char_length(tool_parameter) between 1 and 1000),
        transform text not null constraint action_tool_parameter_mappings_transform
          check (transform in ('none', 'to_string', 'to_number', 'to_boolean', 'json', 'trim', 'lower')),
        position integer not null constraint action_tool_parameter_mappings_position check (position >= 0),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint action_tool_parameter_mappings_mapping foreign key (org_id, mapping_id)
          references action_tool_mappings (org_id, id) on delete cascade,
        constraint action_tool_parameter_mappings_action_parameter foreign key (org_id, action_parameter_id)
          references action_parameters (org_id, id) on delete no action,
        constraint action_tool_parameter_mappings_tool_parameter_unique unique (mapping_id, tool_parameter)
      )`
    yield* sql`create index action_tool_parameter_mappings_org_mapping on action_tool_parameter_mappings (org_id, mapping_id)`
    yield* sql`create index action_tool_parameter_mappings_org_parameter
      on action_tool_parameter_mappings (org_id, action_parameter_id)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table action_tool_parameter_mappings, action_tool_mappings, action_tool_maps`
  })
}
