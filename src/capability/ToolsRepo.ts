import { SqlClient } from "@effect/sql"
import canonicalize from "canonicalize"
import { Effect } from "effect"
import { Capability, type CapabilityKind, type CreateTool, Tool, ToolNameTaken } from "../domain/capability/Tool.ts"
import type { CapabilityId, McpServerId, OrganizationId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

/** Which server's tools; that the server is there was found out before. */
export interface OfServer {
  readonly org_id: OrganizationId
  readonly server_id: McpServerId
}

export type ToolRow = CreateTool & { readonly id: CapabilityId }

/** SHA-256 over the canonical JSON (RFC 8785) of what describes a tool. */
const definitionHash = ({ name, title, description, input_schema, output_schema, annotations }: CreateTool): string =>
  new Bun.CryptoHasher("sha256")
    .update(canonicalize({ name, title, description, input_schema, output_schema, annotations }) ?? "")
    .digest("hex")

const PositionedTool = Keyset.Positioned(Tool.fields)
const PositionedCapability = Keyset.Positioned(Capability.fields)

/** Rows of `capabilities`. */
export class ToolsRepo extends Effect.Service<ToolsRepo>()("capability/ToolsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const common = sql`id, server_id, name, title, description, input_schema, output_schema, annotations, enabled, source,
      definition_hash, created_at, updated_at`
    const columns = sql`${common},
      (select coalesce(json_agg(json_build_object('name', p.name, 'type', p.type, 'required', p.required,
          'description', p.description) order by p.position), '[]')
        from tool_parameters p where p.org_id = capabilities.org_id and p.tool_id = capabilities.id) as parameters`
    const within = ({ org_id, server_id }: OfServer) => sql`org_id = ${org_id} and server_id = ${server_id}`
    const tools = (server: OfServer) => sql`${within(server)} and kind = 'tool'`
    const containing = (q: string | undefined) =>
      q === undefined ? sql`true` : sql`position(lower(${q}) in lower(name || ' ' || description)) > 0`

    const list = (
      server: OfServer,
      filter: { readonly q?: string | undefined },
      keyset: Position | undefined,
      limit: number
    ) =>
      Rows.all(
        PositionedTool,
        sql`select ${columns}, ${Keyset.position_at(sql)} from capabilities
          where ${tools(server)} and ${Keyset.after(sql, keyset)} and ${containing(filter.q)}
          order by created_at desc, id desc limit ${limit + 1}`
      )

    const capabilities = (
      server: OfServer,
      filter: { readonly kind?: typeof CapabilityKind.Type | undefined; readonly q?: string | undefined },
      keyset: Position | undefined,
      limit: number
    ) =>
      Rows.all(
        PositionedCapability,
        sql`select ${common}, kind, approved_hash, first_seen_at, last_seen_at, gone_at, ${Keyset.position_at(sql)}
          from capabilities where ${within(server)} and ${Keyset.after(sql, keyset)}
            and ${filter.kind === undefined ? sql`true` : sql`kind = ${filter.kind}`} and ${containing(filter.q)}
          order by created_at desc, id desc limit ${limit + 1}`
      )

    /** Every tool of a server, oldest first. */
    const all = (server: OfServer) =>
      Rows.all(Tool, sql`select ${columns} from capabilities where ${tools(server)} order by created_at, id`)

    const find = (server: OfServer, tool_id: CapabilityId) =>
      Rows.first(Tool, sql`select ${columns} from capabilities where ${tools(server)} and id = ${tool_id}`)

    /** A tool of any server, deleted ones too; of those that are still offered. */
    const findAnywhere = (org_id: OrganizationId, id: CapabilityId) =>
      Rows.first(
        Tool,
        sql`select ${columns} from capabilities
          where org_id = ${org_id} and kind = 'tool' and id = ${id} and gone_at is null`
      )

    /** Inserts and updates tools that are described by hand; what a person describes is approved by that. */
    const save = (server: OfServer, rows: ReadonlyArray<ToolRow>) => {
      const values = rows.map((tool) => ({ ...tool, definition_hash: definitionHash(tool) }))
      return sql`
        insert into capabilities (id, org_id, server_id, kind, name, title, description, input_schema, output_schema,
          annotations, source, definition_hash, approved_hash)
        select t.id, ${server.org_id}::uuid, ${server.server_id}::uuid, 'tool', t.name, t.title, t.description,
          t.input_schema, t.output_schema, t.annotations, 'manual', t.definition_hash, t.definition_hash
        from json_to_recordset(${JSON.stringify(values)}::json) as t(id uuid, name text, title text, description text,
          input_schema json, output_schema json, annotations json, definition_hash text)
        on conflict (id) do update set name = excluded.name, title = excluded.title, description = excluded.description,
          input_schema = excluded.input_schema, output_schema = excluded.output_schema, annotations = excluded.annotations,
          definition_hash = excluded.definition_hash, approved_hash = excluded.approved_hash, updated_at = now()`.pipe(
        Effect.mapError((error) =>
          violates(error, "capabilities_server_kind_name_unique")
            ? new ToolNameTaken({ name: rows.map(({ name }) => name).join(", ") })
            : error
        ),
        Effect.asVoid,
        orDefect
      )
    }

    const remove = (server: OfServer, ids: ReadonlyArray<CapabilityId>) =>
      orDefect(Effect.asVoid(sql`delete from capabilities where ${tools(server)} and ${sql.in("id", ids)}`))

    return { list, capabilities, all, find, findAnywhere, save, remove } as const
  })
}) {}
