import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** What a person does in an application: the actions of a suite, with their parameters. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table actions (
        id uuid primary key,
        org_id uuid not null constraint actions_org references organizations on delete cascade,
        suite_id uuid not null,
        name text not null constraint actions_name_length check (char_length(name) between 1 and 200),
        description text not null default '' constraint actions_description_length check (char_length(description) <= 10000),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint actions_suite foreign key (org_id, suite_id) references suites (org_id, id) on delete cascade,
        constraint actions_suite_name_unique unique (suite_id, name),
        constraint actions_org_id_unique unique (org_id, id)
      )`
    yield* sql`create index actions_org_suite_created on actions (org_id, suite_id, created_at desc, id desc)`
    yield* sql`
      create table action_parameters (
        id uuid primary key,
        org_id uuid not null constraint action_parameters_org references organizations on delete cascade,
        action_id uuid not null,
        name text not null constraint action_parameters_name_length check (char_length(name) between 1 and 200),
        type text not null constraint action_parameters_type check (type in ('STRING', 'NUMBER', 'BOOLEAN', 'OBJECT', 'ARRAY')),
        required boolean not null,
        description text not null default '' constraint action_parameters_description_length check (char_length(description) <= 10000),
        position integer not null constraint action_parameters_position check (position >= 0),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint action_parameters_action foreign key (org_id, action_id) references actions (org_id, id) on delete cascade,
        constraint action_parameters_action_name_unique unique (action_id, name),
        constraint action_parameters_org_id_unique unique (org_id, id)
      )`
    yield* sql`create index action_parameters_org_action on action_parameters (org_id, action_id)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table action_parameters, actions`
  })
}
