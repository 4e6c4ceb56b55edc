import { SqlClient } from "@effect/sql"
import { DateTime, Effect, Schema } from "effect"
import { CreateExampleBatch } from "../domain/example/ExampleBatch.ts"
import type { BatchRun } from "../domain/example/ExampleBatchWorkflow.ts"
import { JobId, OrganizationId, SessionId, SuiteId } from "../domain/Ids.ts"
import { Job } from "../domain/job/Job.ts"
import type { Tenant } from "../domain/Principal.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

export interface NewBatch {
  readonly id: JobId
  readonly org_id: OrganizationId
  readonly suite_ids: ReadonlyArray<SuiteId> | null
  readonly principal: string
  readonly idempotency_key: string | null
  readonly request_hash: string
  readonly payload: CreateExampleBatch
  readonly session_ids: ReadonlyArray<SessionId>
}

const Named = Schema.Struct({ id: SessionId })
const encode = Schema.encodeSync(CreateExampleBatch)

/** Why nothing was made of a session. */
export interface Reason {
  readonly code: string
  readonly detail: string
}

const RunRow = Schema.Struct({
  org_id: OrganizationId,
  suite_ids: Schema.NullOr(Schema.Array(SuiteId)),
  payload: CreateExampleBatch,
  done: Schema.Int,
  /** The next sessions that it goes through. */
  next: Schema.Array(SessionId)
})

