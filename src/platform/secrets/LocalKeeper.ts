import { randomBytes } from "node:crypto"
import { Effect, Redacted } from "effect"
import { SecretStoreFailed } from "../SecretStore.ts"
import { keyLength, unwrap, wrap } from "./Envelope.ts"
import { aboutOf, type KeyKeeper, type Sealing } from "./KeyKeeper.ts"
import type { LocalKey } from "./LocalKeys.ts"

/** Wraps data keys with a key of this machine's; further ones open what they wrapped before. */
export const localKeeper = (current: LocalKey, old: ReadonlyArray<LocalKey> = []): KeyKeeper => {
  const known = new Map([...old, current].map(({ id, key }) => [id, key]))
  return {
    kind: "local",
    fresh: (sealing) =>
      Effect.sync(() => {
        const plain = randomBytes(keyLength)
        return { plain, wrapped: wrap(Redacted.value(current.key), plain, aboutOf(sealing)), kek_id: current.id }
      }),
    unwrap: ({ wrapped, kek_id }, sealing: Sealing) => {
      const key = known.get(kek_id)
      return key === undefined
        ? new SecretStoreFailed({
            reason: `${sealing.name} was encrypted with the key ${kek_id}, and this process has ${[...known.keys()].join(" and ")}; set API_KEY_ENCRYPTION_KEY to the same key for every process, or name the one before it in API_KEY_ENCRYPTION_KEYS_OLD`
          })
        : Effect.try({
            try: () => unwrap(Redacted.value(key), wrapped, aboutOf(sealing)),
            catch: () =>
              new SecretStoreFailed({
                reason: `version ${sealing.version} of ${sealing.name} was changed in the database`
              })
          })
    }
  }
}
