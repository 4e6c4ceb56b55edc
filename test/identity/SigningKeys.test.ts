import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Duration, Effect, Layer, TestClock } from "effect"
import { PUBLISHED_FOR, SIGNING_KEY_AGE } from "../../src/identity/KeyRotation.ts"
import { SigningKeys } from "../../src/identity/SigningKeys.ts"
import { SecretStore } from "../../src/platform/SecretStore.ts"
import * as SecretStoreLive from "../../src/platform/SecretStoreLive.ts"
import { secretsDatabase } from "../support/SecretsDatabase.ts"

/** The platform that nodes share: one database, one secret store. */
const shared = Layer.unwrapScoped(
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-keys-"))),
      (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
    ),
    (DATA_DIR) => Layer.provideMerge(SecretStoreLive.layer, secretsDatabase({ DATA_DIR }))
  )
)

/** One node's view of the keys. */
const node = Effect.map(
  Layer.build(Layer.fresh(SigningKeys.Default)),
  (context) => context.unsafeMap.get(SigningKeys.key) as SigningKeys
)

const kids = ({ current }: SigningKeys) =>
  Effect.map(current, ({ signing, all }) => ({ signing: signing.kid, all: all.map(({ kid }) => kid) }))

it.scoped("all nodes sign with the same key, however many start at once on an empty store", () =>
  Effect.gen(function* () {
    const nodes = yield* Effect.all(
      Array.from({ length: 6 }, () => node),
      { concurrency: "unbounded" }
    )
    const found = yield* Effect.all(nodes.map(kids), { concurrency: "unbounded" })
    expect(new Set(found.map(({ signing }) => signing)).size).toBe(1)
    expect(found[0]?.all).toHaveLength(1)
  }).pipe(Effect.provide(shared))
)

it.scoped(
  "a key is replaced in time: published first, then signing, then gone; the store keeps no version of before",
  () =>
    Effect.gen(function* () {
      const [one, other] = [yield* node, yield* node]
      const first = yield* kids(one)
      yield* TestClock.adjust(Duration.millis(SIGNING_KEY_AGE))
      const during = yield* kids(one)
      expect(during.signing).toBe(first.signing)
      expect(during.all).toHaveLength(2)
      expect((yield* kids(other)).all).toEqual(during.all)
      yield* TestClock.adjust(Duration.millis(PUBLISHED_FOR))
      const after = yield* kids(one)
      expect(after.signing).not.toBe(first.signing)
      expect(after.all).toEqual(during.all)
      expect((yield* one.verifying(first.signing))?.kid).toBe(first.signing)
      yield* TestClock.adjust(Duration.millis(SIGNING_KEY_AGE))
      const later = yield* kids(other)
      expect(later.all).toHaveLength(2)
      expect(later.all).not.toContain(first.signing)
      expect(yield* one.verifying(first.signing)).toBeUndefined()
      const store = yield* SecretStore
      expect(yield* store.get({ org_id: null, path: "auth/signing-keys" }, 1)).toBeUndefined()
    }).pipe(Effect.provide(shared))
)

it.scoped("a key that another node made a moment ago is found", () =>
  Effect.gen(function* () {
    const [one, other] = [yield* node, yield* node]
    yield* kids(other)
    yield* kids(one)
    yield* TestClock.adjust(Duration.millis(SIGNING_KEY_AGE))
    const { all } = yield* kids(one)
    const made = all.at(-1) ?? ""
    expect((yield* other.verifying(made))?.kid).toBe(made)
  }).pipe(Effect.provide(shared))
)
