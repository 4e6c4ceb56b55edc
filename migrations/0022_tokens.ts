import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Logins and the refresh tokens of each. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table token_families (
        id uuid primary key,
        org_id uuid not null constraint token_families_org references organizations on delete cascade,
        user_id uuid constraint token_families_user references users on delete cascade,
        agent_id uuid constraint token_families_agent references agents on delete cascade,
        expires_at timestamptz not null,
        revoked_at timestamptz,
        created_at timestamptz not null default now(),
        constraint token_families_one_owner check (num_nonnulls(user_id, agent_id) = 1)
      )`
    yield* sql`create index token_families_org on token_families (org_id)`
    yield* sql`create index token_families_user on token_families (user_id)`
    yield* sql`create index token_families_agent on token_families (agent_id)`
    yield* sql`create index token_families_expires on token_families (expires_at)`
    yield* sql`
      create table refresh_tokens (
        id uuid primary key,
        family_id uuid not null constraint refresh_tokens_family references token_families on delete cascade,
        hash text not null constraint refresh_tokens_hash_unique unique
          constraint refresh_tokens_hash_form check (hash ~ '^[0-9a-f]{64}$'),
        expires_at timestamptz not null,
        used_at timestamptz,
        created_at timestamptz not null default now()
      )`
    yield* sql`create index refresh_tokens_family on refresh_tokens (family_id)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table refresh_tokens, token_families`
  })
}
