import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { type CreateModel, Model, ModelNameTaken, type Provider, type UpdateModel } from "../domain/example/Model.ts"
import type { ModelId, OrganizationId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

export interface ModelFilter {
  readonly provider?: typeof Provider.Type | undefined
  readonly q?: string | undefined
}

const Positioned = Keyset.Positioned(Model.fields)

/** Rows of `models`: an organization's own and those that ship with the product. */
export class ModelsRepo extends Effect.Service<ModelsRepo>()("example/ModelsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, provider, name, base_url, input_price::float8 as input_price,
      output_price::float8 as output_price, context_window, org_id is null as shipped, created_at, updated_at`
    const visible = (org_id: OrganizationId) => sql`(org_id = ${org_id} or org_id is null)`

    const insert = (org_id: OrganizationId, model: CreateModel) =>
      sql`insert into models ${sql.insert({ id: id.next(), org_id, ...model })} returning ${columns}`.pipe(
        Effect.mapError((error) =>
          violates(error, "models_org_provider_name_unique") ? new ModelNameTaken(model) : error
        ),
        (query) => Rows.one(Model, query)
      )

    const list = (org_id: OrganizationId, filter: ModelFilter, keyset: Position | undefined, limit: number) => {
      const conditions = [
        visible(org_id),
        Keyset.after(sql, keyset),
        ...(filter.provider === undefined ? [] : [sql`provider = ${filter.provider}`]),
        ...(filter.q === undefined ? [] : [sql`position(lower(${filter.q}) in lower(provider || '/' || name)) > 0`])
      ]
      return Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from models where ${sql.and(conditions)}
          order by created_at desc, id desc limit ${limit + 1}`
      )
    }

    const find = (org_id: OrganizationId, model_id: ModelId) =>
      Rows.first(Model, sql`select ${columns} from models where ${visible(org_id)} and id = ${model_id}`)

    const update = (org_id: OrganizationId, before: Model, change: UpdateModel) =>
      sql`update models set ${sql.update({ ...change })}, updated_at = now()
        where org_id = ${org_id} and id = ${before.id} returning ${columns}`.pipe(
        Effect.mapError((error) =>
          violates(error, "models_org_provider_name_unique")
            ? new ModelNameTaken({ provider: before.provider, name: change.name ?? before.name })
            : error
        ),
        (query) => Rows.first(Model, query)
      )

    const remove = (org_id: OrganizationId, model_id: ModelId) =>
      orDefect(Effect.asVoid(sql`delete from models where org_id = ${org_id} and id = ${model_id}`))

    return { insert, list, find, update, remove } as const
  })
}) {}
