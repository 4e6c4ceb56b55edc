import { Statement } from "@effect/sql"
import { Effect } from "effect"
import type { Role, Scope } from "../../src/domain/Principal.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { TestServer } from "./TestServer.ts"

/** Somebody who calls: a user in an organization, with one key. */
export interface Caller {
  readonly org_id: string
  readonly user_id: string
  readonly key_id: string
  readonly api_key: string
}

interface NewKey {
  readonly scopes?: ReadonlyArray<Scope>
  readonly suite_ids?: ReadonlyArray<string> | null
  readonly expires_at?: Date | null
  readonly revoked_at?: Date | null
}

const next = () => Bun.randomUUIDv7()

/** A key, straight in the database, past every rule of the service: with all scopes unless some are named. */
export const key = (owner: Pick<Caller, "org_id" | "user_id">, wanted: NewKey = {}) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const api_key = KeyFormat.make()
    const key_id = next()
    yield* sql`insert into api_keys ${sql.insert({
      id: key_id,
      org_id: owner.org_id,
      user_id: owner.user_id,
      name: `key ${key_id}`,
      prefix: KeyFormat.prefix(api_key),
      hash: KeyFormat.hash(api_key),
      scopes: wanted.scopes ?? ["*"],
      suite_ids: wanted.suite_ids ?? null,
      expires_at: wanted.expires_at ?? null,
      revoked_at: wanted.revoked_at ?? null
    })}`
    return { org_id: owner.org_id, user_id: owner.user_id, key_id, api_key } satisfies Caller
  }).pipe(Effect.orDie)

/** A new member of an organization, with a key. */
export const member = (org_id: string, wanted: NewKey & { readonly role?: Role } = {}) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const user_id = next()
    const user = { id: user_id, display_name: "Somebody", issuer: "test", subject: user_id }
    yield* sql`insert into users ${sql.insert(user)}`
    yield* sql`insert into memberships ${sql.insert({ id: next(), org_id, user_id, role: wanted.role ?? "owner" })}`
    return yield* key({ org_id, user_id }, wanted)
  }).pipe(Effect.orDie)

/** A new organization with one user (its owner unless another role is named) and one key. */
export const organization = (wanted: NewKey & { readonly role?: Role } = {}) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const org_id = next()
    yield* sql`insert into organizations ${sql.insert({ id: org_id, slug: `org-${org_id}`, name: "Another" })}`
    return yield* member(org_id, wanted)
  }).pipe(Effect.orDie)

/** Makes a user a member of another organization too, which is new; answers its id. */
export const elsewhere = ({ user_id }: Pick<Caller, "user_id">, role: Role = "owner") =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const org_id = next()
    yield* sql`insert into organizations ${sql.insert({ id: org_id, slug: `org-${org_id}`, name: "Another" })}`
    yield* sql`insert into memberships ${sql.insert({ id: next(), org_id, user_id, role })}`
    return org_id
  }).pipe(Effect.orDie)

/**
 * Every row of an organization, by table, but for when its keys were last used, and for what the sealer
 * makes of its audit entries meanwhile. Two that are equal say that nothing was changed in between.
 */
export const rowsOf = (org_id: string) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const tables = yield* sql<{ name: string }>`
      select c.table_name as name from information_schema.columns c
        join information_schema.tables t using (table_schema, table_name)
      where c.table_schema = 'public' and c.column_name = 'org_id' and t.table_type = 'BASE TABLE'
        and c.table_name not in ('audit_leaves', 'audit_nodes', 'audit_checkpoints', 'audit_outbox') order by 1`
    const each = tables.map(
      ({ name }) => sql`select ${name} as name, (to_jsonb(t) - 'last_used_at')::text as row
        from ${sql(name)} t where org_id = ${org_id}`
    )
    const rows = yield* sql<{ name: string; row: string }>`${Statement.join(" union all ", false)(each)} order by 1, 2`
    return rows.map(({ name, row }) => `${name}: ${row}`)
  }).pipe(Effect.orDie)
