import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import * as Rows from "../Rows.ts"
import type { SecretPath } from "../SecretStore.ts"

/** One version as it is stored. */
export class SealedSecret extends Schema.Class<SealedSecret>("platform/SealedSecret")({
  version: Schema.Int,
  ciphertext: Schema.Uint8ArrayFromSelf,
  nonce: Schema.Uint8ArrayFromSelf,
  data_key: Schema.Uint8ArrayFromSelf,
  kek_id: Schema.String
}) {}

/** The table of secrets under envelope encryption. */
export const secretsRepo = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient

  // In the words of the index, which takes the service's own for an organization of no id.
  const here = ({ org_id, path }: SecretPath) =>
    sql`coalesce(org_id, '00000000-0000-0000-0000-000000000000') = coalesce(${org_id}::uuid, '00000000-0000-0000-0000-000000000000')
      and path = ${path}`

  /** One writer of a secret at a time, until its transaction ends. */
  const locked = ({ org_id, path }: SecretPath) =>
    sql`select pg_advisory_xact_lock(hashtextextended(${`secrets/${org_id ?? "service"}/${path}`}, 0))`

  const newest = (at: SecretPath) =>
    Effect.map(
      Rows.one(
        Schema.Struct({ version: Schema.Int }),
        sql`select coalesce(max(version), 0) as version from secrets where ${here(at)}`
      ),
      ({ version }) => version
    )

  const find = (at: SecretPath, version?: number) =>
    Rows.first(
      SealedSecret,
      sql`select version, ciphertext, nonce, data_key, kek_id from secrets where ${here(at)}
        ${version === undefined ? sql`` : sql`and version = ${version}`} order by version desc limit 1`
    )

  /** Adds a version if it is the one after the newest; false if it is not. */
  const append = (at: SecretPath, { version, ciphertext, nonce, data_key, kek_id }: SealedSecret) =>
    Effect.gen(function* () {
      yield* locked(at)
      if ((yield* newest(at)) !== version - 1) return false
      yield* sql`insert into secrets (org_id, path, version, ciphertext, nonce, data_key, kek_id)
        values (${at.org_id}, ${at.path}, ${version}, ${Buffer.from(ciphertext)}, ${Buffer.from(nonce)},
          ${Buffer.from(data_key)}, ${kek_id})`
      return true
    }).pipe(sql.withTransaction)

  /** Deletes the versions below this one; the newest stays. */
  const prune = (at: SecretPath, before: number) =>
    sql`delete from secrets where ${here(at)} and version < ${before}
      and version < (select max(version) from secrets where ${here(at)})`

  const remove = (at: SecretPath) =>
    Effect.zipRight(locked(at), sql`delete from secrets where ${here(at)}`).pipe(sql.withTransaction)

  return { newest, find, append, prune, remove } as const
})
