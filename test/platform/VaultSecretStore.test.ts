import { expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Redacted } from "effect"
import { OrganizationId } from "../../src/domain/Ids.ts"
import * as EgressLive from "../../src/platform/EgressLive.ts"
import { SecretStore } from "../../src/platform/SecretStore.ts"
import { Settings } from "../../src/platform/Settings.ts"
import * as VaultSecretStore from "../../src/platform/vault/VaultSecretStore.ts"
import { type VaultServer, vaultMount, vaultServer } from "../support/VaultServer.ts"
import { contract } from "./SecretStore.contract.ts"

/** In production the operator's own Vault may be anywhere, while users may name no host. */
const egress = EgressLive.layer.pipe(
  Layer.provide(Settings.layer({ APP_ENV: "production", VAULT_ADDR: "http://127.0.0.1", VAULT_TOKEN: "x" }))
)

const organization = Effect.sync(() => OrganizationId.make(Bun.randomUUIDv7()))

const storeAt = (address: string, more: Partial<VaultSecretStore.VaultStoreOptions> = {}) =>
  VaultSecretStore.layer({
    address,
    namespace: undefined,
    mount: vaultMount,
    login: { token: Redacted.make("") },
    retry_for: "2 seconds",
    ...more
  }).pipe(Layer.provide(egress))

contract("Vault as documented, by token", {
  layer: Layer.unwrapScoped(
    Effect.map(vaultServer, ({ address, root_token }) =>
      storeAt(address, { login: { token: Redacted.make(root_token) } })
    )
  ),
  organization
})

const real = process.env["TEST_VAULT_ADDR"]
const realToken = process.env["TEST_VAULT_TOKEN"]

if (real !== undefined && realToken !== undefined) {
  contract("a real Vault", { layer: storeAt(real, { login: { token: Redacted.make(realToken) } }), organization })
}

