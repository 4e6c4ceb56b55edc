import { randomBytes } from "node:crypto"
import { SqlClient } from "@effect/sql"
import { expect, it, layer } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { vi } from "vitest"
import { DataKeyCache } from "../../src/platform/kms/DataKeyCache.ts"
import { SecretStore } from "../../src/platform/SecretStore.ts"
import * as SecretStoreLive from "../../src/platform/SecretStoreLive.ts"
import { Settings } from "../../src/platform/Settings.ts"
import { type KmsServer, kmsServer } from "../support/KmsServer.ts"
import { anyOrganization, secretsDatabase } from "../support/SecretsDatabase.ts"
import { contract } from "./SecretStore.contract.ts"

// The official client takes its credentials from the environment, as on a machine of AWS.
vi.stubEnv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
vi.stubEnv("AWS_SECRET_ACCESS_KEY", "only-for-tests")

const environmentOf = ({ endpoint }: KmsServer, key = "alias/tracepipe") => ({
  AWS_KMS_KEY_ID: key,
  AWS_REGION: "eu-central-1",
  AWS_ENDPOINT_URL_KMS: endpoint
})

contract("AWS KMS as documented", {
  layer: Layer.unwrapScoped(
    Effect.map(kmsServer, (kms) => SecretStoreLive.layer.pipe(Layer.provideMerge(secretsDatabase(environmentOf(kms)))))
  ),
  organization: anyOrganization
})

layer(secretsDatabase(), { excludeTestServices: true })("AWS KMS", (it) => {
  const within = <A, E, R>(use: (kms: KmsServer, store: SecretStore["Type"]) => Effect.Effect<A, E, R>, key?: string) =>
    Effect.flatMap(kmsServer, (kms) =>
      Effect.flatMap(SecretStore, (store) => use(kms, store)).pipe(
        Effect.provide(SecretStoreLive.layer.pipe(Layer.provide(Settings.layer(environmentOf(kms, key)))))
      )
    )

  it.scoped("is told what each key is for, and asked once for one that is used again", () =>
    within((kms, store) =>
      Effect.gen(function* () {
        const org_id = yield* anyOrganization
        const at = { org_id, path: "mcp-servers/x/credentials" }
        yield* store.put(at, Redacted.make("the value"))
        for (let time = 0; time < 3; time++) expect((yield* store.get(at))?.version).toBe(1)
        const context = { org: org_id, path: at.path, version: "1" }
        expect(kms.calls).toEqual([
          { operation: "GenerateDataKey", context },
          { operation: "Decrypt", context }
        ])
      })
    )
  )

  it.scoped("opens no row that was moved, and what it wrapped before its alias led elsewhere", () =>
    within((kms, store) =>
      Effect.gen(function* () {
        const sql = yield* SqlClient.SqlClient
        const [a, b] = [yield* anyOrganization, yield* anyOrganization]
        const path = "a/b"
        yield* store.put({ org_id: a, path }, Redacted.make("one"))
        kms.arn = kms.other_arn
        yield* store.put({ org_id: a, path }, Redacted.make("two"))
        for (const version of [1, 2]) {
          expect((yield* store.get({ org_id: a, path }, version))?.version).toBe(version)
        }
        yield* sql`update secrets set org_id = ${b} where org_id = ${a}`
        expect((yield* Effect.flip(store.get({ org_id: b, path }))).message).toMatch(/InvalidCiphertextException/)
      })
    )
  )

  it.scoped("is asked again when it is busy; what it refuses is told", () =>
    within((kms, store) =>
      Effect.gen(function* () {
        const at = { org_id: null, path: "tokens/signing" }
        kms.ill = { exception: "ThrottlingException", status: 400, times: 2 }
        yield* store.put(at, Redacted.make("the value"))
        kms.ill = { exception: "AccessDeniedException", status: 400, times: 1 }
        expect((yield* Effect.flip(store.get(at))).message).toMatch(/AWS KMS: AccessDeniedException/)
        kms.ill = { exception: "DisabledException", status: 400, times: 1 }
        const failure = yield* Effect.flip(store.put(at, Redacted.make("the value")))
        expect(failure.message).toMatch(/DisabledException/)
        expect(JSON.stringify(failure)).not.toContain("the value")
        yield* store.remove(at)
      })
    )
  )

  it.scoped("says which key there is not", () =>
    within(
      (_kms, store) =>
        Effect.gen(function* () {
          const failure = yield* Effect.flip(store.ping)
          expect(failure.message).toMatch(/NotFoundException.*alias\/other/)
        }),
      "alias/other"
    )
  )
})

it("data keys are kept few and shortly, and wiped as they leave", () => {
  vi.useFakeTimers()
  try {
    const cache = new DataKeyCache({ lifetime_ms: 1000, most: 3 })
    const keys = Array.from({ length: 5 }, () => randomBytes(32))
    const sealing = (version: number) => ({ name: "service/a", version })
    const wrapped = randomBytes(60)
    const given = keys.map((key) => Buffer.from(key))
    for (const [index, key] of given.entries()) cache.put(wrapped, sealing(index), key).fill(0)
    expect(cache.size).toBe(3)
    expect(cache.get(wrapped, sealing(0))).toBeUndefined()
    expect(given[0]).toEqual(Buffer.alloc(32))
    expect(Buffer.from(cache.get(wrapped, sealing(4)) ?? [])).toEqual(keys[4])
    expect(cache.get(randomBytes(60), sealing(4))).toBeUndefined()
    vi.advanceTimersByTime(1001)
    expect(cache.get(wrapped, sealing(4))).toBeUndefined()
    cache.sweep()
    expect(cache.size).toBe(0)
    expect(given.every((key) => key.every((byte) => byte === 0))).toBe(true)
  } finally {
    vi.useRealTimers()
  }
})