/** Rows of `jobs` that make examples. */
export class BatchesRepo extends Effect.Service<BatchesRepo>()("example/BatchesRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    /** A restricted principal sees the jobs that reach no further than itself. */
    const visible = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`j.org_id = ${org_id}` : sql`j.org_id = ${org_id} and j.suite_ids <@ ${suite_ids}::uuid[]`

    const of = (conditions: ReturnType<typeof visible>) => sql`
      select j.id, j.kind, case when j.status = 'COMPLETED' and e.open > 0 then 'RUNNING' else j.status end as status,
        json_build_object('total', cardinality(j.session_ids), 'done', j.done,
          'skipped', j.skipped_count,
          'examples', json_build_object('open', e.open, 'completed', e.completed, 'failed', e.failed,
            'cancelled', e.cancelled)) as progress,
        (select coalesce(json_agg(json_build_object('session_id', s.key, 'code', s.value->>'code',
            'detail', s.value->>'detail')), '[]')
          from (select key, value from jsonb_each(j.skipped) order by key limit 100) s) as skipped,
        j.attempts, j.error_code, j.error_message, j.started_at,
        case when e.open = 0 then greatest(j.completed_at, e.ended_at) end as completed_at, j.created_at, j.updated_at
      from jobs j cross join lateral (
        select count(*) filter (where status in ('PENDING', 'RUNNING')) as open,
          count(*) filter (where status = 'COMPLETED') as completed,
          count(*) filter (where status = 'FAILED') as failed,
          count(*) filter (where status = 'CANCELLED') as cancelled,
          max(completed_at) as ended_at
        from examples where job_id = j.id) e
      where ${conditions}`

    const find = (tenant: Tenant, id: JobId) => Rows.first(Job, of(sql`${visible(tenant)} and j.id = ${id}`))

    /** Undefined: there is a job with this key already. */
    const insert = ({ payload, ...job }: NewBatch) =>
      Effect.map(
        Rows.first(
          Schema.Struct({ id: JobId }),
          sql`insert into jobs ${sql.insert({ ...job, kind: "examples.batch", payload: JSON.stringify(encode(payload)) })}
            on conflict on constraint jobs_idempotent do nothing returning id`
        ),
        (row) => row?.id
      )

    const withKey = ({
      org_id,
      principal,
      idempotency_key
    }: Pick<NewBatch, "org_id" | "principal" | "idempotency_key">) =>
      Rows.first(
        Schema.Struct({ id: JobId, request_hash: Schema.String }),
        sql`select id, request_hash from jobs
          where org_id = ${org_id} and principal = ${principal} and idempotency_key = ${idempotency_key}`
      )

    const ofTenant = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`org_id = ${org_id}` : sql`org_id = ${org_id} and ${sql.in("suite_id", suite_ids)}`

    /** Of the sessions that are named, those that the tenant has. */
    const known = (tenant: Tenant, ids: ReadonlyArray<SessionId>) =>
      Effect.map(
        Rows.all(Named, sql`select id from sessions where ${ofTenant(tenant)} and id = any(${ids}::uuid[])`),
        (rows) => new Set<string>(rows.map(({ id }) => id))
      )

    const suiteExists = ({ org_id, suite_ids }: Tenant, id: SuiteId) =>
      Effect.map(
        Rows.first(
          Schema.Unknown,
          sql`select 1 from suites where org_id = ${org_id} and id = ${id}
            and ${suite_ids === null ? sql`true` : sql.in("id", suite_ids)}`
        ),
        (row) => row !== undefined
      )

    /** What is asked for, oldest first, and no more than the limit. */
    const sessions = (tenant: Tenant, { session_ids, filter }: CreateExampleBatch, limit: number) => {
      const conditions = [
        ofTenant(tenant),
        ...(session_ids === undefined ? [] : [sql`id = any(${session_ids}::uuid[])`]),
        ...(filter === undefined ? [] : [sql`status = 'READY'`]),
        ...(filter?.suite_id === undefined ? [] : [sql`suite_id = ${filter.suite_id}`]),
        ...(filter?.format === undefined ? [] : [sql`format = ${filter.format}`]),
        ...(filter?.created_after === undefined ? [] : [sql`created_at > ${DateTime.toDate(filter.created_after)}`]),
        ...(filter?.created_before === undefined ? [] : [sql`created_at < ${DateTime.toDate(filter.created_before)}`]),
        ...(filter?.q === undefined ? [] : [sql`position(lower(${filter.q}) in lower(description)) > 0`])
      ]
      return Effect.map(
        Rows.all(
          Named,
          sql`select id from sessions where ${sql.and(conditions)} order by created_at, id limit ${limit}`
        ),
        (rows) => rows.map(({ id }) => id)
      )
    }

    const isOpen = ({ job_id, attempt }: BatchRun) =>
      sql`id = ${job_id} and attempts = ${attempt} and status in ('PENDING', 'RUNNING')`

    /** Undefined: the run is over. */
    const enter = (run: BatchRun, count: number) =>
      Rows.first(
        RunRow,
        sql`update jobs set status = 'RUNNING', started_at = coalesce(started_at, now()), updated_at = now()
          where ${isOpen(run)}
          returning org_id, suite_ids, payload, done, session_ids[done + 1 : done + ${count}::int] as next`
      )

    /** Notes that a session was gone through, before what is made of it in the same transaction; false: the run is over. */
    const advance = (run: BatchRun, done: number, session_id: SessionId, reason: Reason | undefined) => {
      const skipped = JSON.stringify(reason === undefined ? {} : { [session_id]: reason })
      return Effect.map(
        orDefect(
          sql`update jobs set done = ${done}, updated_at = now(),
              skipped_count = skipped_count + ${reason === undefined ? 0 : 1},
              skipped = case when skipped_count < 100 then skipped || ${skipped}::jsonb else skipped end
            where ${isOpen(run)} and done = ${done - 1} returning id`
        ),
        (rows) => rows.length > 0
      )
    }

    const openExamples = ({ job_id }: BatchRun) =>
      Effect.map(
        Rows.one(
          Schema.Struct({ count: Schema.Int }),
          sql`select count(*)::int as count from examples where job_id = ${job_id} and status in ('PENDING', 'RUNNING')`
        ),
        ({ count }) => count
      )

    const end = (run: BatchRun, reason: Reason | undefined) =>
      orDefect(
        Effect.asVoid(
          sql`update jobs set status = ${reason === undefined ? "COMPLETED" : "FAILED"}, error_code = ${reason?.code ?? null},
              error_message = ${reason?.detail.slice(0, 10_000) ?? null}, completed_at = now(), updated_at = now()
            where ${isOpen(run)}`
        )
      )

    /** The job as it is, which does not go on until the transaction ends. */
    const lock = (tenant: Tenant, id: JobId) =>
      Effect.zipRight(
        orDefect(sql`select id from jobs j where ${visible(tenant)} and j.id = ${id} for update`),
        find(tenant, id)
      )

    /** Ends the job and every example of it that is open. */
    const cancel = (id: JobId) =>
      orDefect(
        Effect.asVoid(
          sql`with cancelled as (
              update examples set status = 'CANCELLED', completed_at = now(), updated_at = now()
              where job_id = ${id} and status in ('PENDING', 'RUNNING'))
            update jobs set status = 'CANCELLED', completed_at = now(), updated_at = now() where id = ${id}`
        )
      )

    return {
      find,
      insert,
      withKey,
      known,
      suiteExists,
      sessions,
      enter,
      advance,
      openExamples,
      end,
      lock,
      cancel
    } as const
  })
}) {}
