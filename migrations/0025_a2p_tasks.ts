import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Tasks that agents and people ask for by A2A, and what happened to each: what streams replay. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table a2p_tasks (
        id uuid primary key,
        org_id uuid not null constraint a2p_tasks_org references organizations on delete cascade,
        user_id uuid constraint a2p_tasks_user references users on delete cascade,
        agent_id uuid,
        owner_id uuid generated always as (coalesce(user_id, agent_id)) stored,
        -- The only suites that who asked for it may see; null: all of the organization.
        suite_ids uuid[],
        principal jsonb not null constraint a2p_tasks_principal_object check (jsonb_typeof(principal) = 'object'),
        request_id text not null,
        context_id text not null constraint a2p_tasks_context_id_length check (char_length(context_id) between 1 and 255),
        -- As the caller gave it; empty: it was made here.
        given_context_id text not null,
        message_id text not null constraint a2p_tasks_message_id_length check (char_length(message_id) between 1 and 255),
        request_hash text not null constraint a2p_tasks_request_hash_form check (request_hash ~ '^[0-9a-f]{64}$'),
        skill text constraint a2p_tasks_skill_length check (char_length(skill) between 1 and 100),
        input jsonb constraint a2p_tasks_input_object check (jsonb_typeof(input) = 'object'),
        state text not null constraint a2p_tasks_state check (state in (
          'TASK_STATE_SUBMITTED', 'TASK_STATE_WORKING', 'TASK_STATE_INPUT_REQUIRED', 'TASK_STATE_AUTH_REQUIRED',
          'TASK_STATE_COMPLETED', 'TASK_STATE_FAILED', 'TASK_STATE_CANCELED', 'TASK_STATE_REJECTED')),
        status_message jsonb,
        status_at timestamptz not null,
        history jsonb not null default '[]' constraint a2p_tasks_history_list check (jsonb_typeof(history) = 'array'),
        artifacts jsonb not null default '[]' constraint a2p_tasks_artifacts_list check (jsonb_typeof(artifacts) = 'array'),
        job_id uuid constraint a2p_tasks_job references jobs on delete set null,
        -- Until when a run within a request is believed to be alive; null: a durable job carries it out.
        lease_until timestamptz,
        last_seq integer not null default 0,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint a2p_tasks_agent foreign key (org_id, agent_id) references agents (org_id, id) on delete cascade,
        constraint a2p_tasks_one_owner check (num_nonnulls(user_id, agent_id) = 1),
        constraint a2p_tasks_once unique (org_id, owner_id, given_context_id, message_id)
      )`
    yield* sql`create index a2p_tasks_owner_status_at on a2p_tasks (org_id, owner_id, status_at desc, id desc)`
    yield* sql`create index a2p_tasks_owner_context_status_at
      on a2p_tasks (org_id, owner_id, context_id, status_at desc, id desc)`
    yield* sql`create index a2p_tasks_owner_state_status_at
      on a2p_tasks (org_id, owner_id, state, status_at desc, id desc)`
    yield* sql`create index a2p_tasks_user on a2p_tasks (user_id)`
    yield* sql`create index a2p_tasks_agent on a2p_tasks (org_id, agent_id)`
    yield* sql`create index a2p_tasks_job on a2p_tasks (job_id) where job_id is not null`
    yield* sql`create index a2p_tasks_lease on a2p_tasks (lease_until) where lease_until is not null`
    yield* sql`create index a2p_tasks_ended on a2p_tasks (status_at) where state in
      ('TASK_STATE_COMPLETED', 'TASK_STATE_FAILED', 'TASK_STATE_CANCELED', 'TASK_STATE_REJECTED')`
    yield* sql`
      create table a2p_task_events (
        task_id uuid not null constraint a2p_task_events_task references a2p_tasks on delete cascade,
        seq integer not null constraint a2p_task_events_seq check (seq >= 1),
        event jsonb not null constraint a2p_task_events_object check (jsonb_typeof(event) = 'object'),
        created_at timestamptz not null default now(),
        primary key (task_id, seq)
      )`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table a2p_task_events, a2p_tasks`
  })
}
