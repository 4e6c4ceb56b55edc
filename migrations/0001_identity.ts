import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Organizations, users, memberships and API keys. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table organizations (
        id uuid primary key,
        slug text not null constraint organizations_slug_unique unique
          constraint organizations_slug_form check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
        name text not null constraint organizations_name_length check (char_length(name) between 1 and 200),
        settings jsonb not null default '{}',
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
      )`
    yield* sql`
      create table users (
        id uuid primary key,
        display_name text not null constraint users_display_name_length check (char_length(display_name) between 1 and 200),
        email text constraint users_email_length check (char_length(email) <= 320),
        issuer text not null,
        subject text not null,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint users_issuer_subject_unique unique (issuer, subject)
      )`
    yield* sql`
      create table memberships (
        id uuid primary key,
        org_id uuid not null constraint memberships_org references organizations on delete cascade,
        user_id uuid not null constraint memberships_user references users on delete cascade,
        role text not null constraint memberships_role check (role in ('owner', 'admin', 'member', 'viewer')),
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint memberships_org_user_unique unique (org_id, user_id)
      )`
    yield* sql`create index memberships_user_created on memberships (user_id, created_at, id)`
    yield* sql`
      create table api_keys (
        id uuid primary key,
        org_id uuid not null constraint api_keys_org references organizations on delete cascade,
        user_id uuid not null constraint api_keys_user references users on delete cascade,
        name text not null constraint api_keys_name_length check (char_length(name) between 1 and 200),
        prefix text not null,
        hash text not null constraint api_keys_hash_unique unique
          constraint api_keys_hash_form check (hash ~ '^[0-9a-f]{64}$'),
        scopes text[] not null,
        suite_ids uuid[],
        expires_at timestamptz,
        last_used_at timestamptz,
        revoked_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now()
      )`
    yield* sql`create index api_keys_org_created on api_keys (org_id, created_at desc, id desc)`
    yield* sql`create index api_keys_org_user_created on api_keys (org_id, user_id, created_at desc, id desc)`
    yield* sql`create index api_keys_user on api_keys (user_id)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table api_keys, memberships, users, organizations`
  })
}
