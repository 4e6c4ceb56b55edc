import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { OrganizationId } from "../domain/Ids.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { leafColumns } from "./audit/LeafColumns.ts"

// Any fixed number will do, as long as no other part of the service takes the same one.
const lock = 7_203_114_020

/** Transactions that the cursor may stay behind while nothing is to be sealed. */
const far = 100_000

/** Sorts before every id. */
const firstId = "00000000-0000-0000-0000-000000000000"

/** How long after one look at an organization that is held the next one comes. */
const again = "1 minute"

/** How long after a checkpoint of an organization the next one goes to the object store, at the earliest. */
const apart = "1 minute"

/** How long one process has for the checkpoints that it took, before others take them. */
const lease = "30 seconds"

export const Leafed = Schema.Struct({
  id: Schema.String,
  org_id: OrganizationId,
  at: Schema.String,
  xid: Schema.String,
  actor: Schema.String,
  action: Schema.String,
  resource: Schema.String,
  before_digest: Schema.NullOr(Schema.String),
  after_digest: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String),
  request_id: Schema.String,
  personal_digest: Schema.NullOr(Schema.String),
  is_sealed: Schema.Boolean
})

/** How far the log is sealed. */
const Position = Schema.Struct({
  xid: Schema.String,
  entry_id: Schema.String,
  /** True: the database came here from another cluster, and what that wrote ahead of this one's count comes first. */
  is_ahead: Schema.Boolean,
  /** All transactions below this one have ended. */
  horizon: Schema.String,
  is_far: Schema.Boolean
})
export type Position = typeof Position.Type

const Tree = Schema.Struct({
  org_id: OrganizationId,
  /** Nothing is sealed yet: 0, and an empty frontier. */
  size: Schema.Int,
  root: Schema.Uint8ArrayFromSelf,
  frontier: Schema.Uint8ArrayFromSelf,
  note: Schema.String,
  verifier: Schema.String,
  /** True: leaves are recorded that its newest checkpoint does not cover. */
  is_cut: Schema.Boolean
})
export type Tree = typeof Tree.Type

const Held = Schema.Struct({ org_id: OrganizationId })

const Waiting = Schema.Struct({ org_id: OrganizationId, size: Schema.Int, note: Schema.String })

/** What one batch adds to the log of one organization. */
export interface Added {
  readonly org_id: OrganizationId
  readonly leaves: ReadonlyArray<{
    readonly seq: number
    readonly entry_id: string
    readonly at: string
    readonly hash: string
  }>
  readonly nodes: ReadonlyArray<{ readonly level: number; readonly index: number; readonly hash: string }>
  readonly checkpoint: {
    readonly size: number
    readonly root: Buffer
    readonly frontier: Buffer
    readonly note: string
    readonly verifier: string
  }
}

