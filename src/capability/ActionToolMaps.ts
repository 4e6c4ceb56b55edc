import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { type CreateActionToolMap, mapNotFound, type UpdateActionToolMap } from "../domain/capability/ActionToolMap.ts"
import { mcpServerNotFound } from "../domain/capability/McpServer.ts"
import { suiteNotFound } from "../domain/capability/Suite.ts"
import { AppliedActionToolMap, type PutActionToolMap } from "../domain/capability/Surface.ts"
import { NotFound } from "../domain/Errors.ts"
import type { ActionToolMapId, McpServerId, SuiteId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { ActionToolMapsRepo, type MapFilter } from "./ActionToolMapsRepo.ts"
import { MapWrites } from "./MapWrites.ts"
import { McpServersRepo } from "./McpServersRepo.ts"
import { SuitesRepo } from "./SuitesRepo.ts"

/** Action–tool maps: which tool of a server does what which action of a suite does. */
export class ActionToolMaps extends Effect.Service<ActionToolMaps>()("capability/ActionToolMaps", {
  dependencies: [
    SuitesRepo.Default,
    McpServersRepo.Default,
    ActionToolMapsRepo.Default,
    MapWrites.Default,
    Audit.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const suites = yield* SuitesRepo
    const servers = yield* McpServersRepo
    const repo = yield* ActionToolMapsRepo
    const writes = yield* MapWrites
    const audit = yield* Audit
    const read = withPolicy(scope("maps:read"))
    const write = withPolicy(scope("maps:write"))

    /** Both sides stay as they are until the transaction ends. The suite always comes first: no deadlock. */
    const lock = (suite_id: SuiteId, server_id: McpServerId) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        if ((yield* suites.lock(principal, suite_id)) === undefined) return yield* suiteNotFound(suite_id)
        if ((yield* servers.lock(principal.org_id, server_id)) === undefined) return yield* mcpServerNotFound(server_id)
        return { org_id: principal.org_id, suite_id, server_id }
      })

    const lockReferred = (suite: string, server: string) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const missing = (what: string, name: string) =>
          new NotFound({ detail: `there is no ${what} ${JSON.stringify(name)}` })
        const { id: suite_id } = (yield* suites.lockReferred(principal, suite)) ?? (yield* missing("suite", suite))
        const { id: server_id } =
          (yield* servers.lockReferred(principal.org_id, server)) ?? (yield* missing("MCP server", server))
        return { org_id: principal.org_id, suite_id, server_id }
      })

    const existing = (id: ActionToolMapId) =>
      Effect.flatMap(CurrentPrincipal, (principal) =>
        Effect.flatMap(repo.find(principal, id), (map) => (map === undefined ? mapNotFound(id) : Effect.succeed(map)))
      )

    const resource = (id: ActionToolMapId) => `action_tool_map/${id}`

    const create = Effect.fn("ActionToolMaps.create")(function* (wanted: CreateActionToolMap) {
      return yield* Effect.gen(function* () {
        const sides = yield* lock(wanted.suite_id, wanted.server_id)
        const map = yield* writes.create({ ...sides, name: wanted.name }, wanted.mappings)
        yield* audit.record({ action: "action_tool_map.create", resource: resource(map.id), after: map })
        return map
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const list = Effect.fn("ActionToolMaps.list")(function* (
      query: MapFilter & { readonly limit: number; readonly cursor?: string }
    ) {
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.list(yield* CurrentPrincipal, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("ActionToolMaps.get")(existing, read)

    const update = Effect.fn("ActionToolMaps.update")(function* (id: ActionToolMapId, change: UpdateActionToolMap) {
      return yield* Effect.gen(function* () {
        const found = yield* existing(id)
        const sides = yield* lock(found.suite_id, found.server_id)
        const before = yield* existing(id)
        const after = yield* writes.update(before, { ...sides, name: change.name ?? before.name }, change.mappings)
        if (after === before) return before
        yield* audit.record({ action: "action_tool_map.update", resource: resource(id), before, after })
        return after
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    /** Makes a map equal to the body; the same body twice changes nothing. */
    const put = Effect.fn("ActionToolMaps.put")(function* (wanted: PutActionToolMap) {
      return yield* Effect.gen(function* () {
        const map = { ...(yield* lockReferred(wanted.suite, wanted.server)), name: wanted.name }
        const before = yield* repo.findNamed(map.org_id, map.suite_id, map.name)
        if (before === undefined) {
          const made = yield* writes.create(map, wanted.mappings)
          yield* audit.record({ action: "action_tool_map.create", resource: resource(made.id), after: made })
          return new AppliedActionToolMap({ ...made, change: "created" })
        }
        const after = yield* writes.update(before, map, wanted.mappings)
        if (after === before) return new AppliedActionToolMap({ ...before, change: "unchanged" })
        yield* audit.record({ action: "action_tool_map.update", resource: resource(after.id), before, after })
        return new AppliedActionToolMap({ ...after, change: "updated" })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("ActionToolMaps.delete")(function* (id: ActionToolMapId) {
      yield* Effect.gen(function* () {
        const found = yield* existing(id)
        yield* lock(found.suite_id, found.server_id)
        const before = yield* existing(id)
        yield* repo.remove(yield* CurrentPrincipal, id)
        yield* audit.record({ action: "action_tool_map.delete", resource: resource(id), before })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    return { create, list, get, update, put, delete: remove } as const
  })
}) {}
