import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Models, with what they cost. A row of no organization ships with the product: all see it, none change it. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table models (
        id uuid primary key,
        org_id uuid constraint models_org references organizations on delete cascade,
        provider text not null constraint models_provider
          check (provider in ('OPENAI', 'ANTHROPIC', 'GOOGLE', 'AZURE', 'CUSTOM', 'BUILTIN')),
        name text not null constraint models_name_length check (char_length(name) between 1 and 200),
        base_url text constraint models_base_url_length check (char_length(base_url) <= 2000),
        secret_ref text constraint models_secret_ref_length check (char_length(secret_ref) <= 1000),
        input_price numeric constraint models_input_price check (input_price between 0 and 1000000),
        output_price numeric constraint models_output_price check (output_price between 0 and 1000000),
        context_window integer constraint models_context_window check (context_window >= 1),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint models_org_provider_name_unique unique (org_id, provider, name),
        constraint models_builtin_is_shipped check (provider <> 'BUILTIN' or org_id is null)
      )`
    yield* sql`create unique index models_shipped_unique on models (provider, name) where org_id is null`
    yield* sql`create index models_org_created on models (org_id, created_at desc, id desc)`
    yield* sql`create index models_org_provider_created on models (org_id, provider, created_at desc, id desc)`
    yield* sql`
      insert into models (id, org_id, provider, name, input_price, output_price) values
        ('01980000-0000-7000-8000-000000000001', null, 'BUILTIN', 'lexical', 0, 0),
        ('01980000-0000-7000-8000-000000000002', null, 'BUILTIN', 'offline', 0, 0)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table models`
  })
}
