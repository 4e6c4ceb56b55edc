import { Effect } from "effect"
import { NamedMap, NeededByMaps } from "../domain/capability/ActionToolMap.ts"
import { hasParameter } from "../domain/capability/JsonSchema.ts"
import type { ActionId, CapabilityId, McpServerId, OrganizationId, SuiteId } from "../domain/Ids.ts"
import { MapUsesRepo } from "./MapUsesRepo.ts"

type Maps = ReadonlyArray<typeof NamedMap.Type>
type Uses = ReadonlyArray<typeof NamedMap.Type & { readonly used: string }>

const needed = (what: string, maps: Maps) =>
  new NeededByMaps({ what, maps: maps.map(({ id, name }) => new NamedMap({ id, name })) })

const unless = (what: string) => (maps: Maps) => (maps.length === 0 ? Effect.void : needed(what, maps))

/** Names the first thing that is in use, with every map that uses it. */
const unlessUsed = (kind: string) => (uses: Uses) => {
  const [first] = uses
  if (first === undefined) return Effect.void
  return needed(
    `${kind} ${JSON.stringify(first.used)}`,
    uses.filter(({ used }) => used === first.used)
  )
}

/** Refuses what would take something away that an action–tool map needs. Call it under the lock of its suite or server. */
export class MapUses extends Effect.Service<MapUses>()("capability/MapUses", {
  dependencies: [MapUsesRepo.Default],
  effect: Effect.map(MapUsesRepo, (repo) => {
    const suite = (org_id: OrganizationId, id: SuiteId) =>
      Effect.flatMap(repo.ofSuite(org_id, id), unless(`the suite ${id}`))

    const server = (org_id: OrganizationId, id: McpServerId) =>
      Effect.flatMap(repo.ofServer(org_id, id), unless(`the MCP server ${id}`))

    const actions = (org_id: OrganizationId, ids: ReadonlyArray<ActionId>) =>
      ids.length === 0 ? Effect.void : Effect.flatMap(repo.ofActions(org_id, ids), unlessUsed("the action"))

    const parameters = (
      org_id: OrganizationId,
      lost: ReadonlyArray<{ readonly action_id: ActionId; readonly name: string }>
    ) =>
      lost.length === 0
        ? Effect.void
        : Effect.flatMap(repo.ofParameters(org_id, lost), unlessUsed("the action's parameter"))

    const tools = (org_id: OrganizationId, ids: ReadonlyArray<CapabilityId>) =>
      ids.length === 0 ? Effect.void : Effect.flatMap(repo.ofTools(org_id, ids), unlessUsed("the tool"))

    /** Refuses input schemas that no longer have what a map fills. */
    const toolParameters = (
      org_id: OrganizationId,
      changed: ReadonlyArray<{ readonly id: CapabilityId; readonly input_schema: Readonly<Record<string, unknown>> }>
    ) => {
      if (changed.length === 0) return Effect.void
      const schemas = new Map<string, Readonly<Record<string, unknown>>>(
        changed.map(({ id, input_schema }) => [id, input_schema])
      )
      const ids = changed.map(({ id }) => id)
      return repo.ofToolParameters(org_id, ids).pipe(
        Effect.map((uses) => uses.filter(({ tool_id, used }) => !hasParameter(schemas.get(tool_id) ?? {}, used))),
        Effect.flatMap(unlessUsed("the tool's parameter"))
      )
    }

    return { suite, server, actions, parameters, tools, toolParameters } as const
  })
}) {}
