import { SqlClient, type Statement } from "@effect/sql"
import { Effect, Schema } from "effect"
import { AuditEntryId, type OrganizationId as Org, OrganizationId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { leafColumns } from "./audit/LeafColumns.ts"
import type { Hash } from "./audit/Merkle.ts"
import type { Stored } from "./audit/Nodes.ts"

/** Which entries of an organization; times from `from` on, up to and without `to`. */
export interface AuditFilter {
  readonly actor?: string
  readonly action?: string
  readonly resource?: string
  readonly from?: Date
  readonly to?: Date
}

const Text = Schema.NullOr(Schema.String)
const Bytes = Schema.NullOr(Schema.Uint8ArrayFromSelf)

const fields = {
  id: AuditEntryId,
  org_id: OrganizationId,
  at: Schema.String,
  xid: Schema.String,
  actor: Schema.String,
  action: Schema.String,
  resource: Schema.String,
  before_digest: Text,
  after_digest: Text,
  detail: Text,
  request_id: Schema.String,
  personal_digest: Text
}

/** What is personal of an entry, and the key that it is encrypted with as far as that is there. */
const personal = {
  ciphertext: Bytes,
  key_id: Text,
  key_user_id: Text,
  key_org_id: Text,
  wrapped: Bytes,
  kek_version: Schema.NullOr(Schema.Int)
}

const leaf = { seq: Schema.NullOr(Schema.Int), leaf_hash: Text }

const Row = Keyset.Positioned({ ...fields, ...personal, ...leaf })
export type AuditRow = Omit<typeof Row.Type, "position_at">

/** A leaf together with its entry; where somebody removed that, nothing but the leaf is known. */
const SealedRow = Schema.Struct({
  seq: Schema.Int,
  leaf_hash: Schema.String,
  entry_id: AuditEntryId,
  entry: Schema.NullOr(Schema.Struct(fields)),
  ciphertext: Bytes
})
export type SealedRow = typeof SealedRow.Type

const Checkpoint = Schema.Struct({
  size: Schema.Int,
  root: Schema.Uint8ArrayFromSelf,
  note: Schema.String,
  verifier: Schema.String,
  created_at: Schema.String
})
export type CheckpointRow = typeof Checkpoint.Type

/** What is read of the audit log. */
export class AuditRepo extends Effect.Service<AuditRepo>()("identity/AuditRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const keyed = sql`p.ciphertext, k.id as key_id, k.user_id as key_user_id, k.org_id as key_org_id, k.wrapped, k.kek_version`
    const withKeys = sql`left join audit_personal p on p.entry_id = e.id left join data_keys k on k.id = p.key_id`

    const where = (org_id: Org, { actor, action, resource, from, to }: AuditFilter) =>
      sql.and([
        sql`org_id = ${org_id}`,
        ...(actor === undefined ? [] : [sql`actor = ${actor}`]),
        ...(action === undefined ? [] : [sql`action = ${action}`]),
        ...(resource === undefined ? [] : [sql`resource = ${resource}`]),
        ...(from === undefined ? [] : [sql`at >= ${from}`]),
        ...(to === undefined ? [] : [sql`at < ${to}`])
      ])

    const isAll = (filter: AuditFilter) => Object.values(filter).every((value) => value === undefined)

    const rows = (entries: Statement.Fragment) =>
      sql`select ${leafColumns(sql)}, e.position_at, l.seq, encode(l.leaf_hash, 'hex') as leaf_hash, ${keyed}
        from (select *, ${Keyset.position_at(sql)} from (select a.*, a.at as created_at from audit_entries a) a where ${entries}) e
          left join audit_leaves l on l.entry_id = e.id ${withKeys}`

    /** Newest first. */
    const list = (org_id: Org, filter: AuditFilter, keyset: Position | undefined, limit: number) =>
      Rows.all(
        Row,
        sql`${rows(sql`${where(org_id, filter)} and ${Keyset.after(sql, keyset)}
          order by created_at desc, id desc limit ${limit + 1}`)} order by e.at desc, e.id desc`
      )

    const find = (org_id: Org, id: AuditEntryId) => Rows.first(Row, rows(sql`org_id = ${org_id} and id = ${id}`))

    /** From a place of the sealed log on, in its order; without a filter also the leaves whose entries are gone. */
    const sealed = (org_id: Org, filter: AuditFilter, from_seq: number, limit: number) => {
      const entries = isAll(filter)
        ? sql`left join audit_entries e on e.id = l.entry_id`
        : sql`join (select * from audit_entries where ${where(org_id, filter)}) e on e.id = l.entry_id`
      return Rows.all(
        SealedRow,
        sql`select l.seq, encode(l.leaf_hash, 'hex') as leaf_hash, l.entry_id, p.ciphertext,
            (select to_jsonb(found) from (select ${leafColumns(sql)} where e.id is not null) found) as entry
          from audit_leaves l ${entries} left join audit_personal p on p.entry_id = l.entry_id
          where l.org_id = ${org_id} and l.seq >= ${from_seq} order by l.seq limit ${limit}`
      )
    }

    /** The checkpoint of a size, or the newest. */
    const checkpoint = (org_id: Org, size: number | undefined) =>
      Rows.first(
        Checkpoint,
        sql`select size, root, note, verifier, created_at from audit_checkpoints
          where org_id = ${org_id} ${size === undefined ? sql`` : sql`and size = ${size}`} order by size desc limit 1`
      )

    /** Hashes that are stored of an organization's tree. */
    const hashes = (org_id: Org, { level, index, count }: Stored): Effect.Effect<ReadonlyArray<Hash>> =>
      Effect.map(
        Rows.all(
          Schema.Struct({ hash: Schema.Uint8ArrayFromSelf }),
          level === 0
            ? sql`select leaf_hash as hash from audit_leaves
                where org_id = ${org_id} and seq >= ${index} and seq < ${index + count} order by seq`
            : sql`select hash from audit_nodes where org_id = ${org_id} and level = ${level}
                and index >= ${index} and index < ${index + count} order by index`
        ),
        (found) => found.map(({ hash }) => hash)
      )

    return { list, find, sealed, checkpoint, hashes } as const
  })
}) {}