/** Asks a real Vault as its administrator. */
const administer = (method: string, path: string, body?: unknown) =>
  Effect.promise(async () => {
    const response = await fetch(`${real}/v1/${path}`, {
      method,
      headers: { "x-vault-token": String(realToken), "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === "" ? undefined : JSON.parse(text)
  })

it.live.skipIf(real === undefined)(
  "a real Vault gives AppRole tokens that are renewed, and new ones when they end (TEST_VAULT_ADDR)",
  () =>
    Effect.gen(function* () {
      const name = `tracepipe-${crypto.randomUUID().slice(0, 8)}`
      const mounts = yield* administer("GET", "sys/auth")
      if (mounts["approle/"] === undefined) yield* administer("POST", "sys/auth/approle", { type: "approle" })
      // The README's.
      const policy = `
        path "secret/data/tracepipe/*"     { capabilities = ["create", "read", "update"] }
        path "secret/metadata/tracepipe/*" { capabilities = ["create", "read", "update", "delete"] }
        path "secret/destroy/tracepipe/*"  { capabilities = ["update"] }`
      yield* administer("PUT", `sys/policies/acl/${name}`, { policy })
      const role = { token_policies: [name], token_ttl: "2s", token_max_ttl: "4s" }
      yield* administer("POST", `auth/approle/role/${name}`, role)
      const { data } = yield* administer("GET", `auth/approle/role/${name}/role-id`)
      const made = yield* administer("POST", `auth/approle/role/${name}/secret-id`, {})
      const login = { role_id: data.role_id, secret_id: Redacted.make(made.data.secret_id) }
      const at = { org_id: yield* organization, path: "a/b" }
      const use = Effect.gen(function* () {
        const store = yield* SecretStore
        yield* store.ping
        yield* store.put(at, Redacted.make("v"), { after: 0 })
        const end = performance.now() + 6000
        // Past the longest life of a token.
        while (performance.now() < end) {
          expect((yield* store.get(at))?.version).toBe(1)
          yield* Effect.sleep(200)
        }
        expect(yield* store.put(at, Redacted.make("w"), { after: 1 })).toBe(2)
        yield* store.prune(at, 2)
        expect(yield* store.get(at, 1)).toBeUndefined()
        yield* store.remove(at)
        expect(yield* store.get(at)).toBeUndefined()
      })
      yield* Effect.provide(use, storeAt(String(real), { login }))
      const wrong = { ...login, secret_id: Redacted.make("no") }
      const refused = yield* Effect.flip(
        Effect.provide(
          Effect.flatMap(SecretStore, ({ ping }) => ping),
          storeAt(String(real), { login: wrong })
        )
      )
      expect(refused.message).toMatch(/login/)
    })
)

const roleOf = ({ role }: VaultServer) => ({ role_id: role.role_id, secret_id: Redacted.make(role.secret_id) })
const at = { org_id: null, path: "tokens/signing" }

const within = <A, E>(
  use: (store: SecretStore["Type"], vault: VaultServer) => Effect.Effect<A, E>,
  options: (vault: VaultServer) => Partial<VaultSecretStore.VaultStoreOptions> = (vault) => ({ login: roleOf(vault) })
) =>
  Effect.flatMap(vaultServer, (vault) =>
    Effect.provide(
      Effect.flatMap(SecretStore, (store) => use(store, vault)),
      storeAt(vault.address, options(vault))
    )
  )

const count = (vault: VaultServer, call: string) => vault.calls.filter((one) => one.startsWith(call)).length
const login = "POST /v1/auth/approle/login"
const renewal = "POST /v1/auth/token/renew-self"

it.scopedLive("Vault's AppRole is logged in to once, however many ask at once", () =>
  within((store, vault) =>
    Effect.gen(function* () {
      yield* Effect.all(
        Array.from({ length: 10 }, () => store.get(at)),
        { concurrency: "unbounded" }
      )
      expect(count(vault, login)).toBe(1)
      expect(vault.calls).toContain("GET /v1/secret/data/tracepipe/service/tokens/signing")
    })
  )
)

it.scopedLive("Vault's token is renewed before its end, and replaced at its longest life's end", () =>
  within((store, vault) =>
    Effect.gen(function* () {
      vault.ttl = { lease: 1, longest: 100 }
      yield* store.put(at, Redacted.make("v"))
      const seen = () => [count(vault, login), count(vault, renewal)]
      // At two thirds of a second.
      yield* Effect.repeat(Effect.delay(store.get(at), "50 millis"), { until: () => count(vault, renewal) >= 2 })
      expect(seen()).toEqual([1, 2])
      vault.revokeAll()
      expect((yield* store.get(at))?.version).toBe(1)
      expect(count(vault, login)).toBe(2)
    })
  )
)

it.scopedLive("Vault that is sealed, busy or failing is asked again; what it refuses is told", () =>
  within((store, vault) =>
    Effect.gen(function* () {
      yield* store.put(at, Redacted.make("v"))
      for (const status of [503, 429, 500]) {
        vault.ill = { status, times: 2 }
        expect((yield* store.get(at))?.version, String(status)).toBe(1)
      }
      vault.ill = { status: 503, times: 1 }
      expect(yield* store.put(at, Redacted.make("w"), { after: 1 })).toBe(2)
      vault.ill = { status: 503, times: 1000 }
      expect((yield* Effect.flip(store.get(at))).message).toMatch(/answers 503: Vault is sealed/)
      expect((yield* Effect.flip(store.ping)).message).toMatch(/sealed/)
      vault.ill = { status: 503, times: 0 }
      yield* store.ping
    })
  )
)

it.scopedLive("Vault's refusals hold neither the token nor the value", () =>
  Effect.gen(function* () {
    const wrong = yield* within(
      (store) => Effect.flip(store.put(at, Redacted.make("the value"))),
      () => ({ login: { token: Redacted.make("hvs.wrong-token") } })
    )
    expect(wrong).toMatchObject({
      _tag: "SecretStoreFailed",
      reason: expect.stringContaining("403: permission denied")
    })
    const role = yield* within(
      (store) => Effect.flip(store.get(at)),
      () => ({ login: { role_id: "r", secret_id: Redacted.make("wrong-secret") } })
    )
    expect(role.message).toMatch(/the login: Vault answers 400: invalid role or secret ID/)
    expect(JSON.stringify([wrong, role, String(wrong), String(role)])).not.toMatch(/the value|wrong-token|wrong-secret/)
  })
)

it.scopedLive("Vault is asked in its namespace", () =>
  within(
    (store, vault) =>
      Effect.gen(function* () {
        vault.namespace = "team/a"
        yield* store.put(at, Redacted.make("v"))
        vault.namespace = undefined
        expect(Either.isLeft(yield* Effect.either(store.get(at)))).toBe(true)
      }),
    (vault) => ({ login: roleOf(vault), namespace: "team/a" })
  )
)

it.live("Vault that is not there is told with its reason", () =>
  Effect.gen(function* () {
    const store = storeAt("http://127.0.0.1:1", { login: { token: Redacted.make("t") }, retry_for: "10 millis" })
    const failure = yield* Effect.flip(
      Effect.provide(
        Effect.flatMap(SecretStore, ({ get }) => get(at)),
        store
      )
    )
    expect(failure.message).toMatch(/ECONNREFUSED/)
  })
)
