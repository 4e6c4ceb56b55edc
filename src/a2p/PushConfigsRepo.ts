import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { A2pTaskId, OrganizationId } from "../domain/Ids.ts"
import { Principal } from "../domain/Principal.ts"
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

/** One that a process has taken, to deliver what is due: it is that process's while it holds the lease. */
export const Claimed = Schema.Struct({
  ...PushConfig.fields,
  done_seq: Schema.Int,
  /** Who made it. */
  principal: Principal,
  /** Of its task. */
  skill: Schema.NullOr(Schema.String),
  /** Of the event that is next: how often it was sent in vain. */
  attempts: Schema.Int,
  lease_owner: Schema.UUID
})
export type Claimed = typeof Claimed.Type

type Lease = Pick<Claimed, "id" | "lease_owner">

const Event = Schema.Struct({
  seq: Schema.Int,
  event: Schema.Record({ key: Schema.String, value: Schema.Unknown })
})
/** One that is to be delivered. */
export type Event = typeof Event.Type

const Attempts = Schema.Struct({ attempts: Schema.Int, failing_s: Schema.Number })

const encodePrincipal = Schema.encodeSync(Principal)

const Orphaned = Schema.Struct({ id: Schema.UUID, done_seq: Schema.Int })
const Locked = Schema.Struct({ last_seq: Schema.Int })
const Row = Schema.Struct({ id: Schema.UUID })

/** A configuration on its way into force holds its row for so long: then it is held to be given up. */
const PREPARING_S = 300

