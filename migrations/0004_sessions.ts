import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Sessions and their files, and what keeps the object store and the tables in step. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table sessions (
        id uuid primary key,
        org_id uuid not null constraint sessions_org references organizations on delete restrict,
        user_id uuid constraint sessions_user references users on delete set null,
        suite_id uuid not null,
        description text not null default '' constraint sessions_description_length check (char_length(description) <= 10000),
        format text not null constraint sessions_format_length check (char_length(format) between 1 and 100),
        status text not null constraint sessions_status check (status in ('VALIDATING', 'READY', 'REJECTED')),
        record_source text not null constraint sessions_record_source_length check (char_length(record_source) <= 100),
        storage_path text not null,
        file_count integer not null,
        size_bytes bigint not null,
        event_count bigint,
        started_at timestamptz,
        ended_at timestamptz,
        metadata jsonb not null default '{}' constraint sessions_metadata_size check (length(metadata::text) <= 100000),
        idempotency_key text,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint sessions_suite foreign key (org_id, suite_id) references suites (org_id, id) on delete restrict
      )`
    yield* sql`create index sessions_org_created on sessions (org_id, created_at desc, id desc)`
    yield* sql`create index sessions_org_suite_created on sessions (org_id, suite_id, created_at desc, id desc)`
    yield* sql`create index sessions_org_user_created on sessions (org_id, user_id, created_at desc, id desc)`
    yield* sql`create index sessions_org_format_created on sessions (org_id, format, created_at desc, id desc)`
    yield* sql`create index sessions_user on sessions (user_id)`
    yield* sql`
      create table session_files (
        id uuid primary key,
        org_id uuid not null constraint session_files_org references organizations on delete restrict,
        session_id uuid not null constraint session_files_session references sessions on delete cascade,
        path text not null constraint session_files_path_length check (octet_length(path) between 1 and 1024),
        content_type text not null,
        size_bytes bigint not null,
        sha256 text not null constraint session_files_sha256_form check (sha256 ~ '^[0-9a-f]{64}$'),
        line_count bigint,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint session_files_session_path_unique unique (session_id, path)
      )`
    yield* sql`
      create table idempotency_keys (
        id uuid primary key,
        org_id uuid not null constraint idempotency_keys_org references organizations on delete cascade,
        principal text not null,
        key text not null constraint idempotency_keys_key_length check (char_length(key) between 1 and 255),
        request_hash text not null,
        response_status integer not null,
        response_body jsonb not null,
        expires_at timestamptz not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint idempotency_keys_unique unique (org_id, principal, key)
      )`
    yield* sql`create index idempotency_keys_expires on idempotency_keys (expires_at)`
    // An upload that takes longer than a moment says here that it is alive, so that the collector of
    // any node leaves its objects alone.
    yield* sql`
      create table upload_leases (
        id uuid primary key,
        org_id uuid not null constraint upload_leases_org references organizations on delete cascade,
        lease_until timestamptz not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
      )`
    // Objects whose rows are gone: written in the transaction that removes the rows, read by the
    // collector, so that a crash between the two leaves nothing behind.
    yield* sql`
      create table object_removals (
        id uuid primary key,
        org_id uuid not null,
        prefix text not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
      )`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table object_removals, upload_leases, idempotency_keys, session_files, sessions`
  })
}
