import { SqlClient, Statement } from "@effect/sql"
import { DateTime, Effect, Schema } from "effect"
import type { Issue } from "../domain/Errors.ts"
import { OrganizationId, type SessionId, SuiteId, type UserId } from "../domain/Ids.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import type { Tenant } from "../domain/Principal.ts"
import { Format, Session, SessionFile } from "../domain/session/Session.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import type { StoredFile } from "./Intake.ts"

export interface NewSession {
  readonly id: SessionId
  readonly org_id: OrganizationId
  readonly user_id: UserId | null
  readonly suite_id: SuiteId
  readonly description: string
  readonly format: Format
  readonly storage_path: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly idempotency_key: string | null
}

/** A session whose files are still to be read. */
interface ValidatingSession extends Omit<NewSession, "format"> {
  readonly format: Format | null
}

/** How an attempt at a validation ended well. */
interface Validated {
  readonly id: SessionId
  readonly org_id: OrganizationId
  readonly attempt: number
  readonly format: Format
  readonly storage_path: string
  readonly files: ReadonlyArray<StoredFile>
}

/** Where the objects of a session are. */
export const sessionPrefix = (org_id: OrganizationId, id: SessionId) => `orgs/${org_id}/sessions/${id}/`

const Attempt = Schema.Struct({
  org_id: OrganizationId,
  suite_id: SuiteId,
  format: Schema.NullOr(Format),
  attempt: Schema.Int
})

export interface SessionFilter {
  readonly suite_id?: SuiteId | undefined
  readonly user_id?: UserId | undefined
  readonly format?: Format | undefined
  readonly created_after?: DateTime.Utc | undefined
  readonly created_before?: DateTime.Utc | undefined
  readonly q?: string | undefined
}

const Positioned = Keyset.Positioned(Session.fields)
const Location = Schema.Struct({ ...SessionFile.fields, storage_path: Schema.String })
const Stored = Schema.Struct({
  storage_path: Schema.String,
  user_id: Schema.NullOr(Schema.String),
  idempotency_key: Schema.NullOr(Schema.String),
  size_bytes: Schema.Number
})

