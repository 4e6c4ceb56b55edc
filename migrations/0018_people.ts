import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Agents, keys of agents, and invitations. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table agents (
        id uuid primary key,
        org_id uuid not null constraint agents_org references organizations on delete cascade,
        name text not null constraint agents_name_length check (char_length(name) between 1 and 200),
        description text not null default '' constraint agents_description_length check (char_length(description) <= 10000),
        client_id text not null constraint agents_client_id_unique unique
          constraint agents_client_id_form check (client_id ~ '^agent_[0-9A-Za-z]{22}$'),
        secret_hash text not null constraint agents_secret_hash_form check (secret_hash ~ '^[0-9a-f]{64}$'),
        previous_secret_hash text constraint agents_previous_secret_hash_form check (previous_secret_hash ~ '^[0-9a-f]{64}$'),
        previous_secret_until timestamptz,
        scopes text[] not null,
        status text not null default 'active' constraint agents_status check (status in ('active', 'disabled')),
        owner_id uuid constraint agents_owner references users on delete set null,
        record boolean not null default false,
        last_seen_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint agents_org_name_unique unique (org_id, name),
        constraint agents_org_id_unique unique (org_id, id),
        constraint agents_previous_secret_whole check ((previous_secret_hash is null) = (previous_secret_until is null))
      )`
    yield* sql`create index agents_org_created on agents (org_id, created_at desc, id desc)`
    yield* sql`create index agents_org_status_created on agents (org_id, status, created_at desc, id desc)`
    yield* sql`create index agents_owner on agents (owner_id)`

    yield* sql`
      alter table api_keys
        add column agent_id uuid,
        alter column user_id drop not null,
        add constraint api_keys_agent foreign key (org_id, agent_id) references agents (org_id, id) on delete cascade,
        add constraint api_keys_one_holder check (num_nonnulls(user_id, agent_id) = 1)`
    yield* sql`create index api_keys_org_agent_created on api_keys (org_id, agent_id, created_at desc, id desc)
      where agent_id is not null`

    yield* sql`
      create table invitations (
        id uuid primary key,
        org_id uuid not null constraint invitations_org references organizations on delete cascade,
        email text not null constraint invitations_email_length check (char_length(email) between 3 and 320),
        role text not null constraint invitations_role check (role in ('owner', 'admin', 'member', 'viewer')),
        token_hash text not null constraint invitations_token_hash_unique unique
          constraint invitations_token_hash_form check (token_hash ~ '^[0-9a-f]{64}$'),
        invited_by uuid constraint invitations_invited_by references users on delete set null,
        expires_at timestamptz not null,
        accepted_at timestamptz,
        revoked_at timestamptz,
        created_at timestamptz not null default now(),
        updated_at timestamptz not null default now(),
        constraint invitations_one_end check (accepted_at is null or revoked_at is null)
      )`
    yield* sql`create index invitations_org_created on invitations (org_id, created_at desc, id desc)`
    yield* sql`create index invitations_invited_by on invitations (invited_by)`
    yield* sql`create index invitations_open_email on invitations (lower(email)) where accepted_at is null and revoked_at is null`

    yield* sql`create index memberships_org_created on memberships (org_id, created_at desc, user_id desc)`
    yield* sql`create index memberships_org_role_created on memberships (org_id, role, created_at desc, user_id desc)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop index memberships_org_role_created, memberships_org_created`
    yield* sql`drop table invitations`
    yield* sql`delete from api_keys where agent_id is not null`
    yield* sql`
      alter table api_keys
        drop constraint api_keys_one_holder,
        drop column agent_id,
        alter column user_id set not null`
    yield* sql`drop table agents`
  })
}