/** What is due of one organization that is delivered at a time: its slow receivers keep nobody else's waiting. */
const PER_ORGANIZATION = 4

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

    /** Makes the row of a configuration that is in force for no task yet: before its secrets, so that they are found. */
    const prepare = (row: Omit<PushConfig, "task_id">, principal: Principal) =>
      orDefect(
        Effect.asVoid(
          sql`insert into a2p_push_configs (id, org_id, principal, config_id, url, scheme, secret_ref,
              wire_version, queued_seq, done_seq, lease_until)
            values (${row.id}, ${row.org_id}, ${JSON.stringify(encodePrincipal(principal))}, ${row.config_id}, ${row.url},
              ${row.scheme}, ${row.secret_ref}, ${row.wire_version}, 0, 0, now() + ${seconds(PREPARING_S)})`
        )
      )

    /** Nothing happens to the task until the transaction ends; answers its newest event. Before any of its configurations. */
    const lockTask = (task_id: A2pTaskId) =>
      Rows.first(Locked, sql`select last_seq from a2p_tasks where id = ${task_id} for no key update`)

    /** Puts a prepared one in force: it delivers what comes after the given event. Undefined: it was given up. */
    const enforce = (row_id: string, task_id: A2pTaskId, last_seq: number, done_seq: number) =>
      Rows.first(
        Row,
        sql`update a2p_push_configs set task_id = ${task_id}, queued_seq = ${last_seq},
            done_seq = ${Math.min(done_seq, last_seq)}, next_attempt_at = now(), lease_until = null, updated_at = now()
          where id = ${row_id} and task_id is null and lease_owner is null
          returning id`
      )

    /** One that is prepared will not be in force. */
    const abandon = (row_id: string) =>
      orDefect(
        Effect.asVoid(
          sql`update a2p_push_configs set lease_until = null where id = ${row_id} and task_id is null and lease_owner is null`
        )
      )

    /** Takes one out of force, with what it had delivered; whoever looks for orphans removes its secrets, then its row. */
    const orphan = (task_id: A2pTaskId, config_id: string) =>
      Rows.first(
        Orphaned,
        sql`update a2p_push_configs set task_id = null, next_attempt_at = null, lease_owner = null, lease_until = null
          where task_id = ${task_id} and config_id = ${config_id} returning id, done_seq`
      )

    /** The same for one that is delivered from; false: it is another's by now. */
    const drop = ({ id: row_id, lease_owner }: Lease) =>
      Effect.map(
        Rows.first(
          Row,
          sql`update a2p_push_configs set task_id = null, next_attempt_at = null, lease_owner = null, lease_until = null
            where id = ${row_id} and lease_owner = ${lease_owner} returning id`
        ),
        (row) => row !== undefined
      )

    /** Removes the row of one that is not in force, after its secrets. */
    const removeRow = (row_id: string) =>
      orDefect(Effect.asVoid(sql`delete from a2p_push_configs where id = ${row_id} and task_id is null`))

    /** Something happened to the task: its configurations are due, at the latest with this event. */
    const queue = (task_id: A2pTaskId, seq: number) =>
      orDefect(
        Effect.asVoid(
          sql`update a2p_push_configs set queued_seq = greatest(queued_seq, ${seq}),
              next_attempt_at = coalesce(next_attempt_at, now())
            where task_id = ${task_id}`
        )
      )

    const free = sql`(lease_until is null or lease_until < now())`

    /**
     * Takes some that are due, those due longest first, and of each organization a few: nobody else gets
     * them until the lease is over.
     */
    const claim = (limit: number, lease_s: number) =>
      Rows.all(
        Claimed,
        sql`with recursive organizations_due as (
            (select org_id from a2p_push_configs where next_attempt_at is not null order by org_id limit 1)
            union all
            select (select c.org_id from a2p_push_configs c
              where c.next_attempt_at is not null and c.org_id > o.org_id order by c.org_id limit 1)
            from organizations_due o where o.org_id is not null
          ), due as (
            select c.id from organizations_due o cross join lateral (
              select id, next_attempt_at from a2p_push_configs
              where org_id = o.org_id and next_attempt_at <= now() and task_id is not null and ${free}
              order by next_attempt_at
              limit greatest(0, ${PER_ORGANIZATION} - (select count(*) from a2p_push_configs l
                where l.org_id = o.org_id and l.lease_until >= now() and l.task_id is not null))
            ) c order by c.next_attempt_at limit ${limit}
          )
          update a2p_push_configs set lease_until = now() + ${seconds(lease_s)}, lease_owner = gen_random_uuid()
          where id in (select id from a2p_push_configs where id in (select id from due)
            and next_attempt_at <= now() and task_id is not null and ${free} for update skip locked)
          returning ${columns}, done_seq, attempts, lease_owner, principal,
            (select skill from a2p_tasks t where t.id = task_id) as skill`
      )

    /** Takes some that are in force for no task. */
    const claimOrphans = (limit: number, lease_s: number) =>
      Rows.all(
        PushConfig,
        sql`update a2p_push_configs set lease_until = now() + ${seconds(lease_s)}, lease_owner = gen_random_uuid()
          where id in (select id from a2p_push_configs where task_id is null and ${free}
            limit ${limit} for update skip locked)
          returning ${columns}`
      )

    const next = (task_id: A2pTaskId, done_seq: number) =>
      Rows.first(
        Event,
        sql`select seq, event from a2p_task_events where task_id = ${task_id} and seq > ${done_seq} order by seq limit 1`
      )

    /** The event was delivered, or (with a reason) given up. The lease goes on; false: it is another's by now. */
    const done = ({ id: row_id, lease_owner }: Lease, seq: number, lease_s: number, given_up?: string) =>
      Effect.map(
        Rows.first(
          Row,
          sql`update a2p_push_configs set done_seq = greatest(done_seq, ${seq}), queued_seq = greatest(queued_seq, ${seq}),
              attempts = 0, failing_since = null, last_failure = ${given_up ?? null},
              given_up = given_up + ${given_up === undefined ? 0 : 1},
              lease_until = now() + ${seconds(lease_s)}, updated_at = now()
            where id = ${row_id} and lease_owner = ${lease_owner} returning id`
        ),
        (row) => row !== undefined
      )

    /** The attempt failed: how many that were of this event, and for how long. Undefined: it is another's by now. */
    const failed = ({ id: row_id, lease_owner }: Lease, reason: string) =>
      Rows.first(
        Attempts,
        sql`update a2p_push_configs set attempts = attempts + 1, failing_since = coalesce(failing_since, now()),
            last_failure = ${reason}, updated_at = now()
          where id = ${row_id} and lease_owner = ${lease_owner}
          returning attempts, extract(epoch from now() - failing_since)::float8 as failing_s`
      )

    /** Ends the lease. What is due again is so after this time, or at once where none is given. */
    const release = ({ id: row_id, lease_owner }: Lease, wait_s = 0) =>
      orDefect(
        Effect.asVoid(
          sql`update a2p_push_configs set lease_until = null, lease_owner = null, next_attempt_at =
              case when queued_seq > done_seq then now() + ${seconds(wait_s)} end
            where id = ${row_id} and lease_owner = ${lease_owner}`
        )
      )

    const nextId = () => id.next()

    return {
      ofTask,
      prepare,
      lockTask,
      enforce,
      abandon,
      orphan,
      drop,
      removeRow,
      queue,
      claim,
      claimOrphans,
      next,
      done,
      failed,
      release,
      nextId
    } as const
  })
}) {}
