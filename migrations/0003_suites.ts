import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Suites: the applications that people use. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table suites (
        id uuid primary key,
        org_id uuid not null constraint suites_org references organizations on delete cascade,
        name text not null constraint suites_name_length check (char_length(name) between 1 and 200),
        description text not null default '' constraint suites_description_length check (char_length(description) <= 10000),
        version text not null default '' constraint suites_version_length check (char_length(version) <= 100),
        base_url text constraint suites_base_url_length check (char_length(base_url) <= 2000),
        on_upload jsonb,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint suites_org_name_unique unique (org_id, name),
        constraint suites_org_id_unique unique (org_id, id)
      )`
    yield* sql`create index suites_org_created on suites (org_id, created_at desc, id desc)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table suites`
  })
}
