import { Effect, Layer } from "effect"
import { SecretStore } from "./SecretStore.ts"
import { Settings, type Values } from "./Settings.ts"
import * as EnvelopeStore from "./secrets/EnvelopeStore.ts"
import { localKeeper } from "./secrets/LocalKeeper.ts"
import { keyIn, SecretKeyUnusable } from "./secrets/LocalKeys.ts"

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

/** The secret store that the configuration asks for. */
export const layer = Layer.effect(SecretStore, Effect.flatMap(Settings, local))
