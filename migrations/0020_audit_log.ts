import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

const appendOnly = ["audit_personal", "audit_personal_default", "audit_leaves", "audit_nodes", "audit_checkpoints"]

/**
 * The audit log becomes a Merkle log: entries know the transaction that wrote them, their hashes are
 * the leaves of one tree per organization, and what is personal in them stands apart, encrypted.
 * Addresses that were written before, in clear and beyond erasure, are not kept.
 */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`alter table audit_entries drop column ip`
    yield* sql`alter table audit_entries
      -- Of what was written before nobody knows the transaction: all of it counts as this one's, in order of the ids.
      add column xid xid8 not null default pg_current_xact_id(),
      add column detail text constraint audit_entries_detail_length check (char_length(detail) <= 500),
      add column personal_digest text constraint audit_entries_personal_digest_form check (personal_digest ~ '^[0-9a-f]{64}$')`
    yield* sql`create index audit_entries_xid on audit_entries (xid, id)`
    for (const filter of ["actor", "action", "resource"]) {
      yield* sql`create index ${sql(`audit_entries_org_${filter}_at`)} on audit_entries (org_id, ${sql(filter)}, at desc, id desc)`
    }
    // One key per person, as a rule: those who write their first entries at once may make one each.
    yield* sql`
      create table data_keys (
        id uuid primary key,
        user_id uuid constraint data_keys_user references users on delete cascade,
        org_id uuid constraint data_keys_org references organizations on delete cascade,
        xid xid8 not null default pg_current_xact_id(),
        wrapped bytea not null,
        kek_version integer not null constraint data_keys_kek_version check (kek_version >= 1),
        created_at timestamptz not null default now(),
        constraint data_keys_owner check (num_nonnulls(user_id, org_id) = 1)
      )`
    yield* sql`create index data_keys_user_created on data_keys (user_id, created_at, id)`
    yield* sql`create index data_keys_org_created on data_keys (org_id, created_at, id)`
    yield* sql`alter table users add column erased_at timestamptz`
    yield* sql`
      create table audit_personal (
        entry_id uuid not null,
        at timestamptz not null default now(),
        org_id uuid not null,
        key_id uuid not null,
        ciphertext bytea not null,
        constraint audit_personal_pkey primary key (entry_id, at)
      ) partition by range (at)`
    yield* sql`create table audit_personal_default partition of audit_personal default`
    yield* sql`create index audit_personal_key on audit_personal (key_id)`
    // No foreign keys: the log outlives what it is about, its organization included.
    yield* sql`
      create table audit_leaves (
        org_id uuid not null,
        seq bigint not null constraint audit_leaves_seq check (seq >= 0),
        entry_id uuid not null constraint audit_leaves_entry_unique unique,
        at timestamptz not null,
        leaf_hash bytea not null constraint audit_leaves_hash_length check (octet_length(leaf_hash) = 32),
        constraint audit_leaves_pkey primary key (org_id, seq)
      )`
    // Hashes of perfect subtrees of 256^level leaves: with them a proof reads some hundred hashes of any tree.
    yield* sql`
      create table audit_nodes (
        org_id uuid not null,
        level smallint not null constraint audit_nodes_level check (level >= 1),
        index bigint not null constraint audit_nodes_index check (index >= 0),
        hash bytea not null constraint audit_nodes_hash_length check (octet_length(hash) = 32),
        constraint audit_nodes_pkey primary key (org_id, level, index)
      )`
    yield* sql`
      create table audit_checkpoints (
        org_id uuid not null,
        size bigint not null constraint audit_checkpoints_size check (size >= 1),
        root bytea not null constraint audit_checkpoints_root_length check (octet_length(root) = 32),
        -- The hashes of the perfect subtrees that the tree consists of, largest first: from here it grows on.
        frontier bytea not null constraint audit_checkpoints_frontier_length
          check (octet_length(frontier) > 0 and octet_length(frontier) % 32 = 0),
        note text not null,
        verifier text not null,
        created_at timestamptz not null default now(),
        constraint audit_checkpoints_pkey primary key (org_id, size)
      )`
    for (const table of appendOnly) {
      yield* sql`comment on table ${sql(table)} is 'append-only: what was done is not rewritten'`
      yield* sql`create trigger append_only before update or delete or truncate on ${sql(table)}
        for each statement execute function refuse_change()`
    }
    // How far the sealer is: all that sorts up to here is sealed, as transactions are numbered in that cluster.
    // What was written before counts as this transaction's, so that its place is known here from the start.
    yield* sql`
      create table audit_sealer (
        id boolean primary key default true constraint audit_sealer_one check (id),
        cluster text not null,
        -- True while that is sealed first which was written in another cluster, ahead of this one's count.
        ahead boolean not null default false,
        xid xid8 not null default '0',
        entry_id uuid not null default '00000000-0000-0000-0000-000000000000'
      )`
    yield* sql`insert into audit_sealer (cluster) select system_identifier::text from pg_control_system()`
    // Organizations whose log was changed by somebody else, and when to look again whether it was put right.
    // The sealer passes their entries over.
    yield* sql`
      create table audit_held (
        org_id uuid primary key,
        not_before timestamptz not null default now()
      )`
    // The newest checkpoint of each organization, and which is the newest of them in the object store.
    yield* sql`
      create table audit_outbox (
        org_id uuid primary key,
        size bigint not null,
        delivered bigint not null default 0,
        not_before timestamptz not null default now()
      )`
    yield* sql`create index audit_outbox_waiting on audit_outbox (not_before) where delivered < size`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table audit_outbox, audit_held, audit_sealer, audit_checkpoints, audit_nodes, audit_leaves, audit_personal, data_keys`
    yield* sql`alter table users drop column erased_at`
    yield* sql`alter table audit_entries drop column xid, drop column detail, drop column personal_digest, add column ip text`
    for (const filter of ["actor", "action", "resource"]) {
      yield* sql`drop index ${sql(`audit_entries_org_${filter}_at`)}`
    }
  })
}
