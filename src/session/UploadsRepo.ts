import { SqlClient } from "@effect/sql"
import { Duration, Effect, Schema } from "effect"
import { OrganizationId, type SessionId, type SuiteId, UploadId } from "../domain/Ids.ts"
import type { Principal } from "../domain/Principal.ts"
import { Format, Metadata } from "../domain/session/Session.ts"
import { Upload } from "../domain/session/Upload.ts"
import * as Rows from "../platform/Rows.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** Some of an upload's bytes: an object below the upload's prefix. */
export const StoredPart = Schema.Struct({ path: Schema.String, size_bytes: Schema.Int })
export type StoredPart = typeof StoredPart.Type

const Named = Schema.Struct({ id: UploadId })

/** Name of a direct upload's object, in a store that joins the parts itself. */
export const DIRECT_OBJECT = "bytes"

const Ended = Schema.Struct({
  id: UploadId,
  org_id: OrganizationId,
  /** Of parts that were to be sent straight to the store. */
  store_upload_id: Schema.NullOr(Schema.String)
})

export type Ended = typeof Ended.Type

/** Where the bytes of an upload are. */
export const uploadPrefix = (org_id: OrganizationId, id: string) => `orgs/${org_id}/uploads/${id}/`

/** A row of `uploads`, but for its parts: there may be thousands. */
export const UploadRow = Schema.Struct({
  ...Upload.fields,
  kind: Schema.Literal("tus", "direct"),
  final_id: Schema.NullOr(UploadId),
  description: Schema.String,
  metadata: Metadata,
  format: Schema.NullOr(Format),
  automatic: Schema.Boolean,
  upload_metadata: Schema.String,
  expired: Schema.Boolean
})
export type UploadRow = typeof UploadRow.Type

/** One upload of a session that is validated, and where its bytes are. */
const Source = Schema.Struct({
  id: UploadId,
  filename: Schema.String,
  length: Schema.Int,
  sha256: Schema.NullOr(Schema.String),
  /** Of the upload itself, or of its partial uploads, in order. */
  pieces: Schema.Array(Schema.Struct({ upload_id: UploadId, parts: Schema.Array(StoredPart) }))
})
export type Source = typeof Source.Type

export interface NewUpload {
  readonly id: UploadId
  readonly suite_id: SuiteId | null
  readonly filename: string
  readonly description: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly format: Format | null
  readonly automatic: boolean
  readonly upload_metadata: string
  readonly concat: "partial" | "final" | null
  readonly length: number
  /** A final one has all of its bytes from the beginning. */
  readonly offset: number
}

/** How the rows say who made them. */
export const principalName = ({ user_id, agent_id }: Principal) =>
  user_id === null ? `agent/${agent_id}` : `user/${user_id}`

