import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { isTerminal, Task, TaskEvent, type TaskState } from "../domain/a2p/Task.ts"
import { A2pTaskId, type JobId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { Principal } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

type Json = Readonly<Record<string, unknown>>

/** What a task's row is made of. */
export interface NewTask {
  readonly id: A2pTaskId
  readonly principal: Principal
  readonly request_id: string
  readonly context_id: string
  /** As the caller gave it; empty: it was made here. */
  readonly given_context_id: string
  readonly message_id: string
  readonly request_hash: string
  readonly skill: string | null
  readonly input: Json | null
  readonly state: TaskState
  readonly status_message: Json | null
  readonly status_at: Date
  readonly history: ReadonlyArray<Json>
  readonly last_seq: number
}

/** What an event changes of a task's row. */
export interface TaskChange {
  readonly state: TaskState
  readonly status_message: Json | null
  readonly status_at: Date
  readonly artifacts: ReadonlyArray<Json>
  readonly history: ReadonlyArray<Json>
  readonly job_id: JobId | null
  readonly last_seq: number
  /** So long a run that begins in this process is believed to be alive; undefined: as it is, while something runs. */
  readonly lease_ms: number | undefined
}

/** Something is done for what is in such a state. */
const runs = (state: TaskState) => state === "TASK_STATE_SUBMITTED" || state === "TASK_STATE_WORKING"

/** A page of tasks is cut when those before hold so many bytes. */
const pageBytes = 4 * 1024 * 1024

/** What of its tasks a list is to hold. */
interface Listed {
  readonly limit: number
  readonly history: boolean
  readonly artifacts: boolean
}

/** What a list is narrowed to. */
export interface TaskFilter {
  readonly context_id?: string | undefined
  readonly state?: TaskState | undefined
  /** From this moment on. */
  readonly status_from?: Date | undefined
}

const Row = Schema.Struct({ ...Keyset.Positioned(Task.fields).fields, found: Schema.Int })
const Head = Schema.Struct({ id: A2pTaskId, last_seq: Schema.Int, state: Schema.String })
const Count = Schema.Struct({ count: Schema.Int })
const encodePrincipal = Schema.encodeSync(Principal)

/** Rows of `a2p_tasks` and `a2p_task_events`. */
export class TasksRepo extends Effect.Service<TasksRepo>()("a2p/TasksRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const kept = sql`id, org_id, user_id, agent_id, context_id, skill, input, principal, request_id, state,
      status_message, status_at, history, artifacts, job_id, last_seq`
    const columns = sql`${kept}, lease_until is not null as is_here`
    /** By the database's clock, which it is compared with. */
    const leaseEnd = ({ state, lease_ms }: Pick<TaskChange, "state" | "lease_ms">) => {
      if (!runs(state)) return sql`null`
      return lease_ms === undefined ? sql`lease_until` : sql`now() + ${`${lease_ms} milliseconds`}::interval`
    }
    const ended = sql`state in ('TASK_STATE_COMPLETED', 'TASK_STATE_FAILED', 'TASK_STATE_CANCELED', 'TASK_STATE_REJECTED')`
    const ownerId = ({ user_id, agent_id }: Principal) => user_id ?? agent_id

    const owned = (principal: Principal) => sql`org_id = ${principal.org_id} and owner_id = ${ownerId(principal)}`

    /** Its owner's, and for a restricted principal only what reaches no further than itself. */
    const visible = (principal: Principal) =>
      principal.suite_ids === null
        ? owned(principal)
        : sql`${owned(principal)} and suite_ids <@ ${principal.suite_ids}::uuid[]`

    /** Until the transaction ends, nobody else begins a task of this owner. */
    const lockOwner = (principal: Principal) =>
      orDefect(
        Effect.asVoid(
          sql`select pg_advisory_xact_lock(hashtextextended('a2p/' || ${principal.org_id}::text || ${ownerId(principal)}::text, 0))`
        )
      )

    const countOpen = (principal: Principal) =>
      Effect.map(
        Rows.one(Count, sql`select count(*)::int as count from a2p_tasks where ${owned(principal)} and not (${ended})`),
        ({ count }) => count
      )

    const insert = ({ principal, input, status_message, history, ...task }: NewTask) =>
      Rows.one(
        Task,
        sql`insert into a2p_tasks ${sql.insert({
          ...task,
          org_id: principal.org_id,
          user_id: principal.user_id,
          agent_id: principal.user_id === null ? principal.agent_id : null,
          suite_ids: principal.suite_ids,
          principal: JSON.stringify(encodePrincipal(principal)),
          input: input === null ? null : JSON.stringify(input),
          status_message: status_message === null ? null : JSON.stringify(status_message),
          history: JSON.stringify(history)
        })} returning ${columns}`
      )

    /**
     * The task that was made of the same message before, the digest of what was asked then, and whether
     * this principal may see it.
     */
    const sent = (principal: Principal, given_context_id: string, message_id: string) =>
      Rows.first(
        Schema.Struct({ ...Task.fields, request_hash: Schema.String, is_visible: Schema.Boolean }),
        sql`select ${columns}, request_hash, coalesce((${visible(principal)}), false) as is_visible from a2p_tasks
          where ${owned(principal)} and given_context_id = ${given_context_id} and message_id = ${message_id}`
      )

    const find = (principal: Principal, id: A2pTaskId) =>
      Rows.first(Task, sql`select ${columns} from a2p_tasks where ${visible(principal)} and id = ${id}`)

    /** The task of a run, which is nobody's request. */
    const load = (id: A2pTaskId) => Rows.first(Task, sql`select ${columns} from a2p_tasks where id = ${id}`)

    /** The task as it is, which does not change until the transaction ends. */
    const lock = (id: A2pTaskId) => Rows.first(Task, sql`select ${columns} from a2p_tasks where id = ${id} for update`)

    const change = (id: A2pTaskId, { status_message, artifacts, history, lease_ms, ...set }: TaskChange) =>
      Rows.one(
        Task,
        sql`update a2p_tasks set ${sql.update({
          ...set,
          status_message: status_message === null ? null : JSON.stringify(status_message),
          artifacts: JSON.stringify(artifacts),
          history: JSON.stringify(history),
          // Nobody needs it any more.
          ...(isTerminal(set.state) ? { input: null } : {})
        })}, updated_at = now(), lease_until = ${leaseEnd({ state: set.state, lease_ms })} where id = ${id} returning ${columns}`
      )

    const insertEvents = (task_id: A2pTaskId, events: ReadonlyArray<TaskEvent>) =>
      events.length === 0
        ? Effect.void
        : orDefect(
            Effect.asVoid(
              sql`insert into a2p_task_events ${sql.insert(
                events.map(({ seq, event }) => ({ task_id, seq, event: JSON.stringify(event) }))
              )}`
            )
          )

    /** What happened after an event, in its order. */
    const eventsAfter = (task_id: A2pTaskId, seq: number, limit: number) =>
      Rows.all(
        TaskEvent,
        sql`select seq, event from a2p_task_events where task_id = ${task_id} and seq > ${seq} order by seq limit ${limit}`
      )

    /** How far each of these tasks is; those that are gone are missing. */
    const heads = (ids: ReadonlyArray<A2pTaskId>) =>
      Rows.all(Head, sql`select id, last_seq, state from a2p_tasks where id = any(${ids}::uuid[])`)

    const where = (principal: Principal, { context_id, state, status_from }: TaskFilter) =>
      sql.and([
        visible(principal),
        ...(context_id === undefined ? [] : [sql`context_id = ${context_id}`]),
        ...(state === undefined ? [] : [sql`state = ${state}`]),
        ...(status_from === undefined ? [] : [sql`status_at >= ${status_from}`])
      ])

    /**
     * Those that changed last first, with no more of each than is wanted: up to one more than the limit,
     * and fewer where they are large. Each row says how many were `found` without regard to their size.
     */
    const list = (
      principal: Principal,
      filter: TaskFilter,
      keyset: Position | undefined,
      { limit, history, artifacts }: Listed
    ) =>
      Rows.all(
        Row,
        sql`with page as (
            select id, org_id, user_id, agent_id, context_id, skill, null::jsonb as input, principal, request_id, state,
              status_message, status_at, job_id, last_seq, lease_until, created_at,
              ${history ? sql`history` : sql`'[]'::jsonb`} as history,
              ${artifacts ? sql`artifacts` : sql`'[]'::jsonb`} as artifacts
            from (select ${kept}, lease_until, suite_ids, owner_id, status_at as created_at from a2p_tasks) t
            where ${where(principal, filter)} and ${Keyset.after(sql, keyset)}
            order by status_at desc, id desc limit ${limit + 1})
          select ${columns}, ${Keyset.position_at(sql)}, found from (
            select page.*, count(*) over ()::int as found,
              sum(octet_length(history::text) + octet_length(artifacts::text) + octet_length(coalesce(status_message::text, '')))
                over (order by status_at desc, id desc rows between unbounded preceding and 1 preceding) as bytes_before
            from page) sized
          where coalesce(bytes_before, 0) < ${pageBytes}
          order by status_at desc, id desc`
      )

    const count = (principal: Principal, filter: TaskFilter) =>
      Effect.map(
        Rows.one(Count, sql`select count(*)::int as count from a2p_tasks where ${where(principal, filter)}`),
        (row) => row.count
      )

    /** Tasks whose run within a request ended without a word: the process that it was in is gone. */
    const abandoned = (limit: number) =>
      Effect.map(
        Rows.all(
          Schema.Struct({ id: A2pTaskId }),
          sql`select id from a2p_tasks where lease_until < now() order by lease_until limit ${limit}`
        ),
        (rows) => rows.map(({ id }) => id)
      )

    /** Removes some of the tasks that ended so long ago, and their events; answers how many. */
    const removeEnded = (millis: number, limit: number) =>
      Effect.map(
        Rows.one(
          Count,
          sql`with gone as (delete from a2p_tasks where id in (
              select id from a2p_tasks where ${ended} and status_at < now() - ${`${millis} milliseconds`}::interval
              order by status_at limit ${limit}) returning 1)
            select count(*)::int as count from gone`
        ),
        (row) => row.count
      )

    return {
      lockOwner,
      countOpen,
      insert,
      sent,
      find,
      load,
      lock,
      change,
      insertEvents,
      eventsAfter,
      heads,
      list,
      count,
      abandoned,
      removeEnded
    } as const
  })
}) {}
