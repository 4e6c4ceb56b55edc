import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { actionNotFound, type CreateAction, type UpdateAction } from "../domain/capability/Action.ts"
import { suiteNotFound } from "../domain/capability/Suite.ts"
import { ActionId, type SuiteId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { ActionsRepo, type OfSuite } from "./ActionsRepo.ts"
import { ActionWrites } from "./ActionWrites.ts"
import { SuitesRepo } from "./SuitesRepo.ts"

/** Actions: what a person does in an application. */
export class Actions extends Effect.Service<Actions>()("capability/Actions", {
  dependencies: [SuitesRepo.Default, ActionsRepo.Default, ActionWrites.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const newId = yield* Id
    const suites = yield* SuitesRepo
    const repo = yield* ActionsRepo
    const writes = yield* ActionWrites
    const audit = yield* Audit
    const read = withPolicy(scope("suites:read"))
    const write = withPolicy(scope("suites:write"))

    const visible = (suite_id: SuiteId) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        if ((yield* suites.find(principal, suite_id)) === undefined) return yield* suiteNotFound(suite_id)
        return { org_id: principal.org_id, suite_id } satisfies OfSuite
      })

    /** The same, and nobody else changes the suite's surface until the transaction ends. */
    const locked = (suite_id: SuiteId) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        if ((yield* suites.lock(principal, suite_id)) === undefined) return yield* suiteNotFound(suite_id)
        return { org_id: principal.org_id, suite_id } satisfies OfSuite
      })

    const existing = (suite: OfSuite, id: ActionId) =>
      Effect.flatMap(repo.find(suite, id), (action) =>
        action === undefined ? actionNotFound(id) : Effect.succeed(action)
      )

    const create = Effect.fn("Actions.create")(function* (suite_id: SuiteId, wanted: CreateAction) {
      return yield* Effect.gen(function* () {
        const suite = yield* locked(suite_id)
        const id = ActionId.make(newId.next())
        yield* repo.save(suite, [{ id, ...wanted }])
        const action = yield* existing(suite, id)
        yield* audit.record({ action: "action.create", resource: `action/${id}`, after: action })
        return action
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const list = Effect.fn("Actions.list")(function* (
      suite_id: SuiteId,
      query: { readonly limit: number; readonly cursor?: string; readonly q?: string }
    ) {
      const keyset = yield* Keyset.position(query.cursor)
      const suite = yield* visible(suite_id)
      return Keyset.page(yield* repo.list(suite, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Actions.get")(function* (suite_id: SuiteId, id: ActionId) {
      return yield* existing(yield* visible(suite_id), id)
    }, read)

    const update = Effect.fn("Actions.update")(function* (suite_id: SuiteId, id: ActionId, change: UpdateAction) {
      return yield* Effect.gen(function* () {
        const suite = yield* locked(suite_id)
        const before = yield* existing(suite, id)
        if (Object.keys(change).length === 0) return before
        yield* writes.save(suite, [before], [{ ...before, ...change }])
        const after = yield* existing(suite, id)
        yield* audit.record({ action: "action.update", resource: `action/${id}`, before, after })
        return after
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("Actions.delete")(function* (suite_id: SuiteId, id: ActionId) {
      yield* Effect.gen(function* () {
        const suite = yield* locked(suite_id)
        const before = yield* existing(suite, id)
        yield* writes.remove(suite, [before])
        yield* audit.record({ action: "action.delete", resource: `action/${id}`, before })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    return { create, list, get, update, delete: remove } as const
  })
}) {}
