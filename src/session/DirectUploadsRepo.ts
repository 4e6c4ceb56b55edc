import { SqlClient } from "@effect/sql"
import { Duration, Effect, Schema } from "effect"
import { type DirectUploadId, OrganizationId, type SuiteId } from "../domain/Ids.ts"
import type { Principal } from "../domain/Principal.ts"
import { DirectUpload } from "../domain/session/Upload.ts"
import * as Rows from "../platform/Rows.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { principalName, StoredPart } from "./UploadsRepo.ts"

/** A part that was sent to this service. */
const SignedPart = Schema.Struct({ ...StoredPart.fields, number: Schema.Int, etag: Schema.String })
export type SignedPart = typeof SignedPart.Type

const { parts: _parts, part_count: _count, urls_expire_at: _until, ...fields } = DirectUpload.fields

export const DirectRow = Schema.Struct({
  ...fields,
  org_id: OrganizationId,
  store_upload_id: Schema.NullOr(Schema.String),
  sign_key: Schema.String,
  parts: Schema.Array(SignedPart),
  expired: Schema.Boolean
})
export type DirectRow = typeof DirectRow.Type

interface NewDirectUpload {
  readonly id: DirectUploadId
  readonly suite_id: SuiteId
  readonly filename: string
  readonly length: number
  readonly part_size: number
  readonly store_upload_id: string | null
  readonly sign_key: string
}

/** Rows of `uploads` whose parts are sent to signed URLs. */
export class DirectUploadsRepo extends Effect.Service<DirectUploadsRepo>()("session/DirectUploadsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { ingest } = yield* Settings
    const lifetime = `${Duration.toMillis(ingest.upload_ttl)} milliseconds`
    // Once an upload is whole its parts are told in the form that every upload has.
    const columns = sql`id, org_id, suite_id, filename, length, "offset", status, session_id, expires_at, created_at,
      updated_at, part_size, store_upload_id, sign_key, case when status = 'OPEN' then parts else '[]' end as parts,
      (status = 'EXPIRED' or (status in ('OPEN', 'COMPLETE') and expires_at <= now())) as expired`
    const visible = ({ org_id, suite_ids }: Principal) =>
      suite_ids === null
        ? sql`kind = 'direct' and org_id = ${org_id}`
        : sql`kind = 'direct' and org_id = ${org_id} and ${sql.in("suite_id", suite_ids)}`

    const insert = (principal: Principal, upload: NewDirectUpload) =>
      Rows.one(
        DirectRow,
        sql`insert into uploads (id, org_id, principal, kind, suite_id, filename, length, part_size, store_upload_id,
            sign_key, expires_at)
          values (${upload.id}, ${principal.org_id}, ${principalName(principal)}, 'direct', ${upload.suite_id},
            ${upload.filename}, ${upload.length}, ${upload.part_size}, ${upload.store_upload_id}, ${upload.sign_key},
            now() + ${lifetime}::interval)
          returning ${columns}`
      )

    const find = (principal: Principal, id: DirectUploadId) =>
      Rows.first(DirectRow, sql`select ${columns} from uploads where ${visible(principal)} and id = ${id}`)

    const lock = (principal: Principal, id: DirectUploadId) =>
      Rows.first(DirectRow, sql`select ${columns} from uploads where ${visible(principal)} and id = ${id} for update`)

    /** For whoever has a URL that was signed with the row's key: asks for no principal. */
    const signed = (id: DirectUploadId) =>
      Rows.first(DirectRow, sql`select ${columns} from uploads where kind = 'direct' and id = ${id}`)

    /** Within a transaction: whoever adds a part to the upload waits until it has ended. Answers where the part of the number is. */
    const hold = (id: DirectUploadId, number: number) =>
      Effect.map(
        Rows.first(
          Schema.Struct({ path: Schema.NullOr(Schema.String) }),
          sql`select (select p->>'path' from jsonb_array_elements(parts) as p where (p->>'number')::int = ${number}) as path
            from uploads where kind = 'direct' and id = ${id} for update`
        ),
        (row) => row?.path ?? undefined
      )

    /** Somebody goes on with it: it is kept for as long again. */
    const keep = (id: DirectUploadId) =>
      orDefect(
        Effect.asVoid(
          sql`update uploads set expires_at = now() + ${lifetime}::interval
            where kind = 'direct' and id = ${id} and status = 'OPEN' and expires_at > now()`
        )
      )

    /**
     * Puts the part in the place of an earlier one of its number; undefined when the upload is open no more.
     * Needs the row held.
     */
    const put = (id: DirectUploadId, part: SignedPart) =>
      Rows.first(
        DirectRow,
        sql`with kept as (
            select coalesce(jsonb_agg(p order by (p->>'number')::int), '[]') as list
            from uploads u, jsonb_array_elements(u.parts || ${JSON.stringify([part])}::jsonb) with ordinality as e(p, at)
            where u.id = ${id} and ((p->>'number')::int <> ${part.number} or at > jsonb_array_length(u.parts)))
          update uploads set parts = kept.list, updated_at = now(), expires_at = now() + ${lifetime}::interval,
            "offset" = (select sum((p->>'size_bytes')::bigint) from jsonb_array_elements(kept.list) as p)
          from kept where id = ${id} and kind = 'direct' and status = 'OPEN' and expires_at > now()
          returning ${columns}`
      )

    const complete = (
      principal: Principal,
      id: DirectUploadId,
      parts: ReadonlyArray<StoredPart>,
      sha256: string | null
    ) =>
      Rows.one(
        DirectRow,
        sql`update uploads set status = 'COMPLETE', "offset" = length, parts = ${JSON.stringify(parts)}::jsonb,
            sha256 = ${sha256}, updated_at = now(), expires_at = now() + ${lifetime}::interval
          where ${visible(principal)} and id = ${id} returning ${columns}`
      )

    const remove = (principal: Principal, id: DirectUploadId) =>
      Rows.one(DirectRow, sql`delete from uploads where ${visible(principal)} and id = ${id} returning ${columns}`)

    return { insert, find, lock, signed, hold, keep, put, complete, remove } as const
  })
}) {}