/** Rows of `sessions` and `session_files`. */
export class SessionsRepo extends Effect.Service<SessionsRepo>()("session/SessionsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, user_id, suite_id, description, format, status, status_reason, errors, record_source, file_count, size_bytes,
      event_count, started_at, ended_at, metadata, created_at, updated_at`
    const visible = ({ org_id, suite_ids }: Tenant) =>
      suite_ids === null ? sql`org_id = ${org_id}` : sql`org_id = ${org_id} and ${sql.in("suite_id", suite_ids)}`

    /**
     * Writes a session with its files, and whatever else belongs to the same moment, in one
     * statement: one round trip, one transaction.
     */
    const insert = (
      session: NewSession,
      files: ReadonlyArray<StoredFile>,
      together: ReadonlyArray<Statement.Fragment>
    ) => {
      const size_bytes = files.reduce((sum, file) => sum + file.size_bytes, 0)
      const rows = files.map((file) => ({ id: id.next(), ...file }))
      const row = {
        ...session,
        metadata: JSON.stringify(session.metadata),
        status: "READY",
        record_source: "upload",
        file_count: files.length,
        size_bytes
      }
      const parts = [
        sql`inserted as (insert into sessions ${sql.insert(row)} returning ${columns})`,
        sql`stored as (
          insert into session_files (id, org_id, session_id, path, content_type, size_bytes, sha256, line_count)
          select f.id, ${session.org_id}::uuid, ${session.id}::uuid, f.path, f.content_type, f.size_bytes, f.sha256, f.line_count
          from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
            as f(id uuid, path text, content_type text, size_bytes bigint, sha256 text, line_count bigint))`,
        ...together.map((statement, at) => sql`${sql(`also_${at}`)} as (${statement})`)
      ]
      return sql`with ${Statement.join(", ", false)(parts)} select ${columns} from inserted`
    }

    /** Writes a session of which nothing is known but what its sender said. */
    const insertValidating = (session: ValidatingSession) =>
      Rows.one(
        Session,
        sql`insert into sessions ${sql.insert({
          ...session,
          metadata: JSON.stringify(session.metadata),
          status: "VALIDATING",
          record_source: "resumable",
          file_count: 0,
          size_bytes: 0
        })} returning ${columns}`
      )

    /** Begins an attempt; what an earlier one writes from now on counts no more. Undefined: there is nothing to do. */
    const attempt = (session_id: SessionId) =>
      Rows.first(
        Attempt,
        sql`update sessions set validation_attempt = validation_attempt + 1
          where id = ${session_id} and status = 'VALIDATING'
          returning org_id, suite_id, format, validation_attempt as attempt`
      )

    const ofAttempt = (id: SessionId, attempt: number) =>
      sql`id = ${id} and status = 'VALIDATING' and validation_attempt = ${attempt}`

    /** Makes the session READY with its files; false when the attempt is not the latest, or the session is gone. */
    const accept = ({ id: session_id, org_id, attempt, format, storage_path, files }: Validated) => {
      const rows = files.map((file) => ({ id: id.next(), ...file }))
      const size_bytes = files.reduce((sum, file) => sum + file.size_bytes, 0)
      const set = { status: "READY", format, storage_path, file_count: files.length, size_bytes }
      return Effect.map(
        Rows.first(
          Schema.Unknown,
          sql`with accepted as (
              update sessions set ${sql.update(set)}, updated_at = now() where ${ofAttempt(session_id, attempt)}
              returning id),
            stored as (
              insert into session_files (id, org_id, session_id, path, content_type, size_bytes, sha256, line_count)
              select f.id, ${org_id}::uuid, a.id, f.path, f.content_type, f.size_bytes, f.sha256, f.line_count
              from accepted a, jsonb_to_recordset(${JSON.stringify(rows)}::jsonb)
                as f(id uuid, path text, content_type text, size_bytes bigint, sha256 text, line_count bigint))
            select id from accepted`
        ),
        (row) => row !== undefined
      )
    }

    /** Makes the session REJECTED; false as for `accept`. */
    const reject = (session_id: SessionId, attempt: number, reason: string, errors: ReadonlyArray<Issue>) => {
      const set = { status: "REJECTED", status_reason: reason, errors: JSON.stringify(errors) }
      return Effect.map(
        Rows.first(
          Schema.Unknown,
          sql`update sessions set ${sql.update(set)}, updated_at = now() where ${ofAttempt(session_id, attempt)}
            returning id`
        ),
        (row) => row !== undefined
      )
    }

    /** What of a suite matters to its sessions; undefined where the tenant has no such suite. */
    const suiteVisible = ({ org_id, suite_ids }: Tenant, suite_id: SuiteId) =>
      suite_ids !== null && !suite_ids.includes(suite_id)
        ? Effect.succeed(undefined)
        : Rows.first(
            Schema.Struct({ on_upload: Schema.Boolean }),
            sql`select on_upload_model_id is not null as on_upload from suites where org_id = ${org_id} and id = ${suite_id}`
          )

    const exists = (session_id: SessionId) =>
      Effect.map(
        Rows.first(Schema.Unknown, sql`select 1 from sessions where id = ${session_id}`),
        (row) => row !== undefined
      )

    const list = (tenant: Tenant, filter: SessionFilter, keyset: Position | undefined, limit: number) => {
      const conditions = [
        visible(tenant),
        Keyset.after(sql, keyset),
        ...(filter.suite_id === undefined ? [] : [sql`suite_id = ${filter.suite_id}`]),
        ...(filter.user_id === undefined ? [] : [sql`user_id = ${filter.user_id}`]),
        ...(filter.format === undefined ? [] : [sql`format = ${filter.format}`]),
        ...(filter.created_after === undefined ? [] : [sql`created_at > ${DateTime.toDate(filter.created_after)}`]),
        ...(filter.created_before === undefined ? [] : [sql`created_at < ${DateTime.toDate(filter.created_before)}`]),
        ...(filter.q === undefined ? [] : [sql`position(lower(${filter.q}) in lower(description)) > 0`])
      ]
      return Rows.encoded(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from sessions where ${sql.and(conditions)}
          order by created_at desc, id desc limit ${limit + 1}`
      )
    }

    const find = (tenant: Tenant, session_id: SessionId) =>
      Rows.first(Session, sql`select ${columns} from sessions where ${visible(tenant)} and id = ${session_id}`)

    /** Within a transaction: nobody else changes or deletes the session until it has ended. False: there is none. */
    const lock = (tenant: Tenant, session_id: SessionId) =>
      Effect.map(
        Rows.first(
          Schema.Unknown,
          sql`select 1 from sessions where ${visible(tenant)} and id = ${session_id} for update`
        ),
        (row) => row !== undefined
      )

    const update = (
      tenant: Tenant,
      session_id: SessionId,
      change: { readonly description?: string; readonly metadata?: Readonly<Record<string, unknown>> }
    ) => {
      const { metadata, ...rest } = change
      const set = { ...rest, ...(metadata === undefined ? {} : { metadata: JSON.stringify(metadata) }) }
      return Rows.first(
        Session,
        sql`update sessions set ${sql.update(set)}, updated_at = now()
          where ${visible(tenant)} and id = ${session_id} returning ${columns}`
      )
    }

    const remove = (tenant: Tenant, session_id: SessionId) =>
      Rows.first(
        Stored,
        sql`delete from sessions where ${visible(tenant)} and id = ${session_id}
          returning storage_path, user_id, idempotency_key, size_bytes`
      )

    /** Files in order of their path, from the one after `last` on. */
    const files = (tenant: Tenant, session_id: SessionId, last: string | undefined, limit: number) =>
      Rows.all(
        SessionFile,
        sql`select path, content_type, size_bytes, sha256, line_count from session_files
          where org_id = ${tenant.org_id} and session_id = ${session_id}
            and ${last === undefined ? sql`true` : sql`path collate "C" > ${last}`}
          order by path collate "C" limit ${limit + 1}`
      )

    const file = (tenant: Tenant, session_id: SessionId, path: string) =>
      Rows.first(
        Location,
        sql`select f.path, f.content_type, f.size_bytes, f.sha256, f.line_count, s.storage_path
          from session_files f join sessions s on s.id = f.session_id
          where s.id = (select id from sessions where ${visible(tenant)} and id = ${session_id}) and f.path = ${path}`
      )

    /** Below which the session's objects are. */
    const storagePath = (tenant: Tenant, session_id: SessionId) =>
      Effect.map(
        Rows.first(
          Schema.Struct({ storage_path: Schema.String }),
          sql`select storage_path from sessions where ${visible(tenant)} and id = ${session_id}`
        ),
        (row) => row?.storage_path
      )

    /** What the session's first whole timeline told; a later one changes nothing. */
    const recordTimeline = (
      tenant: Tenant,
      session_id: SessionId,
      seen: { readonly event_count: number; readonly started_at: string | null; readonly ended_at: string | null }
    ) =>
      orDefect(
        Effect.asVoid(
          sql`update sessions set ${sql.update(seen)}
            where ${visible(tenant)} and id = ${session_id} and event_count is null`
        )
      )

    const forgetKey = (org_id: OrganizationId, key: string, session_id: SessionId) =>
      orDefect(
        Effect.asVoid(
          sql`delete from idempotency_keys where org_id = ${org_id} and key = ${key} and response_body->>'id' = ${session_id}`
        )
      )

    return {
      insert,
      insertValidating,
      attempt,
      accept,
      reject,
      suiteVisible,
      exists,
      list,
      find,
      lock,
      update,
      remove,
      files,
      file,
      storagePath,
      recordTimeline,
      forgetKey
    } as const
  })
}) {}
