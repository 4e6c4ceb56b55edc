import { Effect } from "effect"
import type { Action } from "../domain/capability/Action.ts"
import { type ActionRow, ActionsRepo, type OfSuite } from "./ActionsRepo.ts"
import { MapUses } from "./MapUses.ts"

/** Changes the actions of a suite, unless a map needs what would be lost. Call it under the suite's lock. */
export class ActionWrites extends Effect.Service<ActionWrites>()("capability/ActionWrites", {
  dependencies: [ActionsRepo.Default, MapUses.Default],
  effect: Effect.gen(function* () {
    const repo = yield* ActionsRepo
    const uses = yield* MapUses

    const remove = (suite: OfSuite, removed: ReadonlyArray<Action>) => {
      const ids = removed.map(({ id }) => id)
      return ids.length === 0 ? Effect.void : Effect.zipRight(uses.actions(suite.org_id, ids), repo.remove(suite, ids))
    }

    const save = (suite: OfSuite, before: ReadonlyArray<Action>, saved: ReadonlyArray<ActionRow>) => {
      const lost = saved.flatMap(({ id, parameters }) => {
        const names = new Set(parameters.map(({ name }) => name))
        const old = before.find((action) => action.id === id)?.parameters ?? []
        return old.flatMap(({ name }) => (names.has(name) ? [] : [{ action_id: id, name }]))
      })
      return saved.length === 0
        ? Effect.void
        : Effect.zipRight(uses.parameters(suite.org_id, lost), repo.save(suite, saved))
    }

    return { remove, save } as const
  })
}) {}
