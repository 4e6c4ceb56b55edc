import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/**
 * MCP servers and what they can do. Schemas are `json`, not `jsonb`: the order of a tool's
 * properties is the order of its parameters, and jsonb forgets it.
 */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table mcp_servers (
        id uuid primary key,
        org_id uuid not null constraint mcp_servers_org references organizations on delete cascade,
        name text not null constraint mcp_servers_name_length check (char_length(name) between 1 and 200),
        description text not null default '' constraint mcp_servers_description_length check (char_length(description) <= 10000),
        transport text not null constraint mcp_servers_transport
          check (transport in ('stdio', 'sse', 'streamable-http', 'builtin')),
        command text constraint mcp_servers_command_length check (char_length(command) between 1 and 1000),
        args jsonb not null default '[]' constraint mcp_servers_args_array check (jsonb_typeof(args) = 'array'),
        env jsonb not null default '{}' constraint mcp_servers_env_object check (jsonb_typeof(env) = 'object'),
        url text constraint mcp_servers_url_length check (char_length(url) <= 2000),
        headers jsonb not null default '{}' constraint mcp_servers_headers_object check (jsonb_typeof(headers) = 'object'),
        environment text not null constraint mcp_servers_environment
          check (environment in ('development', 'staging', 'production')),
        tags text[] not null default '{}',
        status text not null default 'registered' constraint mcp_servers_status
          check (status in ('registered', 'active', 'inactive', 'error')),
        status_reason text constraint mcp_servers_status_reason_length check (char_length(status_reason) <= 2000),
        config jsonb not null default '{}' constraint mcp_servers_config_object check (jsonb_typeof(config) = 'object'),
        version text not null default '' constraint mcp_servers_version_length check (char_length(version) <= 100),
        protocol_version text constraint mcp_servers_protocol_version_length check (char_length(protocol_version) <= 100),
        health_interval_s integer constraint mcp_servers_health_interval check (health_interval_s between 5 and 86400),
        shared boolean not null default false,
        deleted_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint mcp_servers_org_id_unique unique (org_id, id),
        constraint mcp_servers_address check (case transport
          when 'stdio' then command is not null and url is null
          when 'builtin' then command is null and url is null
          else command is null and url is not null end)
      )`
    yield* sql`create unique index mcp_servers_org_name_unique on mcp_servers (org_id, name) where deleted_at is null`
    for (const filter of ["status", "transport", "environment"]) {
      yield* sql`create index ${sql(`mcp_servers_org_${filter}_created`)}
        on mcp_servers (org_id, ${sql(filter)}, created_at desc, id desc) where deleted_at is null`
    }
    yield* sql`create index mcp_servers_org_created on mcp_servers (org_id, created_at desc, id desc) where deleted_at is null`
    yield* sql`create index mcp_servers_tags on mcp_servers using gin (tags) where deleted_at is null`
    yield* sql`
      create table capabilities (
        id uuid primary key,
        org_id uuid not null constraint capabilities_org references organizations on delete cascade,
        server_id uuid not null,
        kind text not null constraint capabilities_kind check (kind in ('tool', 'resource', 'resource_template', 'prompt')),
        name text not null constraint capabilities_name_length check (char_length(name) between 1 and 2000),
        title text constraint capabilities_title_length check (char_length(title) <= 1000),
        description text not null default '',
        input_schema json constraint capabilities_input_schema_object check (json_typeof(input_schema) = 'object'),
        output_schema json constraint capabilities_output_schema_object check (json_typeof(output_schema) = 'object'),
        annotations json constraint capabilities_annotations_object check (json_typeof(annotations) = 'object'),
        enabled boolean not null default true,
        source text not null constraint capabilities_source check (source in ('discovered', 'manual')),
        definition_hash text not null constraint capabilities_definition_hash_form check (definition_hash ~ '^[0-9a-f]{64}$'),
        approved_hash text constraint capabilities_approved_hash_form check (approved_hash ~ '^[0-9a-f]{64}$'),
        first_seen_at timestamptz,
        last_seen_at timestamptz,
        gone_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint capabilities_server foreign key (org_id, server_id) references mcp_servers (org_id, id) on delete cascade,
        constraint capabilities_server_kind_name_unique unique (server_id, kind, name),
        constraint capabilities_org_id_unique unique (org_id, id),
        constraint capabilities_tool_input check (kind <> 'tool' or input_schema is not null)
      )`
    yield* sql`create index capabilities_org_server_created on capabilities (org_id, server_id, created_at desc, id desc)`
    yield* sql`create index capabilities_org_server_kind_created on capabilities (org_id, server_id, kind, created_at desc, id desc)`
    // What a schema may leave out or spell in several ways comes to one type; what says none takes text.
    yield* sql`
      create view tool_parameters as
      select c.org_id, c.server_id, c.id as tool_id, p.name,
        case coalesce(
          case json_typeof(p.schema -> 'type')
            when 'string' then p.schema ->> 'type'
            when 'array' then (select t from json_array_elements_text(p.schema -> 'type') t where t <> 'null' limit 1)
          end,
          (select o ->> 'type' from json_array_elements(case
              when json_typeof(p.schema -> 'anyOf') = 'array' then p.schema -> 'anyOf'
              when json_typeof(p.schema -> 'oneOf') = 'array' then p.schema -> 'oneOf' else '[]' end) o
            where json_typeof(o -> 'type') = 'string' and o ->> 'type' <> 'null' limit 1),
          case when p.schema -> 'properties' is not null then 'object' when p.schema -> 'items' is not null then 'array' end,
          case when json_typeof(p.schema -> 'enum') = 'array' then json_typeof(p.schema -> 'enum' -> 0) end)
          when 'integer' then 'NUMBER' when 'number' then 'NUMBER' when 'boolean' then 'BOOLEAN'
          when 'object' then 'OBJECT' when 'array' then 'ARRAY' else 'STRING' end as type,
        exists (select 1 from json_array_elements_text(case
            when json_typeof(c.input_schema -> 'required') = 'array' then c.input_schema -> 'required' else '[]' end) r
          where r = p.name) as required,
        case when json_typeof(p.schema -> 'description') = 'string' then p.schema ->> 'description' else '' end as description,
        (p.ordinality - 1)::integer as position
      from capabilities c, json_each(case when json_typeof(c.input_schema -> 'properties') = 'object'
          then c.input_schema -> 'properties' else '{}' end) with ordinality as p(name, schema, ordinality)
      where c.kind = 'tool'`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop view tool_parameters`
    yield* sql`drop table capabilities, mcp_servers`
  })
}
