import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Jobs: work that outlives the request that asked for it, and what it made. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table jobs (
        id uuid primary key,
        org_id uuid not null constraint jobs_org references organizations on delete restrict,
        kind text not null constraint jobs_kind check (kind in ('examples.batch')),
        -- The only suites that who asked for it may see; null: all of the organization.
        suite_ids uuid[],
        principal text not null,
        idempotency_key text constraint jobs_idempotency_key_length check (char_length(idempotency_key) between 1 and 255),
        request_hash text not null constraint jobs_request_hash_form check (request_hash ~ '^[0-9a-f]{64}$'),
        payload jsonb not null constraint jobs_payload_object check (jsonb_typeof(payload) = 'object'),
        -- What it goes through, in this order; done says how far.
        session_ids uuid[] not null,
        done integer not null default 0,
        -- Of how many nothing was made, and why of the first hundred.
        skipped_count integer not null default 0,
        skipped jsonb not null default '{}' constraint jobs_skipped_object check (jsonb_typeof(skipped) = 'object'),
        status text not null default 'PENDING' constraint jobs_status
          check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
        attempts integer not null default 1 constraint jobs_attempts check (attempts >= 1),
        error_code text constraint jobs_error_code_length check (char_length(error_code) <= 100),
        error_message text constraint jobs_error_message_length check (char_length(error_message) <= 10000),
        started_at timestamptz,
        completed_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint jobs_idempotent unique (org_id, principal, idempotency_key),
        constraint jobs_done check (done between 0 and cardinality(session_ids))
      )`
    yield* sql`create index jobs_org_created on jobs (org_id, created_at desc, id desc)`
    yield* sql`alter table examples add job_id uuid constraint examples_job references jobs on delete set null`
    // A job that is killed and goes on makes nothing twice.
    yield* sql`create unique index examples_job_part on examples (job_id, session_id, coalesce(from_seq, -1))
      where job_id is not null`
    yield* sql`create index examples_org_job_created on examples (org_id, job_id, created_at desc, id desc)
      where job_id is not null`
    yield* sql`create index examples_job_open on examples (job_id)
      where job_id is not null and status in ('PENDING', 'RUNNING')`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`alter table examples drop job_id`
    yield* sql`drop table jobs`
  })
}