/** What the sealer reads and writes; everything but `isDue` and the outbox in one transaction. */
export class SealerRepo extends Effect.Service<SealerRepo>()("identity/SealerRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const horizon = sql`pg_snapshot_xmin(pg_current_snapshot())`
    const cluster = sql`(select system_identifier::text from pg_control_system())`

    // In another cluster transactions are counted otherwise: there is no place in it to go on from.
    const position = Rows.one(
      Position,
      sql`select p.*, ${horizon}::text as horizon, ${horizon}::text::numeric - p.xid::numeric > ${far} as is_far
          from audit_sealer s cross join lateral (
            select s.xid::text as xid, s.entry_id, s.ahead as is_ahead where s.cluster = ${cluster}
            union all select '0', ${firstId}::uuid, true where s.cluster <> ${cluster}) p`
    )

    /** False where nothing is to be done: one cheap statement. */
    const isDue = Effect.map(
      Rows.one(
        Schema.Struct({ due: Schema.Boolean }),
        sql`select s.cluster <> ${cluster} or s.ahead or ${horizon}::text::numeric - s.xid::text::numeric > ${far}
            or (select true from audit_entries e where (e.xid, e.id) > (s.xid, s.entry_id) and e.xid < ${horizon}
              order by e.xid, e.id limit 1) is not null
            or exists (select from audit_held where not_before <= now()) as due
          from audit_sealer s`
      ),
      ({ due }) => due
    )

    /** True for the one that may seal until its transaction ends. */
    const locked = Effect.map(
      Rows.one(Schema.Struct({ locked: Schema.Boolean }), sql`select pg_try_advisory_xact_lock(${lock}) as locked`),
      (row) => row.locked
    )

    /**
     * Has this transaction read entries by their index, in its order. Where statistics are old, as after an
     * upgrade, the planner takes few entries to be left, and sorts all of them for each batch.
     */
    const inOrder = orDefect(
      Effect.asVoid(
        sql`select set_config(name, 'off', true) from unnest(${["enable_sort", "enable_bitmapscan", "enable_seqscan"]}::text[]) as name`
      )
    )

    /**
     * The next entries after the position, in the order in which they are sealed; those among them that are
     * sealed already count too, so that a batch never looks at more than the limit.
     */
    const next = ({ xid, entry_id, is_ahead }: Position, limit: number) => {
      const within = is_ahead ? sql`e.xid >= pg_snapshot_xmax(pg_current_snapshot())` : sql`e.xid < ${horizon}`
      // A subquery for a value, unlike `exists`, is never made into a join with all of the leaves.
      return Rows.all(
        Leafed,
        sql`select ${leafColumns(sql)}, (select true from audit_leaves l where l.entry_id = e.id) is not null as is_sealed
            from (select * from audit_entries e where (e.xid, e.id) > (${xid}::xid8, ${entry_id}::uuid) and ${within}
              order by e.xid, e.id limit ${limit}) e
            order by e.xid, e.id`
      )
    }

    /** The trees of the organizations, as they are recorded. */
    const trees = (org_ids: ReadonlyArray<OrganizationId>) =>
      Rows.all(
        Tree,
        sql`select o.id as org_id, coalesce(c.size, 0) as size, coalesce(c.root, '') as root,
            coalesce(c.frontier, '') as frontier, coalesce(c.note, '') as note, coalesce(c.verifier, '') as verifier,
            exists (select from audit_leaves l where l.org_id = o.id and l.seq >= coalesce(c.size, 0)) as is_cut
          from unnest(${org_ids}::uuid[]) as o(id) left join lateral (
            select * from audit_checkpoints where org_id = o.id order by size desc limit 1) c on true`
      )

    /** The organizations that are not sealed. */
    const held = Rows.all(Held, sql`select org_id from audit_held`)

    /** Those of them that are to be looked at again now; and not again for a minute. */
    const toLookAt = Rows.all(
      Held,
      sql`update audit_held set not_before = now() + ${again}::interval where not_before <= now() returning org_id`
    )

    /** Passes an organization over from now on. */
    const hold = (org_id: OrganizationId) =>
      orDefect(
        Effect.asVoid(sql`insert into audit_held (org_id, not_before) values (${org_id}, now() + ${again}::interval)`)
      )

    /** Seals organizations again, beginning with what was passed over. */
    const release = (org_ids: ReadonlyArray<OrganizationId>) =>
      orDefect(
        Effect.zipRight(
          sql`delete from audit_held where org_id = any(${org_ids}::uuid[])`,
          // Where each was held nobody noted: the sealer goes through all of the log once more, as after a move.
          Effect.asVoid(sql`update audit_sealer set cluster = ''`)
        )
      )

    const add = ({ org_id, leaves, nodes, checkpoint }: Added) => {
      const { size, root, frontier, note, verifier } = checkpoint
      return orDefect(
        Effect.asVoid(sql`with leaves as (
            insert into audit_leaves (org_id, seq, entry_id, at, leaf_hash)
            select ${org_id}::uuid, l.seq, l.entry_id, l.at, decode(l.hash, 'hex')
            from jsonb_to_recordset(${JSON.stringify(leaves)}::jsonb)
              as l(seq bigint, entry_id uuid, at timestamptz, hash text)),
          nodes as (
            insert into audit_nodes (org_id, level, index, hash)
            select ${org_id}::uuid, n.level, n.index, decode(n.hash, 'hex')
            from jsonb_to_recordset(${JSON.stringify(nodes)}::jsonb) as n(level smallint, index bigint, hash text)),
          outbox as (insert into audit_outbox ${sql.insert({ org_id, size })}
            on conflict (org_id) do update set size = excluded.size)
          insert into audit_checkpoints ${sql.insert({ org_id, size, root, frontier, note, verifier })}`)
      )
    }

    /** Notes how far the log is sealed: up to an entry, or (null) up to all transactions below the one given. */
    const advance = (xid: string, entry_id: string | null, ahead: boolean) =>
      orDefect(
        Effect.asVoid(
          sql`update audit_sealer set xid = ${xid}::xid8, entry_id = ${entry_id ?? firstId}::uuid, ahead = ${ahead},
            cluster = ${cluster}`
        )
      )

    /** The newest checkpoints of some organizations that wait for the object store, now this process's for a while. */
    const takeOut = Rows.all(
      Waiting,
      sql`with taken as (
          update audit_outbox set not_before = now() + ${lease}::interval where org_id in (
            select org_id from audit_outbox where delivered < size and not_before <= now()
            order by not_before limit 50 for update skip locked)
          returning org_id, size)
        select org_id, size, note from taken join audit_checkpoints using (org_id, size)`
    )

    /** Notes that a checkpoint is in the object store; the organization's next one has to wait a while. */
    const delivered = (org_id: OrganizationId, size: number) =>
      orDefect(
        Effect.asVoid(
          sql`update audit_outbox set delivered = ${size}, not_before = now() + ${apart}::interval
            where org_id = ${org_id} and delivered < ${size}`
        )
      )

    return {
      isDue,
      locked,
      inOrder,
      position,
      next,
      trees,
      held,
      toLookAt,
      hold,
      release,
      add,
      advance,
      takeOut,
      delivered
    } as const
  })
}) {}