/** Rows of `uploads`. */
export class UploadsRepo extends Effect.Service<UploadsRepo>()("session/UploadsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { ingest } = yield* Settings
    const lifetime = `${Duration.toMillis(ingest.upload_ttl)} milliseconds`
    const columns = sql`id, kind, suite_id, filename, description, metadata, format, automatic, upload_metadata, concat,
      final_id, status, length, "offset", session_id, expires_at, created_at, updated_at,
      (status = 'EXPIRED' or (status in ('OPEN', 'COMPLETE') and final_id is null and expires_at <= now())) as expired`

    /** Uploads without a suite are for those who may see all, and for who made them. */
    const visible = (principal: Principal) =>
      principal.suite_ids === null
        ? sql`org_id = ${principal.org_id}`
        : sql`org_id = ${principal.org_id} and (${sql.in("suite_id", principal.suite_ids)}
            or (suite_id is null and principal = ${principalName(principal)}))`

    const insert = (principal: Principal, upload: NewUpload) =>
      Rows.one(
        UploadRow,
        sql`insert into uploads (id, org_id, principal, kind, suite_id, filename, description, metadata, format, automatic,
            upload_metadata, concat, status, length, "offset", expires_at)
          values (${upload.id}, ${principal.org_id}, ${principalName(principal)}, 'tus', ${upload.suite_id},
            ${upload.filename}, ${upload.description}, ${JSON.stringify(upload.metadata)}::jsonb, ${upload.format},
            ${upload.automatic}, ${upload.upload_metadata}, ${upload.concat},
            ${upload.offset === upload.length ? "COMPLETE" : "OPEN"}, ${upload.length}, ${upload.offset},
            now() + ${lifetime}::interval)
          returning ${columns}`
      )

    const find = (principal: Principal, id: string) =>
      Rows.first(UploadRow, sql`select ${columns} from uploads where ${visible(principal)} and id = ${id}`)

    /** The rows of these ids, in no order, held until the transaction ends. */
    const lock = (principal: Principal, ids: ReadonlyArray<string>) =>
      Rows.all(
        UploadRow,
        sql`select ${columns} from uploads where ${visible(principal)} and ${sql.in("id", ids)} order by id for update`
      )

    /** From now on `writer` alone can add to the upload; undefined when it is not open at this offset. */
    const enter = (principal: Principal, id: UploadId, offset: number, writer: string) =>
      Rows.first(
        UploadRow,
        sql`update uploads set writer = ${writer}, updated_at = now(), expires_at = now() + ${lifetime}::interval
          where ${visible(principal)} and id = ${id} and kind = 'tus' and status = 'OPEN' and expires_at > now()
            and "offset" = ${offset}
          returning ${columns}`
      )

    /** Adds a part that is durable; undefined when another writer has come, or the upload is gone. */
    const advance = (org_id: OrganizationId, id: UploadId, writer: string, from: number, part: StoredPart) =>
      Rows.first(
        UploadRow,
        sql`update uploads set "offset" = "offset" + ${part.size_bytes}::bigint,
            parts = parts || ${JSON.stringify([part])}::jsonb,
            status = case when "offset" + ${part.size_bytes}::bigint = length then 'COMPLETE' else status end,
            expires_at = now() + ${lifetime}::interval, updated_at = now()
          where org_id = ${org_id} and id = ${id} and writer = ${writer} and status = 'OPEN' and "offset" = ${from}
          returning ${columns}`
      )

    const partCount = (id: UploadId) =>
      Effect.map(
        Rows.one(
          Schema.Struct({ count: Schema.Int }),
          sql`select jsonb_array_length(parts) as count from uploads where id = ${id}`
        ),
        ({ count }) => count
      )

    /** The partial uploads of a final one, in order. */
    const pieces = (final_id: UploadId) =>
      Rows.all(Named, sql`select id from uploads where final_id = ${final_id} order by position`)

    /** Makes partial uploads the pieces of a final one, in this order. */
    const join = (final_id: UploadId, ids: ReadonlyArray<UploadId>) =>
      orDefect(
        Effect.asVoid(
          sql`update uploads u set final_id = ${final_id}, position = n.at, updated_at = now()
            from unnest(${ids}::uuid[]) with ordinality as n(id, at) where u.id = n.id`
        )
      )

    /** Removes the upload, a final one with its partial ones; answers the ids of all. */
    const remove = (principal: Principal, id: UploadId) =>
      Effect.map(
        Rows.all(
          Named,
          sql`delete from uploads where ${visible(principal)} and (id = ${id} or final_id = ${id}) returning id`
        ),
        (rows) => rows.map((row) => row.id)
      )

    /** The uploads are the session's from now on. */
    const claim = (session_id: SessionId, ids: ReadonlyArray<UploadId>) =>
      orDefect(
        Effect.asVoid(
          sql`update uploads u set status = 'CLAIMED', session_id = ${session_id}, position = n.at, updated_at = now()
            from unnest(${ids}::uuid[]) with ordinality as n(id, at) where u.id = n.id`
        )
      )

    /** What a session is made of, in order. */
    const sources = (session_id: SessionId) =>
      Rows.all(
        Source,
        sql`select u.id, u.filename, u.length, u.sha256, coalesce(
            (select json_agg(json_build_object('upload_id', p.id, 'parts', p.parts) order by p.position)
              from uploads p where p.final_id = u.id),
            json_build_array(json_build_object('upload_id', u.id, 'parts', u.parts))) as pieces
          from uploads u where u.session_id = ${session_id} order by u.position`
      )

    /** Whatever holds bytes of the session: its uploads and their partial ones. */
    const ofSession = (session_id: SessionId) =>
      sql`session_id = ${session_id} or final_id in (select id from uploads where session_id = ${session_id})`

    /** Ends the uploads of a session that was validated; answers those whose bytes are to go. */
    const finish = (session_id: SessionId) =>
      Rows.all(
        Named,
        sql`update uploads set status = 'DONE', parts = '[]', updated_at = now()
          where ${ofSession(session_id)} returning id`
      )

    /** Removes the uploads of a session that is deleted; those that hold bytes are noted by the table's trigger. */
    const removeOf = (session_id: SessionId) =>
      orDefect(Effect.asVoid(sql`delete from uploads where ${ofSession(session_id)}`))

    /** Uploads whose time is over; one that belongs to a final one goes with that, one of a session with that. */
    const isOverdue = sql`(status in ('OPEN', 'COMPLETE') or (status = 'CLAIMED' and session_id is null))
      and final_id is null and expires_at <= now()`

    const overdue = Rows.all(
      Ended,
      sql`select id, org_id, store_upload_id from uploads where ${isOverdue} order by expires_at limit 1000`
    )

    /** Ends them, and notes their bytes to be removed in the same moment. */
    const expire = Rows.all(
      Ended,
      sql`with due as (select id from uploads where ${isOverdue} order by expires_at limit 1000 for update skip locked),
          ended as (
            update uploads set status = 'EXPIRED', parts = '[]', writer = null, updated_at = now()
            where id in (select id from due) or final_id in (select id from due)
            returning id, org_id, store_upload_id),
          noted as (
            insert into object_removals (id, org_id, prefix)
            select id, org_id, 'orgs/' || org_id || '/uploads/' || id || '/' from ended on conflict (id) do nothing)
        select id, org_id, store_upload_id from ended`
    )

    /** Uploads that ended are told of for as long as they could have lived. */
    const forgetEnded = orDefect(
      Effect.asVoid(
        sql`delete from uploads where status in ('DONE', 'EXPIRED') and expires_at <= now() - ${lifetime}::interval`
      )
    )

    /** Of the given ids those that no upload with bytes has. */
    const orphans = (ids: ReadonlyArray<string>) =>
      Effect.map(
        Rows.all(
          Schema.Struct({ id: Schema.String }),
          sql`select u.id::text as id from unnest(${ids}::uuid[]) as u(id)
            where not exists (
              select from uploads where uploads.id = u.id and status in ('OPEN', 'COMPLETE', 'CLAIMED'))`
        ),
        (rows) => rows.map(({ id }) => id)
      )

    return {
      overdue,
      expire,
      forgetEnded,
      orphans,
      insert,
      find,
      lock,
      enter,
      advance,
      partCount,
      pieces,
      join,
      remove,
      claim,
      sources,
      finish,
      removeOf
    } as const
  })
}) {}
