import { DecryptCommand, GenerateDataKeyCommand, KMSClient } from "@aws-sdk/client-kms"
import { Effect, Schedule } from "effect"
import { SecretStoreFailed } from "../SecretStore.ts"
import { keyLength } from "../secrets/Envelope.ts"
import type { DataKey, KeyKeeper, Sealing } from "../secrets/KeyKeeper.ts"
import { DataKeyCache } from "./DataKeyCache.ts"

export interface KmsOptions {
  /** Id, alias or ARN of the key that wraps. */
  readonly key_id: string
  readonly region: string | undefined
  readonly endpoint: string | undefined
  /** How long a data key that was unwrapped is kept in memory; default one minute. */
  readonly cache_ms?: number
}

const requestTimeout = 5000

/** `arn:aws:kms:<region>:<account>:key/…` */
const regionOf = (key_id: string): string | undefined => /^arn:[^:]+:kms:([^:]+):/.exec(key_id)?.[1]

const nameOf = (cause: unknown): string => (cause instanceof Error ? cause.name : "unknown failure")

/** What KMS says holds ids of keys and of who asked, no secret. */
const failed = (cause: unknown) =>
  new SecretStoreFailed({
    reason: `AWS KMS: ${nameOf(cause)}${cause instanceof Error && cause.message !== "" ? `: ${cause.message.slice(0, 300)}` : ""}`
  })

/** What the key is bound to, in KMS' own log too. */
const contextOf = ({ name, version }: Sealing) => {
  const slash = name.indexOf("/")
  return { org: name.slice(0, slash), path: name.slice(slash + 1), version: String(version) }
}

/** Data keys that AWS KMS makes and unwraps; ends with the scope. */
export const kmsKeeper = ({ key_id, region, endpoint, cache_ms = 60_000 }: KmsOptions) =>
  Effect.gen(function* () {
    const where = region ?? regionOf(key_id)
    const client = yield* Effect.acquireRelease(
      Effect.sync(
        () =>
          new KMSClient({
            ...(where === undefined ? {} : { region: where }),
            ...(endpoint === undefined ? {} : { endpoint }),
            maxAttempts: 3
          })
      ),
      (one) => Effect.sync(() => one.destroy())
    )
    const cache = new DataKeyCache({ lifetime_ms: cache_ms, most: 1000 })
    yield* Effect.addFinalizer(() => Effect.sync(() => cache.clear()))
    // Keys that nobody asks for again do not stay until somebody asks for another.
    yield* Effect.forkScoped(
      Effect.repeat(
        Effect.sync(() => cache.sweep()),
        Schedule.spaced("30 seconds")
      )
    )

    const asked = <A>(send: (options: { readonly abortSignal: AbortSignal }) => Promise<A>) =>
      Effect.tryPromise({
        try: (signal) => send({ abortSignal: AbortSignal.any([signal, AbortSignal.timeout(requestTimeout)]) }),
        catch: failed
      })

    const fresh = (sealing: Sealing): Effect.Effect<DataKey, SecretStoreFailed> =>
      asked((options) =>
        client.send(
          new GenerateDataKeyCommand({ KeyId: key_id, KeySpec: "AES_256", EncryptionContext: contextOf(sealing) }),
          options
        )
      ).pipe(
        Effect.flatMap(({ Plaintext, CiphertextBlob, KeyId }) =>
          Plaintext?.length === keyLength && CiphertextBlob !== undefined && KeyId !== undefined
            ? Effect.succeed({ plain: Plaintext, wrapped: CiphertextBlob, kek_id: `aws-kms:${KeyId}` })
            : failed(new Error("an answer without a key"))
        )
      )

    const unwrap: KeyKeeper["unwrap"] = ({ wrapped, kek_id }, sealing) =>
      Effect.suspend(() => {
        if (!kek_id.startsWith("aws-kms:")) {
          return failed(new Error(`${sealing.name} was encrypted with the key ${kek_id}, by another secret store`))
        }
        const known = cache.get(wrapped, sealing)
        if (known !== undefined) return Effect.succeed(known)
        return asked((options) =>
          client.send(
            new DecryptCommand({
              // Which key it was is told to KMS, so that no other one is used (and aliases may move on).
              KeyId: kek_id.slice("aws-kms:".length),
              CiphertextBlob: wrapped,
              EncryptionContext: contextOf(sealing)
            }),
            options
          )
        ).pipe(
          Effect.flatMap(({ Plaintext }) =>
            Plaintext?.length === keyLength
              ? Effect.sync(() => cache.put(wrapped, sealing, Plaintext))
              : failed(new Error("an answer without a key"))
          )
        )
      })

    return { kind: "aws-kms", fresh, unwrap } satisfies KeyKeeper
  })
