import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { type CreateSuite, Suite, SuiteInUse, SuiteNameTaken, type UpdateSuite } from "../domain/capability/Suite.ts"
import type { ModelId, OrganizationId, SuiteId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import type { Tenant } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

const Positioned = Keyset.Positioned(Suite.fields)

/** Rows of `suites`. */
export class SuitesRepo extends Effect.Service<SuitesRepo>()("capability/SuitesRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, name, description, version, base_url,
      case when on_upload_model_id is not null then json_build_object('model_id', on_upload_model_id) end as on_upload,
      created_at, updated_at`

    const rowOf = <A extends { readonly on_upload?: CreateSuite["on_upload"] }>({ on_upload, ...rest }: A) =>
      on_upload === undefined ? rest : { ...rest, on_upload_model_id: on_upload?.model_id ?? null }

    const modelExists = (org_id: OrganizationId, id: ModelId) =>
      Effect.map(
        Rows.first(
          Schema.Unknown,
          sql`select 1 from models where (org_id = ${org_id} or org_id is null) and id = ${id}`
        ),
        (row) => row !== undefined
      )
    const visible = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`org_id = ${org_id}` : sql`org_id = ${org_id} and ${sql.in("id", suite_ids)}`

    const insert = (org_id: OrganizationId, suite: CreateSuite) =>
      sql`insert into suites ${sql.insert({ id: id.next(), org_id, ...rowOf(suite) })} returning ${columns}`.pipe(
        Effect.mapError((error) =>
          violates(error, "suites_org_name_unique") ? new SuiteNameTaken({ name: suite.name }) : error
        ),
        (query) => Rows.one(Suite, query)
      )

    const list = (
      tenant: Tenant,
      filter: { readonly q?: string | undefined },
      keyset: Position | undefined,
      limit: number
    ) =>
      Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from suites
          where ${visible(tenant)} and ${Keyset.after(sql, keyset)}
            and ${filter.q === undefined ? sql`true` : sql`position(lower(${filter.q}) in lower(name || ' ' || description)) > 0`}
          order by created_at desc, id desc limit ${limit + 1}`
      )

    const find = (tenant: Tenant, suite_id: SuiteId) =>
      Rows.first(Suite, sql`select ${columns} from suites where ${visible(tenant)} and id = ${suite_id}`)

    /** The suite, which nobody else changes or deletes until the transaction ends; sessions can still be added. */
    const lock = (tenant: Tenant, suite_id: SuiteId) =>
      Rows.first(
        Suite,
        sql`select ${columns} from suites where ${visible(tenant)} and id = ${suite_id} for no key update`
      )

    const lockNamed = (tenant: Tenant, name: string) =>
      Rows.first(
        Suite,
        sql`select ${columns} from suites where ${visible(tenant)} and name = ${name} for no key update`
      )

    /** The suite of this name or, where there is none, of this id. */
    const lockReferred = (tenant: Tenant, reference: string) =>
      Rows.first(
        Suite,
        sql`select ${columns} from suites where ${visible(tenant)} and (name = ${reference} or id::text = ${reference})
          order by name = ${reference} desc limit 1 for no key update`
      )

    /** Inserts a suite, or answers undefined when there is one of this name. */
    const insertNew = (org_id: OrganizationId, suite: CreateSuite) =>
      Rows.first(
        Suite,
        sql`insert into suites ${sql.insert({ id: id.next(), org_id, ...rowOf(suite) })}
          on conflict on constraint suites_org_name_unique do nothing returning ${columns}`
      )

    const update = (tenant: Tenant, suite_id: SuiteId, change: UpdateSuite) =>
      sql`update suites set ${sql.update(rowOf(change))}, updated_at = now()
        where ${visible(tenant)} and id = ${suite_id} returning ${columns}`.pipe(
        Effect.mapError((error) =>
          violates(error, "suites_org_name_unique") ? new SuiteNameTaken({ name: String(change.name) }) : error
        ),
        (query) => Rows.first(Suite, query)
      )

    const remove = (tenant: Tenant, suite_id: SuiteId) =>
      sql`delete from suites where ${visible(tenant)} and id = ${suite_id}`.pipe(
        Effect.mapError((error) => (violates(error, "sessions_suite") ? new SuiteInUse({ id: suite_id }) : error)),
        orDefect
      )

    return { modelExists, insert, insertNew, list, find, lock, lockNamed, lockReferred, update, remove } as const
  })
}) {}
