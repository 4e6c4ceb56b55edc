import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { A2pTaskId, OrganizationId } from "../domain/Ids.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** Where the events of a task are pushed to, without what is secret of it. */
export const PushConfig = Schema.Struct({
  id: Schema.UUID,
  org_id: OrganizationId,
  task_id: Schema.NullOr(A2pTaskId),
  /** As the caller names it. */
  config_id: Schema.String,
  url: Schema.String,
  /** Of the Authorization header; empty for none. */
  scheme: Schema.String,
  secret_ref: Schema.String,
  wire_version: Schema.Literal("1.0", "0.3")
})
export type PushConfig = typeof PushConfig.Type

/** One that a process has taken, to deliver what is due. */
export const Claimed = Schema.Struct({ ...PushConfig.fields, done_seq: Schema.Int, queued_seq: Schema.Int })
export type Claimed = typeof Claimed.Type

const Event = Schema.Struct({
  seq: Schema.Int,
  event: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})

const Attempts = Schema.Struct({ attempts: Schema.Int, failing_s: Schema.Number })

const Replaced = Schema.Struct({ id: Schema.UUID, secret_ref: Schema.String })

/** Rows of `a2p_push_configs`, and the events that each is to deliver. */
export class PushConfigsRepo extends Effect.Service<PushConfigsRepo>()("a2p/PushConfigsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, org_id, task_id, config_id, url, scheme, secret_ref, wire_version`
    const seconds = (count: number) => sql`make_interval(secs => ${count})`

    const ofTask = (task_id: A2pTaskId) =>
      Rows.all(
        PushConfig,
        sql`select ${columns} from a2p_push_configs where task_id = ${task_id} order by created_at, id`
      )

    /**
     * Adds a configuration that begins after the task's newest event (or after the given one). Nothing
     * happens to the task until the transaction ends, so that no event falls in between.
     */
    const insert = ({
      task_id,
      after_seq,
      ...row
    }: Omit<PushConfig, "task_id"> & { readonly task_id: A2pTaskId; readonly after_seq: number | undefined }) =>
      orDefect(
        Effect.asVoid(
          sql`insert into a2p_push_configs (id, org_id, task_id, config_id, url, scheme, secret_ref, wire_version,
              queued_seq, done_seq, next_attempt_at)
            select ${row.id}, ${row.org_id}, t.id, ${row.config_id}, ${row.url}, ${row.scheme}, ${row.secret_ref},
              ${row.wire_version}, t.last_seq, least(coalesce(${after_seq ?? null}::int, t.last_seq), t.last_seq), now()
            from (select id, last_seq from a2p_tasks where id = ${task_id} for no key update) t`
        )
      )

    const remove = (task_id: A2pTaskId, config_id: string) =>
      Rows.first(
        Replaced,
        sql`delete from a2p_push_configs where task_id = ${task_id} and config_id = ${config_id} returning id, secret_ref`
      )

    const removeRow = (row_id: string) =>
      orDefect(Effect.asVoid(sql`delete from a2p_push_configs where id = ${row_id}`))

    /** Something happened to the task: its configurations are due, at the latest with this event. */
    const queue = (task_id: A2pTaskId, seq: number) =>
      orDefect(
        Effect.asVoid(
          sql`update a2p_push_configs set queued_seq = greatest(queued_seq, ${seq}),
              next_attempt_at = coalesce(next_attempt_at, now())
            where task_id = ${task_id}`
        )
      )

    /**
     * Takes some that are due, those due longest first: nobody else gets them until the lease is over. A
     * configuration whose task is gone is due, too.
     */
    const claim = (limit: number, lease_s: number) =>
      Rows.all(
        Claimed,
        sql`update a2p_push_configs set lease_until = now() + ${seconds(lease_s)} where id in (
            select id from a2p_push_configs
            where (next_attempt_at <= now() or task_id is null) and (lease_until is null or lease_until < now())
            order by next_attempt_at nulls first limit ${limit} for update skip locked)
          returning ${columns}, done_seq, queued_seq`
      )

    const next = (task_id: A2pTaskId, done_seq: number) =>
      Rows.first(
        Event,
        sql`select seq, event from a2p_task_events where task_id = ${task_id} and seq > ${done_seq} order by seq limit 1`
      )

    /** The event was delivered, or (with a reason) given up. The lease goes on. */
    const done = (row_id: string, seq: number, lease_s: number, given_up?: string) =>
      orDefect(
        Effect.asVoid(
          sql`update a2p_push_configs set done_seq = greatest(done_seq, ${seq}), queued_seq = greatest(queued_seq, ${seq}),
              attempts = 0, failing_since = null, last_failure = ${given_up ?? null},
              given_up = given_up + ${given_up === undefined ? 0 : 1},
              lease_until = now() + ${seconds(lease_s)}, updated_at = now()
            where id = ${row_id}`
        )
      )

    /** The attempt failed: how many that were of this event, and for how long. */
    const failed = (row_id: string, reason: string) =>
      Rows.first(
        Attempts,
        sql`update a2p_push_configs set attempts = attempts + 1, failing_since = coalesce(failing_since, now()),
            last_failure = ${reason}, updated_at = now()
          where id = ${row_id}
          returning attempts, extract(epoch from now() - failing_since)::float8 as failing_s`
      )

    /** Ends the lease. What is due again is so after this time, or at once where none is given. */
    const release = (row_id: string, wait_s = 0) =>
      orDefect(
        Effect.asVoid(
          sql`update a2p_push_configs set lease_until = null, next_attempt_at =
              case when queued_seq > done_seq then now() + ${seconds(wait_s)} end
            where id = ${row_id}`
        )
      )

    const nextId = () => id.next()

    return { ofTask, insert, remove, removeRow, queue, claim, next, done, failed, release, nextId } as const
  })
}) {}
