import { existsSync } from "node:fs"
import { join } from "node:path"
import { Duration, Effect, Layer } from "effect"
import Pg from "pg"
import { DatabaseConnections } from "../../platform/DatabaseConnections.ts"
import * as EgressLive from "../../platform/EgressLive.ts"
import { SecretStore } from "../../platform/SecretStore.ts"
import * as SecretStoreLive from "../../platform/SecretStoreLive.ts"
import { databaseUrl, Settings, type Values } from "../../platform/Settings.ts"
import { findKey, keyFile } from "../../platform/secrets/LocalKeys.ts"
import { reason } from "../Report.ts"
import { type Finding, fail, ok, warn } from "./Finding.ts"

const name = "secrets: the local store"

/** The database's own check has waited for it before. */
const CONNECT_WITHIN = Duration.seconds(1)

/** The keys that the database's secrets were encrypted with; none while there is no such table. */
const keysInUse = (values: Values) => {
  const settings = { ...values, database: { ...values.database, connect_timeout: CONNECT_WITHIN } }
  return Effect.flatMap(DatabaseConnections, ({ app }) =>
    Effect.acquireUseRelease(
      Effect.sync(() => new Pg.Client({ ...app, connectionTimeoutMillis: 5000 })),
      (client) =>
        Effect.tryPromise(async () => {
          await client.connect()
          const { rows } = await client.query("select to_regclass('secrets') is not null as found")
          if (!rows[0]?.found) return []
          const used = await client.query<{ kek_id: string }>("select distinct kek_id from secrets")
          return used.rows.map(({ kek_id }) => kek_id)
        }),
      (client) => Effect.promise(() => client.end().catch(() => undefined))
    )
  ).pipe(
    Effect.provide(DatabaseConnections.layer.pipe(Layer.provide(Layer.succeed(Settings, settings)))),
    // What is wrong with the database is told by its own check.
    Effect.orElseSucceed((): ReadonlyArray<string> => [])
  )
}

const isReachable = (values: Values, folder_in_use: boolean) =>
  databaseUrl(values) !== undefined || (!folder_in_use && existsSync(join(values.data.data_dir, "postgres", "data")))

const checkLocal = (values: Values, folder_in_use: boolean) =>
  Effect.gen(function* () {
    const { secrets, data, jobs } = values
    const key = secrets.encryption_key ?? (yield* findKey(data.data_dir))
    const known = [...(secrets.encryption_keys_old ?? []), ...(key === undefined ? [] : [key])].map(({ id }) => id)
    const used = isReachable(values, folder_in_use) ? yield* keysInUse(values) : []
    const lost = used.filter((id) => id.startsWith("local:") && !known.includes(id))
    if (lost.length > 0) {
      return fail(
        `${name}: there are secrets that were encrypted with ${lost.join(" and ")}, and this process has ${known.join(" and ") || "no key"}`,
        "set API_KEY_ENCRYPTION_KEY to that key, or name it in API_KEY_ENCRYPTION_KEYS_OLD"
      )
    }
    if (secrets.encryption_key !== undefined) return ok(`${name}, with API_KEY_ENCRYPTION_KEY`)
    if (jobs.role !== "all") {
      return warn(
        `${name}, with a key in ${keyFile(data.data_dir)}`,
        "set API_KEY_ENCRYPTION_KEY, which the other processes over this database need too"
      )
    }
    return key === undefined
      ? ok(`${name}, whose key will be made by the first start`)
      : ok(`${name}, with the key in ${keyFile(data.data_dir)}: keep a copy of it apart from the database's`)
  }).pipe(Effect.catchAll((error) => Effect.succeed(fail(`${name}: ${reason(error)}`))))

const checkVault = (address: string, values: Values): Effect.Effect<Finding> => {
  const { secrets } = values
  const place = `secrets: Vault at ${address}, mount ${secrets.vault_mount}`
  return Effect.flatMap(SecretStore, ({ ping }) => ping).pipe(
    Effect.provide(
      SecretStoreLive.vault(address, secrets).pipe(
        Layer.provide(EgressLive.layer),
        Layer.provide(Layer.succeed(Settings, values))
      )
    ),
    Effect.as(ok(`${place} answers`)),
    Effect.catchAll((error) =>
      Effect.succeed(
        fail(
          `${place}: ${error.reason}`,
          "check VAULT_ADDR, VAULT_MOUNT (a KV version 2) and VAULT_TOKEN or VAULT_ROLE_ID, and that its policy covers tracepipe/*"
        )
      )
    )
  )
}

const checkKms = (key_id: string, { secrets }: Values): Effect.Effect<Finding> => {
  const place = `secrets: AWS KMS, key ${key_id}`
  const sealing = { name: "service/secret-store/doctor", version: 1 }
  return SecretStoreLive.kms(key_id, secrets).pipe(
    Effect.flatMap(({ fresh, unwrap }) => Effect.flatMap(fresh(sealing), (key) => unwrap(key, sealing))),
    Effect.scoped,
    Effect.as(ok(`${place} makes and opens data keys`)),
    Effect.catchAll((error) =>
      Effect.succeed(
        fail(
          `${place}: ${error.reason}`,
          "check AWS_KMS_KEY_ID, AWS_REGION and the credentials, and that they may kms:GenerateDataKey and kms:Decrypt with it"
        )
      )
    )
  )
}

/** Which store keeps the secrets, and whether it can be used. */
export const checkSecrets = (values: Values, folder_in_use: boolean): Effect.Effect<Finding> => {
  const { vault_addr, aws_kms_key_id } = values.secrets
  if (vault_addr !== undefined) return checkVault(vault_addr, values)
  return aws_kms_key_id === undefined ? checkLocal(values, folder_in_use) : checkKms(aws_kms_key_id, values)
}
