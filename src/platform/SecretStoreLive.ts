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

const vault = ({ vault_addr: address, ...secrets }: Values["secrets"] & { readonly vault_addr: string }) => {
  const { vault_token: token, vault_role_id: role_id = "", vault_secret_id: secret_id = Redacted.make("") } = secrets
  return VaultSecretStore.layer({
    address,
    namespace: secrets.vault_namespace,
    mount: secrets.vault_mount,
    login: token === undefined ? { role_id, secret_id } : { token }
  })
}

/** The secret store that the configuration asks for. */
export const layer = Layer.unwrapEffect(
  Effect.map(Settings, (settings): Layer.Layer<SecretStore, SecretKeyUnusable, SqlClient.SqlClient | Egress> => {
    const { vault_addr } = settings.secrets
    return vault_addr === undefined
      ? Layer.effect(SecretStore, local(settings))
      : vault({ ...settings.secrets, vault_addr })
  })
)
