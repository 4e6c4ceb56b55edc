import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { Example, type ExampleStatus, type ExportSplit } from "../domain/example/Example.ts"
import type { ActionToolMapId, ExampleId, JobId, ModelId, OrganizationId, SessionId, SuiteId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import type { Tenant } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

export interface NewExample {
  readonly id: ExampleId
  readonly org_id: OrganizationId
  readonly session_id: SessionId
  readonly suite_id: SuiteId
  readonly model_id: ModelId
  readonly model: string
  readonly action_tool_map_id: ActionToolMapId | null
  readonly model_configuration: Readonly<Record<string, unknown>>
  readonly from_seq: number | null
  readonly to_seq: number | null
  readonly storage_path: string
  readonly job_id: JobId | null
  /** Why it cannot be made: it is FAILED from the begin. */
  readonly failure?: { readonly code: string; readonly detail: string }
}

export interface ExampleFilter {
  readonly session_id?: SessionId | undefined
  readonly model_id?: ModelId | undefined
  readonly suite_id?: SuiteId | undefined
  readonly action_tool_map_id?: ActionToolMapId | undefined
  readonly status?: ExampleStatus | undefined
  readonly needs_review?: boolean | undefined
  readonly job_id?: JobId | undefined
}

/** What of the examples that fit is taken. */
export interface Selection {
  /** Only the first of those that say the same. */
  readonly dedupe: boolean
  readonly split?: ExportSplit | undefined
}

const Positioned = Keyset.Positioned(Example.fields)
/** An example with where its messages are. */
export const Located = Schema.Struct({ ...Example.fields, storage_path: Schema.String })
const PositionedLocated = Keyset.Positioned(Located.fields)

/** Rows of `examples`, as their organization sees them. */
export class ExamplesRepo extends Effect.Service<ExamplesRepo>()("example/ExamplesRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const visible = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`org_id = ${org_id}` : sql`org_id = ${org_id} and ${sql.in("suite_id", suite_ids)}`
    /** Those that stand for what they say. */
    const counts = sql`status = 'COMPLETED' and review is distinct from 'rejected'`
    const columnsOf = (
      tenant: Tenant
    ) => sql`id, session_id, suite_id, model_id, model, action_tool_map_id, map_version, model_configuration,
      case when from_seq is not null then json_build_object('from_seq', from_seq, 'to_seq', to_seq) end as range,
      status, stage, confidence, needs_review, review, message_count, redactions, tokens_in, tokens_out, cost, error_code,
      error_message, content_hash, (
        select o.id from examples o where ${visible(tenant)} and ${counts} and o.content_hash = examples.content_hash
          and o.id < examples.id and examples.status = 'COMPLETED' order by o.id limit 1) as duplicate_of,
      attempts, job_id, started_at, completed_at, created_at, updated_at`
    const one = (tenant: Tenant, id: ExampleId) => sql`${visible(tenant)} and id = ${id}`

    /** Undefined: its job has made the example of this part already. */
    const insert = ({ model_configuration, failure, ...example }: NewExample) => {
      const row = { ...example, model_configuration: JSON.stringify(model_configuration) }
      const failed = failure && {
        status: "FAILED",
        error_code: failure.code,
        error_message: failure.detail.slice(0, 10_000),
        completed_at: new Date()
      }
      return Rows.first(
        Example,
        sql`insert into examples ${sql.insert({ ...row, ...failed })}
          on conflict (job_id, session_id, coalesce(from_seq, -1)) where job_id is not null do nothing
          returning ${columnsOf({ org_id: example.org_id, suite_ids: null })}`
      )
    }

    const conditions = (tenant: Tenant, filter: ExampleFilter, keyset: Position | undefined) => [
      visible(tenant),
      Keyset.after(sql, keyset),
      ...(["session_id", "model_id", "suite_id", "action_tool_map_id", "status", "job_id"] as const).flatMap((name) =>
        filter[name] === undefined ? [] : [sql`${sql(name)} = ${filter[name]}`]
      ),
      ...(filter.needs_review === undefined ? [] : [filter.needs_review ? sql`needs_review` : sql`not needs_review`])
    ]

    const list = (tenant: Tenant, filter: ExampleFilter, keyset: Position | undefined, limit: number) =>
      Rows.encoded(
        Positioned,
        sql`select ${columnsOf(tenant)}, ${Keyset.position_at(sql)} from examples where ${sql.and(conditions(tenant, filter, keyset))}
          order by created_at desc, id desc limit ${limit + 1}`
      )

    /** A number from 0 to 1 for what an example says: drawn by the seed, the same for all that say the same. */
    const lot = (seed: string) =>
      sql`('x' || substr(encode(sha256(convert_to(${seed} || ':' || content_hash, 'UTF8')), 'hex'), 1, 8))::bit(32)::bigint
        / 4294967296.0`

    const selected = (tenant: Tenant, filter: ExampleFilter, { dedupe, split }: Selection) => [
      ...(dedupe
        ? [
            // Of those that fit the filter: a first one that does not is no reason to leave the others out.
            sql`not exists (select from examples o where ${sql.and(conditions(tenant, filter, undefined))} and ${counts}
              and o.content_hash = examples.content_hash and o.id < examples.id)`
          ]
        : []),
      ...(split === undefined
        ? []
        : [
            split.part === "train"
              ? sql`${lot(split.seed)} < ${split.train}`
              : sql`${lot(split.seed)} >= ${split.train}`
          ])
    ]

    /** What an export holds: completed, and not rejected. */
    const exportable = (
      tenant: Tenant,
      filter: ExampleFilter,
      selection: Selection,
      keyset: Position | undefined,
      limit: number
    ) =>
      Rows.all(
        PositionedLocated,
        sql`select ${columnsOf(tenant)}, storage_path, ${Keyset.position_at(sql)} from examples
          where ${sql.and([...conditions(tenant, filter, keyset), counts, ...selected(tenant, filter, selection)])}
          order by created_at desc, id desc limit ${limit}`
      )

    const find = (tenant: Tenant, id: ExampleId) =>
      Rows.first(Located, sql`select ${columnsOf(tenant)}, storage_path from examples where ${one(tenant, id)}`)

    /** The example, which nobody else changes until the transaction ends. */
    const lock = (tenant: Tenant, id: ExampleId) =>
      Rows.first(
        Located,
        sql`select ${columnsOf(tenant)}, storage_path from examples where ${one(tenant, id)} for update`
      )

    const change = (tenant: Tenant, id: ExampleId, set: Readonly<Record<string, unknown>>) =>
      Rows.first(
        Example,
        sql`update examples set ${sql.update({ ...set })}, updated_at = now() where ${one(tenant, id)} returning ${columnsOf(tenant)}`
      )

    const remove = (tenant: Tenant, id: ExampleId) =>
      Effect.map(orDefect(sql`delete from examples where ${one(tenant, id)} returning id`), (rows) => rows.length > 0)

    return { insert, list, exportable, find, lock, change, remove } as const
  })
}) {}
