import type { SqlClient } from "@effect/sql"
import { Effect, Layer, Redacted } from "effect"
import type { Egress } from "./Egress.ts"
import { SecretStore } from "./SecretStore.ts"
import { Settings, type Values } from "./Settings.ts"
import * as EnvelopeStore from "./secrets/EnvelopeStore.ts"
import { localKeeper } from "./secrets/LocalKeeper.ts"
import { keyIn, SecretKeyUnusable } from "./secrets/LocalKeys.ts"
import * as VaultSecretStore from "./vault/VaultSecretStore.ts"

const local = ({ secrets, data }: Values) =>
  Effect.gen(function* () {
    const key = secrets.encryption_key ?? (yield* keyIn(data.data_dir))
    const store = yield* EnvelopeStore.make(localKeeper(key, secrets.encryption_keys_old))
    yield* Effect.mapError(
      store.ping,
      ({ reason }) => new SecretKeyUnusable({ detail: `the secrets of this database cannot be read: ${reason}` })
    )
    return store
  })

/** The Vault that the configuration names. */
export const vault = (address: string, secrets: Values["secrets"]) => {
  const { vault_token: token, vault_role_id: role_id = "", vault_secret_id: secret_id = Redacted.make("") } = secrets
  return VaultSecretStore.layer({
    address,
    namespace: secrets.vault_namespace,
    mount: secrets.vault_mount,
    login: token === undefined ? { role_id, secret_id } : { token }
  })
}

/** The key of AWS KMS that the configuration names. Loaded only where it is used, as the object store's client is. */
export const kms = (key_id: string, { aws_region: region, aws_kms_endpoint: endpoint }: Values["secrets"]) =>
  Effect.flatMap(
    Effect.promise(() => import("./kms/KmsKeeper.ts")),
    ({ kmsKeeper }) => kmsKeeper({ key_id, region, endpoint })
  )

/** The secret store that the configuration asks for. */
export const layer = Layer.unwrapEffect(
  Effect.map(Settings, (settings): Layer.Layer<SecretStore, SecretKeyUnusable, SqlClient.SqlClient | Egress> => {
    const { secrets } = settings
    const { vault_addr, aws_kms_key_id } = secrets
    if (vault_addr !== undefined) return vault(vault_addr, secrets)
    return aws_kms_key_id === undefined
      ? Layer.effect(SecretStore, local(settings))
      : Layer.scoped(SecretStore, Effect.flatMap(kms(aws_kms_key_id, secrets), EnvelopeStore.make))
  })
)
