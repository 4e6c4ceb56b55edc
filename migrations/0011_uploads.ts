import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Uploads of several requests, and the sessions that are made of them once they were checked. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      alter table sessions
        alter column format drop not null,
        add column status_reason text
          constraint sessions_status_reason_length check (char_length(status_reason) <= 10000),
        add column errors jsonb not null default '[]'
          constraint sessions_errors_array check (jsonb_typeof(errors) = 'array'),
        add column validation_attempt integer not null default 0,
        add constraint sessions_ready_format check (status <> 'READY' or format is not null)`
    yield* sql`
      create table uploads (
        id uuid primary key,
        org_id uuid not null constraint uploads_org references organizations on delete restrict,
        principal text not null,
        kind text not null constraint uploads_kind check (kind in ('tus', 'direct')),
        suite_id uuid,
        filename text not null default '' constraint uploads_filename_length check (char_length(filename) <= 1024),
        description text not null default '' constraint uploads_description_length check (char_length(description) <= 10000),
        metadata jsonb not null default '{}' constraint uploads_metadata_size check (length(metadata::text) <= 100000),
        format text constraint uploads_format_length check (char_length(format) between 1 and 100),
        automatic boolean not null default false,
        upload_metadata text not null default '',
        concat text constraint uploads_concat check (concat in ('partial', 'final')),
        final_id uuid constraint uploads_final references uploads on delete cascade,
        position integer not null default 0,
        status text not null default 'OPEN' constraint uploads_status
          check (status in ('OPEN', 'COMPLETE', 'CLAIMED', 'DONE', 'EXPIRED')),
        length bigint not null,
        "offset" bigint not null default 0,
        writer uuid,
        store_upload_id text,
        part_size bigint,
        sign_key text,
        sha256 text constraint uploads_sha256_form check (sha256 ~ '^[0-9a-f]{64}$'),
        parts jsonb not null default '[]' constraint uploads_parts_array check (jsonb_typeof(parts) = 'array'),
        session_id uuid constraint uploads_session references sessions on delete set null,
        expires_at timestamptz not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint uploads_suite foreign key (org_id, suite_id) references suites (org_id, id) on delete cascade,
        constraint uploads_offset check (0 <= "offset" and "offset" <= length)
      )`
    yield* sql`create index uploads_expires on uploads (expires_at)`
    yield* sql`create index uploads_org_suite on uploads (org_id, suite_id)`
    yield* sql`create index uploads_final on uploads (final_id, position)`
    yield* sql`create index uploads_session on uploads (session_id, position)`
    // By whatever door a row goes, also with its suite: its objects are noted in the same moment.
    yield* sql`
      create function note_upload_removal() returns trigger language plpgsql as $$
      begin
        insert into object_removals (id, org_id, prefix)
        values (old.id, old.org_id, 'orgs/' || old.org_id || '/uploads/' || old.id || '/')
        on conflict (id) do nothing;
        return null;
      end $$`
    yield* sql`create trigger note_removal after delete on uploads
      for each row when (old.status in ('OPEN', 'COMPLETE', 'CLAIMED')) execute function note_upload_removal()`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table uploads`
    yield* sql`drop function note_upload_removal`
    // Of these nothing was ever stored, or not yet.
    yield* sql`delete from sessions where status <> 'READY'`
    yield* sql`
      alter table sessions
        drop constraint sessions_ready_format,
        drop column validation_attempt,
        drop column errors,
        drop column status_reason,
        alter column format set not null`
  })
}
