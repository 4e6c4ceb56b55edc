import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import {
  type CreateMcpServer,
  type Environment,
  McpServer,
  McpServerNameTaken,
  type ServerStatus,
  type Transport
} from "../domain/capability/McpServer.ts"
import type { McpServerId, OrganizationId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

export type McpServerRow = Omit<CreateMcpServer, "transport"> & { readonly transport: Transport }

export interface McpServerFilter {
  readonly status?: typeof ServerStatus.Type | undefined
  readonly transport?: Transport | undefined
  readonly environment?: typeof Environment.Type | undefined
  readonly tag?: string | undefined
  readonly q?: string | undefined
}

const Positioned = Keyset.Positioned(McpServer.fields)

/** Rows of `mcp_servers` that are not deleted. */
export class McpServersRepo extends Effect.Service<McpServersRepo>()("capability/McpServersRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, name, description, transport, command, args, env, url, headers, environment, tags, status,
      status_reason, config, version, protocol_version, health_interval_s, shared, created_at, updated_at`
    const live = (org_id: OrganizationId) => sql`org_id = ${org_id} and deleted_at is null`

    const columnsOf = (server: McpServerRow) => ({
      name: server.name,
      description: server.description,
      transport: server.transport,
      command: server.command,
      args: JSON.stringify(server.args),
      env: JSON.stringify(server.env),
      url: server.url,
      headers: JSON.stringify(server.headers),
      environment: server.environment,
      tags: server.tags,
      config: JSON.stringify(server.config),
      version: server.version,
      health_interval_s: server.health_interval_s,
      shared: server.shared
    })

    const insert = (org_id: OrganizationId, server: McpServerRow) =>
      sql`insert into mcp_servers ${sql.insert({ id: id.next(), org_id, ...columnsOf(server) })} returning ${columns}`.pipe(
        Effect.mapError((error) =>
          violates(error, "mcp_servers_org_name_unique") ? new McpServerNameTaken({ name: server.name }) : error
        ),
        (query) => Rows.one(McpServer, query)
      )

    /** Inserts a server, or answers undefined when there is one of this name. */
    const insertNew = (org_id: OrganizationId, server: McpServerRow) =>
      Rows.first(
        McpServer,
        sql`insert into mcp_servers ${sql.insert({ id: id.next(), org_id, ...columnsOf(server) })}
          on conflict (org_id, name) where deleted_at is null do nothing returning ${columns}`
      )

    const list = (org_id: OrganizationId, filter: McpServerFilter, keyset: Position | undefined, limit: number) => {
      const conditions = [
        live(org_id),
        Keyset.after(sql, keyset),
        ...(filter.status === undefined ? [] : [sql`status = ${filter.status}`]),
        ...(filter.transport === undefined ? [] : [sql`transport = ${filter.transport}`]),
        ...(filter.environment === undefined ? [] : [sql`environment = ${filter.environment}`]),
        ...(filter.tag === undefined ? [] : [sql`tags @> array[${filter.tag}]::text[]`]),
        ...(filter.q === undefined ? [] : [sql`position(lower(${filter.q}) in lower(name || ' ' || description)) > 0`])
      ]
      return Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from mcp_servers where ${sql.and(conditions)}
          order by created_at desc, id desc limit ${limit + 1}`
      )
    }

    const find = (org_id: OrganizationId, server_id: McpServerId) =>
      Rows.first(McpServer, sql`select ${columns} from mcp_servers where ${live(org_id)} and id = ${server_id}`)

    /** The server, which nobody else changes until the transaction ends. */
    const lock = (org_id: OrganizationId, server_id: McpServerId) =>
      Rows.first(
        McpServer,
        sql`select ${columns} from mcp_servers where ${live(org_id)} and id = ${server_id} for no key update`
      )

    const lockNamed = (org_id: OrganizationId, name: string) =>
      Rows.first(
        McpServer,
        sql`select ${columns} from mcp_servers where ${live(org_id)} and name = ${name} for no key update`
      )

    /** The server of this name or, where there is none, of this id. */
    const lockReferred = (org_id: OrganizationId, reference: string) =>
      Rows.first(
        McpServer,
        sql`select ${columns} from mcp_servers where ${live(org_id)} and (name = ${reference} or id::text = ${reference})
          order by name = ${reference} desc limit 1 for no key update`
      )

    const update = (org_id: OrganizationId, server_id: McpServerId, server: McpServerRow) =>
      sql`update mcp_servers set ${sql.update(columnsOf(server))}, updated_at = now()
        where ${live(org_id)} and id = ${server_id} returning ${columns}`.pipe(
        Effect.mapError((error) =>
          violates(error, "mcp_servers_org_name_unique") ? new McpServerNameTaken({ name: server.name }) : error
        ),
        (query) => Rows.one(McpServer, query)
      )

    /** Marks the server as deleted; its rows stay for what refers to them. */
    const remove = (org_id: OrganizationId, server_id: McpServerId) =>
      orDefect(
        Effect.asVoid(
          sql`update mcp_servers set deleted_at = now(), updated_at = now() where ${live(org_id)} and id = ${server_id}`
        )
      )

    return { insert, insertNew, list, find, lock, lockNamed, lockReferred, update, remove } as const
  })
}) {}
