import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** What agents and other systems report: partitioned by the month in which it happened. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table log_entries (
        id uuid not null,
        org_id uuid not null constraint log_entries_org references organizations on delete cascade,
        timestamp timestamptz not null,
        event_type text not null constraint log_entries_event_type_length check (char_length(event_type) between 1 and 200),
        severity text not null constraint log_entries_severity
          check (severity in ('debug', 'info', 'warning', 'error', 'critical')),
        source text constraint log_entries_source_length check (char_length(source) between 1 and 200),
        correlation_id text constraint log_entries_correlation_id_length check (char_length(correlation_id) between 1 and 200),
        session_id text constraint log_entries_session_id_length check (char_length(session_id) between 1 and 200),
        data jsonb not null default '{}' constraint log_entries_data_object check (jsonb_typeof(data) = 'object'),
        constraint log_entries_pkey primary key (id, timestamp)
      ) partition by range (timestamp)`
    yield* sql`comment on table log_entries is 'append-only: what was reported is not rewritten'`
    yield* sql`create table log_entries_default partition of log_entries default`
    yield* sql`comment on table log_entries_default is 'append-only: what was reported is not rewritten'`
    yield* sql`create index log_entries_org_timestamp on log_entries (org_id, timestamp desc, id desc)`
    for (const filter of ["severity", "event_type"]) {
      yield* sql`create index ${sql(`log_entries_org_${filter}_timestamp`)}
        on log_entries (org_id, ${sql(filter)}, timestamp desc, id desc)`
    }
    for (const filter of ["source", "correlation_id", "session_id"]) {
      yield* sql`create index ${sql(`log_entries_org_${filter}_timestamp`)}
        on log_entries (org_id, ${sql(filter)}, timestamp desc, id desc) where ${sql(filter)} is not null`
    }
    // The application calls it, and owns no table: it runs as who does. Whoever may use the table may use its parts.
    // A new part locks the table while the default one is read: entries of the last year go to parts of their own,
    // so that little is left there, and what cannot be locked soon is made another day.
    yield* sql`
      create function make_log_partitions(months integer, out made integer, out skipped text[]) language plpgsql
        security definer set search_path = public, pg_temp set lock_timeout = '10s' as $$
      declare
        begins date;
        part text;
        role text;
      begin
        made := 0;
        skipped := '{}';
        if months not between 0 and 24 then
          raise exception 'partitions are made 0 to 24 months ahead' using errcode = 'invalid_parameter_value';
        end if;
        perform pg_advisory_xact_lock(hashtext('make_log_partitions'));
        for ahead in -12..months loop
          begins := date_trunc('month', now() at time zone 'UTC') + ahead * interval '1 month';
          part := 'log_entries_' || to_char(begins, 'YYYY_MM');
          continue when exists (select from pg_inherits
            where inhparent = 'log_entries'::regclass and inhrelid = to_regclass(part));
          -- The default partition holds entries of that month already: its others go there too.
          if exists (select from log_entries_default
            where timestamp >= begins::timestamp at time zone 'UTC'
              and timestamp < (begins + interval '1 month') at time zone 'UTC')
          then
            skipped := skipped || to_char(begins, 'YYYY-MM');
            continue;
          end if;
          begin
            execute format('create table %I partition of log_entries for values from (%L) to (%L)', part,
              begins::text || ' 00:00:00+00', (begins + interval '1 month')::date::text || ' 00:00:00+00');
          exception when check_violation then
            -- Some came just now.
            skipped := skipped || to_char(begins, 'YYYY-MM');
            continue;
          end;
          execute format('comment on table %I is %L', part, 'append-only: what was reported is not rewritten');
          for role in select distinct grantee::regrole::text from pg_class, aclexplode(relacl)
            where oid = 'log_entries'::regclass and grantee <> 0 and grantee <> relowner
          loop
            execute format('grant select, insert on %I to %s', part, role);
          end loop;
          made := made + 1;
        end loop;
      end $$`
    yield* sql`select make_log_partitions(3)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop function make_log_partitions`
    yield* sql`drop table log_entries`
  })
}
