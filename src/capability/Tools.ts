import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { mcpServerNotFound } from "../domain/capability/McpServer.ts"
import {
  type CapabilityKind,
  type CreateTool,
  type Tool,
  ToolDiscovered,
  toolNotFound,
  type UpdateTool
} from "../domain/capability/Tool.ts"
import { NotFound } from "../domain/Errors.ts"
import { CapabilityId, type McpServerId } from "../domain/Ids.ts"
import { all, CurrentPrincipal, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { McpServersRepo } from "./McpServersRepo.ts"
import { type OfServer, ToolsRepo } from "./ToolsRepo.ts"
import { ToolWrites } from "./ToolWrites.ts"

interface Query {
  readonly limit: number
  readonly cursor?: string
  readonly q?: string
}

const byHand = (tool: Tool) => (tool.source === "manual" ? Effect.void : new ToolDiscovered({ id: tool.id }))

/** Tools of MCP servers, described by hand, and whatever else the servers offer. */
export class Tools extends Effect.Service<Tools>()("capability/Tools", {
  dependencies: [McpServersRepo.Default, ToolsRepo.Default, ToolWrites.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const newId = yield* Id
    const servers = yield* McpServersRepo
    const repo = yield* ToolsRepo
    const writes = yield* ToolWrites
    const audit = yield* Audit
    const read = withPolicy(scope("servers:read"))
    const write = withPolicy(all(scope("servers:write"), unrestricted))

    const within = (server_id: McpServerId, look: "find" | "lock") =>
      Effect.gen(function* () {
        const { org_id } = yield* CurrentPrincipal
        if ((yield* servers[look](org_id, server_id)) === undefined) return yield* mcpServerNotFound(server_id)
        return { org_id, server_id } satisfies OfServer
      })

    const existing = (server: OfServer, id: CapabilityId) =>
      Effect.flatMap(repo.find(server, id), (tool) => (tool === undefined ? toolNotFound(id) : Effect.succeed(tool)))

    const create = Effect.fn("Tools.create")(function* (server_id: McpServerId, wanted: CreateTool) {
      return yield* Effect.gen(function* () {
        const server = yield* within(server_id, "lock")
        const id = CapabilityId.make(newId.next())
        yield* repo.save(server, [{ ...wanted, id }])
        const tool = yield* existing(server, id)
        yield* audit.record({ action: "tool.create", resource: `tool/${id}`, after: tool })
        return tool
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const list = Effect.fn("Tools.list")(function* (server_id: McpServerId, query: Query) {
      const keyset = yield* Keyset.position(query.cursor)
      const server = yield* within(server_id, "find")
      return Keyset.page(yield* repo.list(server, query, keyset, query.limit), query.limit)
    }, read)

    const capabilities = Effect.fn("Tools.capabilities")(function* (
      server_id: McpServerId,
      query: Query & { readonly kind?: typeof CapabilityKind.Type }
    ) {
      const keyset = yield* Keyset.position(query.cursor)
      const server = yield* within(server_id, "find")
      return Keyset.page(yield* repo.capabilities(server, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Tools.get")(function* (server_id: McpServerId, id: CapabilityId) {
      return yield* existing(yield* within(server_id, "find"), id)
    }, read)

    /** A tool by its id alone, with the server that it is of. */
    const find = Effect.fn("Tools.find")(function* (id: CapabilityId) {
      const { org_id } = yield* CurrentPrincipal
      const tool = yield* repo.findAnywhere(org_id, id)
      const server = tool && (yield* servers.find(org_id, tool.server_id))
      if (tool === undefined || server === undefined) return yield* new NotFound({ detail: `there is no tool ${id}` })
      return { tool, server }
    }, read)

    const update = Effect.fn("Tools.update")(function* (server_id: McpServerId, id: CapabilityId, change: UpdateTool) {
      return yield* Effect.gen(function* () {
        const server = yield* within(server_id, "lock")
        const before = yield* existing(server, id)
        yield* byHand(before)
        if (Object.keys(change).length === 0) return before
        yield* writes.save(server, [{ ...before, ...change }])
        const after = yield* existing(server, id)
        yield* audit.record({ action: "tool.update", resource: `tool/${id}`, before, after })
        return after
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("Tools.delete")(function* (server_id: McpServerId, id: CapabilityId) {
      yield* Effect.gen(function* () {
        const server = yield* within(server_id, "lock")
        const before = yield* existing(server, id)
        yield* byHand(before)
        yield* writes.remove(server, [before])
        yield* audit.record({ action: "tool.delete", resource: `tool/${id}`, before })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    return { create, list, capabilities, get, find, update, delete: remove } as const
  })
}) {}
