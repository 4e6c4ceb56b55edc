import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** What is counted to limit it: requests for moments, in a table that a crash may empty; quotas for good. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create unlogged table rate_limits (
        key text collate "C" constraint rate_limits_pkey primary key
          constraint rate_limits_key_length check (char_length(key) <= 200),
        -- When the limit is full again, or the failures are forgotten: milliseconds since the epoch.
        tat double precision not null,
        failures integer not null default 0
      ) with (fillfactor = 50)`
    // The rows are locked in the order of their keys and read as they are then, each statement seeing
    // what was committed before it: two requests never decide over the same state, and never wait in a ring.
    yield* sql`
      create function take_rate_limits(wanted text[], intervals double precision[], bursts double precision[])
      returns table (admitted boolean, now_ms double precision, tats double precision[]) language plpgsql as $$
      declare
        known text[];
        before double precision[];
        after double precision[];
      begin
        loop
          select array_agg(l.key), array_agg(l.tat) into known, before
            from (select r.key, r.tat from rate_limits r where r.key = any(wanted) order by r.key for update) l;
          exit when coalesce(cardinality(known), 0) = cardinality(wanted);
          insert into rate_limits (key, tat) select w, 0 from unnest(wanted) w order by w on conflict (key) do nothing;
        end loop;
        now_ms := extract(epoch from clock_timestamp()) * 1000;
        select array_agg(l.tat order by w.position),
            array_agg(greatest(l.tat, now_ms) + w.interval_ms order by w.position),
            bool_and(greatest(l.tat, now_ms) + w.interval_ms - now_ms <= (w.burst + 0.001) * w.interval_ms)
          into before, after, admitted
          from unnest(wanted, intervals, bursts) with ordinality as w(key, interval_ms, burst, position)
          join unnest(known, before) as l(key, tat) on l.key = w.key;
        if admitted then
          update rate_limits r set tat = v.tat from unnest(wanted, after) as v(key, tat) where r.key = v.key;
        end if;
        tats := case when admitted then after else before end;
        return next;
      end $$`
    yield* sql`
      create table quotas (
        id uuid primary key,
        org_id uuid not null constraint quotas_org references organizations on delete cascade,
        kind text not null constraint quotas_kind check (kind in ('requests', 'tool_calls', 'tokens', 'bytes_stored')),
        "window" text not null constraint quotas_window check ("window" in ('day', 'month', 'total')),
        -- Null: none, whatever the default is.
        ceiling bigint constraint quotas_ceiling check (ceiling between 0 and 9007199254740991),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint quotas_org_kind_window unique (org_id, kind, "window"),
        constraint quotas_standing check (("window" = 'total') = (kind = 'bytes_stored'))
      )`
    yield* sql`
      create table quota_usage (
        org_id uuid not null constraint quota_usage_org references organizations on delete cascade,
        kind text not null constraint quota_usage_kind check (kind in ('requests', 'tool_calls', 'tokens')),
        "window" text not null constraint quota_usage_window check ("window" in ('day', 'month')),
        -- The first day of the window, in UTC.
        begins date not null,
        used bigint not null constraint quota_usage_used check (used >= 0),
        constraint quota_usage_pkey primary key (org_id, kind, "window", begins)
      ) with (fillfactor = 50)`
    yield* sql`create index quota_usage_begins on quota_usage (begins)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table quota_usage, quotas`
    yield* sql`drop function take_rate_limits`
    yield* sql`drop table rate_limits`
  })
}
