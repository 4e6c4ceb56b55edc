import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** The audit log: partitioned by time, append-only for everybody. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table audit_entries (
        id uuid not null,
        org_id uuid not null,
        at timestamptz not null default now(),
        actor text not null,
        action text not null,
        resource text not null,
        before_digest text,
        after_digest text,
        request_id text not null,
        ip text,
        constraint audit_entries_pkey primary key (id, at)
      ) partition by range (at)`
    yield* sql`comment on table audit_entries is 'append-only: what was done is not rewritten'`
    yield* sql`create table audit_entries_default partition of audit_entries default`
    yield* sql`comment on table audit_entries_default is 'append-only: what was done is not rewritten'`
    yield* sql`create index audit_entries_org_at on audit_entries (org_id, at desc, id desc)`
    yield* sql`
      create function refuse_change() returns trigger language plpgsql as $$
      begin
        raise exception 'the table % is append-only', tg_table_name using errcode = 'insufficient_privilege';
      end $$`
    for (const table of ["audit_entries", "audit_entries_default"]) {
      yield* sql`create trigger append_only before update or delete or truncate on ${sql(table)}
        for each statement execute function refuse_change()`
    }
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table audit_entries`
    yield* sql`drop function refuse_change`
  })
}
