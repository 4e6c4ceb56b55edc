import { Effect } from "effect"
import type { Tool } from "../domain/capability/Tool.ts"
import { MapUses } from "./MapUses.ts"
import { type OfServer, type ToolRow, ToolsRepo } from "./ToolsRepo.ts"

/** Changes the tools of a server, unless a map needs what would be lost. Call it under the server's lock. */
export class ToolWrites extends Effect.Service<ToolWrites>()("capability/ToolWrites", {
  dependencies: [ToolsRepo.Default, MapUses.Default],
  effect: Effect.gen(function* () {
    const repo = yield* ToolsRepo
    const uses = yield* MapUses

    const remove = (server: OfServer, removed: ReadonlyArray<Tool>) => {
      const ids = removed.map(({ id }) => id)
      return ids.length === 0 ? Effect.void : Effect.zipRight(uses.tools(server.org_id, ids), repo.remove(server, ids))
    }

    const save = (server: OfServer, saved: ReadonlyArray<ToolRow>) =>
      saved.length === 0
        ? Effect.void
        : Effect.zipRight(uses.toolParameters(server.org_id, saved), repo.save(server, saved))

    return { remove, save } as const
  })
}) {}
