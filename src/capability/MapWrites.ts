import { Effect } from "effect"
import type { ActionToolMap, CreateMapping } from "../domain/capability/ActionToolMap.ts"
import { ValidationError } from "../domain/Errors.ts"
import type { ActionToolMapId, OrganizationId } from "../domain/Ids.ts"
import { ActionsRepo } from "./ActionsRepo.ts"
import { ActionToolMapsRepo, type MapRow } from "./ActionToolMapsRepo.ts"
import { type ResolvedMapping, resolve } from "./MapResolution.ts"
import { ToolsRepo } from "./ToolsRepo.ts"

const content = (mappings: ActionToolMap["mappings"] | ReadonlyArray<ResolvedMapping>) =>
  JSON.stringify(
    mappings.map(({ action_id, tool_id, parameters }) => [
      action_id,
      tool_id,
      parameters.map(({ action_parameter, tool_parameter, transform }) => [action_parameter, tool_parameter, transform])
    ])
  )

/** Writes maps whose mappings fit both sides. Call it under the locks of the suite and of the server. */
export class MapWrites extends Effect.Service<MapWrites>()("capability/MapWrites", {
  dependencies: [ActionToolMapsRepo.Default, ActionsRepo.Default, ToolsRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* ActionToolMapsRepo
    const actions = yield* ActionsRepo
    const tools = yield* ToolsRepo

    const resolved = (map: MapRow, mappings: ReadonlyArray<CreateMapping>) =>
      Effect.gen(function* () {
        if (mappings.length === 0) return []
        const { issues, resolved } = resolve(mappings, {
          actions: yield* actions.all(map),
          tools: yield* tools.all(map)
        })
        if (issues.length === 0) return resolved
        const detail = issues.map(({ path, message }) => `${path}: ${message}`).join("; ")
        return yield* new ValidationError({ detail, errors: issues })
      })

    const create = (map: MapRow, mappings: ReadonlyArray<CreateMapping>) =>
      Effect.gen(function* () {
        const rows = yield* resolved(map, mappings)
        const id = yield* repo.insert(map)
        yield* repo.replaceMappings(map.org_id, id, rows)
        return yield* read(map.org_id, id)
      })

    const read = (org_id: OrganizationId, id: ActionToolMapId) =>
      Effect.flatMap(repo.find({ org_id, suite_ids: null }, id), (map) =>
        map === undefined ? Effect.dieMessage("the map that was written is not there") : Effect.succeed(map)
      )

    /** Answers the map as it was when nothing of it has to change. */
    const update = (before: ActionToolMap, map: MapRow, mappings: ReadonlyArray<CreateMapping> | undefined) =>
      Effect.gen(function* () {
        const rows = mappings === undefined ? undefined : yield* resolved(map, mappings)
        const remapped = rows !== undefined && content(before.mappings) !== content(rows)
        const newer = remapped || before.server_id !== map.server_id
        if (!newer && before.name === map.name) return before
        yield* repo.update(before.id, map, newer)
        if (remapped) yield* repo.replaceMappings(map.org_id, before.id, rows)
        return yield* read(map.org_id, before.id)
      })

    return { create, update } as const
  })
}) {}
