import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { transportOf } from "../domain/capability/Connection.ts"
import { type CreateMcpServer, mcpServerNotFound, type UpdateMcpServer } from "../domain/capability/McpServer.ts"
import type { McpServerId } from "../domain/Ids.ts"
import { all, CurrentPrincipal, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { MapUses } from "./MapUses.ts"
import { type McpServerFilter, McpServersRepo } from "./McpServersRepo.ts"

/** The catalogue of MCP servers. */
export class McpServers extends Effect.Service<McpServers>()("capability/McpServers", {
  dependencies: [McpServersRepo.Default, MapUses.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* McpServersRepo
    const uses = yield* MapUses
    const audit = yield* Audit
    const read = withPolicy(scope("servers:read"))
    const write = withPolicy(all(scope("servers:write"), unrestricted))

    const create = Effect.fn("McpServers.create")(function* (wanted: CreateMcpServer) {
      const { org_id } = yield* CurrentPrincipal
      const transport = yield* transportOf(wanted)
      return yield* Effect.tap(repo.insert(org_id, { ...wanted, transport }), (server) =>
        audit.record({ action: "mcp_server.create", resource: `mcp_server/${server.id}`, after: server })
      ).pipe(sql.withTransaction, orDefect)
    }, write)

    const list = Effect.fn("McpServers.list")(function* (
      query: McpServerFilter & { readonly limit: number; readonly cursor?: string }
    ) {
      const { org_id } = yield* CurrentPrincipal
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.list(org_id, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("McpServers.get")(function* (id: McpServerId) {
      const { org_id } = yield* CurrentPrincipal
      return (yield* repo.find(org_id, id)) ?? (yield* mcpServerNotFound(id))
    }, read)

    const update = Effect.fn("McpServers.update")(function* (id: McpServerId, change: UpdateMcpServer) {
      const { org_id } = yield* CurrentPrincipal
      return yield* Effect.gen(function* () {
        const before = (yield* repo.lock(org_id, id)) ?? (yield* mcpServerNotFound(id))
        if (Object.keys(change).length === 0) return before
        const merged = { ...before, ...change }
        // A server that moves between a command and a URL is spoken to differently from then on.
        const moved = (before.command === null) !== (merged.command === null)
        const transport = yield* transportOf({
          ...merged,
          transport: change.transport ?? (moved ? undefined : before.transport)
        })
        const server = yield* repo.update(org_id, id, { ...merged, transport })
        yield* audit.record({ action: "mcp_server.update", resource: `mcp_server/${id}`, before, after: server })
        return server
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("McpServers.delete")(function* (id: McpServerId) {
      const { org_id } = yield* CurrentPrincipal
      yield* Effect.gen(function* () {
        const before = (yield* repo.lock(org_id, id)) ?? (yield* mcpServerNotFound(id))
        yield* uses.server(org_id, id)
        yield* repo.remove(org_id, id)
        yield* audit.record({ action: "mcp_server.delete", resource: `mcp_server/${id}`, before })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    return { create, list, get, update, delete: remove } as const
  })
}) {}
