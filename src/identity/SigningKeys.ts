import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from "node:crypto"
import { Effect, Redacted, Ref, Schema } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { SecretStore, type SecretStoreFailed } from "../platform/SecretStore.ts"
import { Settings } from "../platform/Settings.ts"
import { rotated, SIGNING_KEY_AGE, type StoredKey, signingIndex } from "./KeyRotation.ts"

/** A key that access tokens are signed or verified with. */
export interface SigningKey {
  /** RFC 7638's thumbprint of the public key. */
  readonly kid: string
  readonly private_key: KeyObject
  readonly public_key: KeyObject
  /** The public key's `x` (RFC 8037). */
  readonly x: string
}

// An Ed25519 private key in PKCS #8 is these bytes and the 32 of its seed (RFC 8410).
const pkcs8 = Buffer.from("302e020100300506032b657004220420", "hex")

const toKey = (seed: Uint8Array): SigningKey => {
  const private_key = createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: "der", type: "pkcs8" })
  const public_key = createPublicKey(private_key)
  const { x = "" } = public_key.export({ format: "jwk" })
  const kid = createHash("sha256")
    .update(JSON.stringify({ crv: "Ed25519", kty: "OKP", x }))
    .digest("base64url")
  return { kid, private_key, public_key, x }
}

const fromSecret = (text: string): SigningKey =>
  toKey(new Uint8Array(hkdfSync("sha256", text, "", "tracepipe access tokens", 32)))

const Stored = Schema.parseJson(
  Schema.Struct({ keys: Schema.Array(Schema.Struct({ seed: Schema.String, created_at: Schema.Number })) })
)
const decode = Schema.decodeUnknown(Stored)
const encode = Schema.encodeSync(Stored)

const noKeys = new Unavailable({ detail: "the keys of access tokens cannot be read now; try again", retry_after_s: 2 })

/** There always is one: `rotated` makes it, and a seed that is configured has letters. */
const nobodys = (): never => {
  throw new Error("there is no key to sign access tokens with")
}

const at = { org_id: null, path: "auth/signing-keys" } as const

interface Keys {
  readonly signing: SigningKey
  /** The signing key and those that verify what was signed before, or will sign next. */
  readonly all: ReadonlyArray<SigningKey>
  readonly read_at: number
}

// Other nodes' rotations are seen after this long; a key signs only when it was published for twice that.
const READ_EVERY = 60_000
const REREAD_AFTER = 5_000

/**
 * The keys of this service's own tokens: from `JWT_SECRET_KEY`, or made here and kept in the secret
 * store, where they are replaced every {@link SIGNING_KEY_AGE} ms, two at a time.
 */
export class SigningKeys extends Effect.Service<SigningKeys>()("identity/SigningKeys", {
  effect: Effect.gen(function* () {
    const { login } = yield* Settings
    const store = yield* SecretStore
    const clock = yield* Effect.clock
    const known = yield* Ref.make<Keys | undefined>(undefined)
    const one = yield* Effect.makeSemaphore(1)

    const toKeys = (stored: ReadonlyArray<StoredKey>, now: number): Keys => {
      const all = stored.map((key) => toKey(Buffer.from(key.seed, "base64url")))
      const index = signingIndex(stored, now)
      return { signing: all[index] ?? nobodys(), all, read_at: now }
    }

    const given = login.jwt_secret_key === undefined ? undefined : Redacted.value(login.jwt_secret_key).split(",")

    const read: Effect.Effect<Keys, SecretStoreFailed> = Effect.gen(function* () {
      const now = clock.unsafeCurrentTimeMillis()
      if (given !== undefined) {
        const all = given.map((text) => fromSecret(text.trim()))
        return { signing: all[0] ?? nobodys(), all, read_at: Number.POSITIVE_INFINITY }
      }
      const found = yield* store.get(at)
      const stored = found === undefined ? [] : (yield* Effect.orDie(decode(Redacted.value(found.value)))).keys
      const next = rotated(stored, now, () =>
        Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")
      )
      if (next === undefined) return toKeys(stored, now)
      const written = yield* store.put(at, Redacted.make(encode({ keys: next })), { after: found?.version ?? 0 })
      // What nobody verifies with any more is destroyed; a failure of that costs nothing.
      yield* Effect.ignoreLogged(store.prune(at, written))
      return toKeys(next, now)
    }).pipe(
      // Another node was quicker: then its keys are the ones.
      Effect.catchTag("SecretChanged", () => Effect.suspend(() => read))
    )

    /** The keys as they were, for a store that is away: asked again in a while. */
    const kept = (keys: Keys) =>
      Effect.as(Effect.logWarning("the keys of access tokens cannot be read now; those of before are used"), {
        ...keys,
        read_at: clock.unsafeCurrentTimeMillis() - READ_EVERY + REREAD_AFTER
      } satisfies Keys)

    const renew = (olderThan: number) =>
      one.withPermits(1)(
        Effect.gen(function* () {
          const keys = yield* Ref.get(known)
          if (keys !== undefined && keys.read_at > olderThan) return keys
          const fresh = yield* Effect.catchAll(read, () => (keys === undefined ? noKeys : kept(keys)))
          yield* Ref.set(known, fresh)
          return fresh
        })
      )

    const current = Effect.flatMap(Ref.get(known), (keys) => {
      const oldest = clock.unsafeCurrentTimeMillis() - READ_EVERY
      return keys !== undefined && keys.read_at > oldest ? Effect.succeed(keys) : renew(oldest)
    })

    /** The key of a token's `kid`; one that another node made a moment ago is read once more. */
    const verifying = (kid: string) =>
      Effect.gen(function* () {
        const find = (keys: Keys) => keys.all.find((key) => key.kid === kid)
        return find(yield* current) ?? find(yield* renew(clock.unsafeCurrentTimeMillis() - REREAD_AFTER))
      })

    return { current, verifying } as const
  })
}) {}
