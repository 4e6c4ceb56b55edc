import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Examples: what sessions become. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table examples (
        id uuid primary key,
        org_id uuid not null constraint examples_org references organizations on delete restrict,
        session_id uuid not null constraint examples_session references sessions on delete cascade,
        suite_id uuid not null,
        model_id uuid constraint examples_model references models on delete set null,
        model text not null constraint examples_model_length check (char_length(model) between 1 and 400),
        action_tool_map_id uuid constraint examples_map references action_tool_maps on delete set null,
        map_version integer,
        model_configuration jsonb not null default '{}'
          constraint examples_model_configuration_object check (jsonb_typeof(model_configuration) = 'object'),
        from_seq bigint,
        to_seq bigint,
        storage_path text not null,
        status text not null default 'PENDING' constraint examples_status
          check (status in ('PENDING', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED')),
        stage text constraint examples_stage check (stage in ('load', 'classify', 'write', 'record')),
        confidence double precision constraint examples_confidence check (confidence between 0 and 1),
        needs_review boolean not null default false,
        review text constraint examples_review check (review in ('accepted', 'rejected')),
        message_count integer,
        content_hash text constraint examples_content_hash_form check (content_hash ~ '^[0-9a-f]{64}$'),
        tokens_in bigint,
        tokens_out bigint,
        cost double precision,
        error_code text constraint examples_error_code_length check (char_length(error_code) <= 100),
        error_message text constraint examples_error_message_length check (char_length(error_message) <= 10000),
        attempts integer not null default 1 constraint examples_attempts check (attempts >= 1),
        started_at timestamptz,
        completed_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint examples_suite foreign key (org_id, suite_id) references suites (org_id, id) on delete no action,
        constraint examples_range check ((from_seq is null) = (to_seq is null) and from_seq between 0 and to_seq)
      )`
    yield* sql`create index examples_org_created on examples (org_id, created_at desc, id desc)`
    for (const filter of ["session_id", "suite_id", "model_id", "action_tool_map_id", "status"]) {
      yield* sql`create index ${sql(`examples_org_${filter}_created`)}
        on examples (org_id, ${sql(filter)}, created_at desc, id desc)`
    }
    yield* sql`create index examples_org_needs_review_created
      on examples (org_id, created_at desc, id desc) where needs_review`
    for (const reference of ["session_id", "model_id", "action_tool_map_id"]) {
      yield* sql`create index ${sql(`examples_${reference}`)} on examples (${sql(reference)})`
    }
    // By whatever door a row goes, also with its session: its objects are noted in the same moment.
    yield* sql`
      create function note_example_removal() returns trigger language plpgsql as $$
      begin
        insert into object_removals (id, org_id, prefix)
        values (old.id, old.org_id, 'orgs/' || old.org_id || '/examples/' || old.id || '/')
        on conflict (id) do nothing;
        return null;
      end $$`
    yield* sql`create trigger note_removal after delete on examples
      for each row execute function note_example_removal()`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table examples`
    yield* sql`drop function note_example_removal`
  })
}
