import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/**
 * Where the events of a task are pushed to. The events themselves are the task's: a configuration holds how
 * far it is in them, and when the next attempt is due.
 */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table a2p_push_configs (
        id uuid primary key,
        -- Outlives the organization: what is secret of it is kept elsewhere, and found by this row alone.
        org_id uuid not null,
        -- Null: not in force yet, or no more; the row is there until its secret is gone.
        task_id uuid constraint a2p_push_configs_task references a2p_tasks on delete set null,
        -- Who made it: what is pushed is what that may see when it is.
        principal jsonb not null
          constraint a2p_push_configs_principal_object check (jsonb_typeof(principal) = 'object'),
        -- As the caller names it.
        config_id text not null
          constraint a2p_push_configs_config_id_length check (char_length(config_id) between 1 and 255),
        url text not null constraint a2p_push_configs_url_length check (char_length(url) between 1 and 2048),
        scheme text not null constraint a2p_push_configs_scheme_length check (char_length(scheme) <= 100),
        -- Where the token, the credentials and the signing secret are kept.
        secret_ref text not null,
        wire_version text not null constraint a2p_push_configs_wire_version check (wire_version in ('1.0', '0.3')),
        -- The last event that is to be delivered, and the last that was, or was given up.
        queued_seq integer not null,
        done_seq integer not null constraint a2p_push_configs_in_order check (done_seq <= queued_seq),
        -- Of the event that is next.
        attempts integer not null default 0,
        failing_since timestamptz,
        last_failure text,
        given_up integer not null default 0,
        next_attempt_at timestamptz,
        -- Who delivers, or makes it, and until when that is believed to be alive.
        lease_owner uuid,
        lease_until timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint a2p_push_configs_task_config unique (task_id, config_id)
      )`
    yield* sql`create index a2p_push_configs_next_attempt_at on a2p_push_configs (org_id, next_attempt_at)
      where next_attempt_at is not null`
    yield* sql`create index a2p_push_configs_lease on a2p_push_configs (org_id) where lease_until is not null`
    yield* sql`create index a2p_push_configs_orphans on a2p_push_configs (id) where task_id is null`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table a2p_push_configs`
  })
}
