import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Secrets under envelope encryption: each version with a data key of its own, which another key wraps. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table secrets (
        id uuid primary key default gen_random_uuid(),
        org_id uuid constraint secrets_org references organizations on delete cascade,
        path text not null constraint secrets_path_length check (char_length(path) between 1 and 500),
        version integer not null constraint secrets_version check (version >= 1),
        ciphertext bytea not null,
        nonce bytea not null constraint secrets_nonce_length check (octet_length(nonce) = 12),
        data_key bytea not null,
        kek_id text not null,
        created_at timestamptz not null default now()
      )`
    // The service's own secrets have no organization; nulls would differ from each other.
    yield* sql`create unique index secrets_version_unique
      on secrets (coalesce(org_id, '00000000-0000-0000-0000-000000000000'), path, version)`
    yield* sql`create index secrets_org on secrets (org_id)`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table secrets`
  })
}
