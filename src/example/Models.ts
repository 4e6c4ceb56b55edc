import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { type CreateModel, type Model, ModelShipped, modelNotFound, type UpdateModel } from "../domain/example/Model.ts"
import type { ModelId } from "../domain/Ids.ts"
import { all, CurrentPrincipal, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import { Audit } from "../identity/Audit.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { type ModelFilter, ModelsRepo } from "./ModelsRepo.ts"

const own = (model: Model) => (model.shipped ? new ModelShipped({ id: model.id }) : Effect.void)

/** Models: what examples are made for, and what they cost. */
export class Models extends Effect.Service<Models>()("example/Models", {
  dependencies: [ModelsRepo.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* ModelsRepo
    const audit = yield* Audit
    const read = withPolicy(scope("models:read"))
    const write = withPolicy(all(scope("models:write"), unrestricted))

    const existing = (id: ModelId) =>
      Effect.flatMap(CurrentPrincipal, ({ org_id }) =>
        Effect.flatMap(repo.find(org_id, id), (model) =>
          model === undefined ? modelNotFound(id) : Effect.succeed(model)
        )
      )

    const create = Effect.fn("Models.create")(function* (wanted: CreateModel) {
      const { org_id } = yield* CurrentPrincipal
      return yield* Effect.tap(repo.insert(org_id, wanted), (model) =>
        audit.record({ action: "model.create", resource: `model/${model.id}`, after: model })
      ).pipe(sql.withTransaction, orDefect)
    }, write)

    const list = Effect.fn("Models.list")(function* (
      query: ModelFilter & { readonly limit: number; readonly cursor?: string }
    ) {
      const { org_id } = yield* CurrentPrincipal
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.list(org_id, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Models.get")(existing, read)

    const update = Effect.fn("Models.update")(function* (id: ModelId, change: UpdateModel) {
      const { org_id } = yield* CurrentPrincipal
      return yield* Effect.gen(function* () {
        const before = yield* existing(id)
        yield* own(before)
        if (Object.keys(change).length === 0) return before
        const model: Model = (yield* repo.update(org_id, before, change)) ?? (yield* modelNotFound(id))
        yield* audit.record({ action: "model.update", resource: `model/${id}`, before, after: model })
        return model
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("Models.delete")(function* (id: ModelId) {
      const { org_id } = yield* CurrentPrincipal
      yield* Effect.gen(function* () {
        const before = yield* existing(id)
        yield* own(before)
        yield* repo.remove(org_id, id)
        yield* audit.record({ action: "model.delete", resource: `model/${id}`, before })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    return { create, list, get, update, delete: remove } as const
  })
}) {}
