import { randomBytes } from "node:crypto"
import { chmod, readdir, readFile, stat, writeFile } from "node:fs/promises"
import { SqlClient } from "@effect/sql"
import { describe, expect, it, layer } from "@effect/vitest"
import { Effect, Either, Layer, Redacted } from "effect"
import fc from "fast-check"
import { SecretStore } from "../../src/platform/SecretStore.ts"
import * as SecretStoreLive from "../../src/platform/SecretStoreLive.ts"
import { decode, Settings } from "../../src/platform/Settings.ts"
import { open, seal } from "../../src/platform/secrets/Envelope.ts"
import { keyFile, keyIn, parseKey } from "../../src/platform/secrets/LocalKeys.ts"
import { folder } from "../cli/Tracepipe.ts"
import { anyOrganization, secretsDatabase } from "../support/SecretsDatabase.ts"
import { contract } from "./SecretStore.contract.ts"

const key = () => randomBytes(32).toString("base64")

contract("the local envelope", {
  layer: SecretStoreLive.layer.pipe(Layer.provideMerge(secretsDatabase({ API_KEY_ENCRYPTION_KEY: key() }))),
  organization: anyOrganization
})

/** A start of the store over the database that is there, with other settings. */
const started = <A, E>(environment: Readonly<Record<string, string>>, use: Effect.Effect<A, E, SecretStore>) =>
  use.pipe(Effect.provide(SecretStoreLive.layer.pipe(Layer.provide(Settings.layer(environment)))), Effect.either)

layer(secretsDatabase(), { excludeTestServices: true })("the local envelope", (it) => {
  const fresh = Effect.zipRight(
    Effect.flatMap(SqlClient.SqlClient, (sql) => sql`delete from secrets`),
    folder
  )

  it.scoped("makes its key once, for its owner alone, however many start at once", () =>
    Effect.gen(function* () {
      const DATA_DIR = yield* folder
      const keys = yield* Effect.all(
        Array.from({ length: 20 }, () => keyIn(DATA_DIR)),
        { concurrency: "unbounded" }
      )
      expect(new Set(keys.map(({ id }) => id)).size).toBe(1)
      const { mode } = yield* Effect.promise(() => stat(keyFile(DATA_DIR)))
      expect(mode & 0o777).toBe(0o600)
      expect(yield* Effect.promise(() => readdir(DATA_DIR))).toEqual(["secrets.key"])
    })
  )

  it.scoped("refuses a key file that others may read, or that holds none", () =>
    Effect.gen(function* () {
      const DATA_DIR = yield* folder
      yield* keyIn(DATA_DIR)
      yield* Effect.promise(() => chmod(keyFile(DATA_DIR), 0o640))
      expect((yield* Effect.flip(keyIn(DATA_DIR))).message).toMatch(/others may read .*: chmod 600/)
      yield* Effect.promise(() => writeFile(keyFile(DATA_DIR), "short"))
      yield* Effect.promise(() => chmod(keyFile(DATA_DIR), 0o600))
      expect((yield* Effect.flip(keyIn(DATA_DIR))).message).toMatch(/holds no key/)
    })
  )

  it.scoped("is not started with another key than the database's; the one before can still be named", () =>
    Effect.gen(function* () {
      const DATA_DIR = yield* fresh
      const [first, second] = [key(), key()]
      const at = { org_id: null, path: "tokens/signing" }
      const put = Effect.flatMap(SecretStore, (store) => store.put(at, Redacted.make("v")))
      const get = Effect.flatMap(SecretStore, (store) => store.get(at))
      expect(Either.isRight(yield* started({ DATA_DIR, API_KEY_ENCRYPTION_KEY: first }, put))).toBe(true)
      const wrong = yield* started({ DATA_DIR, API_KEY_ENCRYPTION_KEY: second }, get)
      const { message } = Either.getOrThrow(Either.flip(wrong))
      expect(message).toMatch(/encrypted with the key local:\w{16}, .* has local:\w{16}.*API_KEY_ENCRYPTION_KEY/)
      expect(message).not.toContain(first)
      expect(message).not.toContain(second)
      const both = { DATA_DIR, API_KEY_ENCRYPTION_KEY: second, API_KEY_ENCRYPTION_KEYS_OLD: `${key()}, ${first}` }
      const found = Either.getOrThrow(yield* started(both, Effect.zipRight(put, Effect.zip(get, getFirst(at)))))
      expect(found.map((one) => one?.version)).toEqual([2, 1])
    })
  )

  it.scoped("opens no row that was changed or moved, and keeps nothing in the clear", () =>
    Effect.gen(function* () {
      yield* fresh
      const sql = yield* SqlClient.SqlClient
      const API_KEY_ENCRYPTION_KEY = key()
      const [a, b] = [yield* anyOrganization, yield* anyOrganization]
      const use = Effect.gen(function* () {
        const store = yield* SecretStore
        const path = "mcp-servers/x/credentials"
        const get = (org_id: typeof a) => Effect.either(store.get({ org_id, path }))
        yield* store.put({ org_id: a, path }, Redacted.make("the value in the clear"))
        const rows = yield* sql<{
          all: string
        }>`select encode(ciphertext || data_key, 'escape') || s::text as all from secrets s`
        expect(rows.map(({ all }) => all).join()).not.toContain("in the clear")
        for (const change of [
          sql`update secrets set org_id = ${b} where org_id = ${a}`,
          sql`update secrets set version = 2 where org_id = ${a}`,
          sql`update secrets set path = 'moved' where org_id = ${a}`,
          sql`update secrets set ciphertext = set_byte(ciphertext, 0, get_byte(ciphertext, 0) # 1) where org_id = ${a}`,
          sql`update secrets set data_key = set_byte(data_key, 20, get_byte(data_key, 20) # 1) where org_id = ${a}`,
          sql`update secrets set nonce = set_byte(nonce, 0, get_byte(nonce, 0) # 1) where org_id = ${a}`
        ]) {
          yield* sql`delete from secrets where org_id is not null`
          yield* store.put({ org_id: a, path }, Redacted.make("the value in the clear"))
          expect(Either.isRight(yield* get(a))).toBe(true)
          yield* change
          const results = [
            yield* get(a),
            yield* get(b),
            yield* Effect.either(store.get({ org_id: a, path: "moved" }))
          ].filter((result) => Either.isLeft(result) || result.right !== undefined)
          expect(results).toHaveLength(1)
          const failure = Either.getOrThrow(Either.flip(results[0] ?? Either.right(undefined)))
          expect(failure.message).toMatch(/was changed in the database/)
        }
      })
      Either.getOrThrow(yield* started({ API_KEY_ENCRYPTION_KEY }, use))
    })
  )

  it.scoped("goes with its organization", () =>
    Effect.gen(function* () {
      yield* fresh
      const sql = yield* SqlClient.SqlClient
      const org_id = yield* anyOrganization
      const put = Effect.flatMap(SecretStore, (store) => store.put({ org_id, path: "a" }, Redacted.make("v")))
      Either.getOrThrow(yield* started({ API_KEY_ENCRYPTION_KEY: key() }, put))
      yield* sql`delete from organizations where id = ${org_id}`
      expect(yield* sql`select * from secrets where org_id = ${org_id}`).toEqual([])
    })
  )
})

const getFirst = (at: Parameters<SecretStore["Type"]["get"]>[0]) =>
  Effect.flatMap(SecretStore, (store) => store.get(at, 1))

describe("the envelope", () => {
  it("opens with the same key, about the same thing, and no bit changed", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.string(), fc.string(), fc.nat(), (plain, about, other, at) => {
        const secret = randomBytes(32)
        const sealed = seal(secret, plain, about)
        expect(Buffer.from(open(secret, sealed, about)).equals(Buffer.from(plain))).toBe(true)
        expect(() => open(randomBytes(32), sealed, about)).toThrow()
        if (other !== about) expect(() => open(secret, sealed, other)).toThrow()
        const ciphertext = Buffer.from(sealed.ciphertext)
        const byte = at % ciphertext.length
        ciphertext[byte] = (ciphertext[byte] ?? 0) ^ (1 << (at % 8))
        expect(() => open(secret, { ...sealed, ciphertext }, about)).toThrow()
        expect(() => open(secret, { ...sealed, ciphertext: sealed.ciphertext.subarray(1) }, about)).toThrow()
      })
    )
  })

  it("has a key of 32 bytes, as hex or base64", () => {
    const bytes = randomBytes(32)
    const ids = [bytes.toString("hex"), bytes.toString("base64"), bytes.toString("base64url")].map(
      (text) => parseKey(` ${text}\n`)?.id
    )
    expect(new Set(ids).size).toBe(1)
    expect(ids[0]).toMatch(/^local:/)
    for (const text of ["", "x", randomBytes(31).toString("hex"), randomBytes(33).toString("base64"), "!".repeat(43)]) {
      expect(parseKey(text), text).toBeUndefined()
    }
  })
})

describe("the configuration of secrets", () => {
  const problems = (environment: Readonly<Record<string, string>>) =>
    Effect.map(
      Effect.either(decode(environment)),
      Either.match({ onLeft: ({ message }) => message, onRight: () => "" })
    )

  it.effect("is refused in production without a store, and says what to set", () =>
    Effect.gen(function* () {
      expect(yield* problems({ APP_ENV: "production" })).toMatch(/VAULT_ADDR.*AWS_KMS_KEY_ID.*ALLOW_LOCAL_SECRETS=true/)
      expect(yield* problems({ APP_ENV: "production", ALLOW_LOCAL_SECRETS: "true" })).toBe("")
      expect(yield* problems({ APP_ENV: "production", AWS_KMS_KEY_ID: "alias/x" })).toBe("")
      expect(yield* problems({ APP_ENV: "staging" })).toBe("")
    })
  )

  it.effect("names what is wrong, and tells no key", () =>
    Effect.gen(function* () {
      const wrong = yield* problems({ API_KEY_ENCRYPTION_KEY: "hunter2" })
      expect(wrong).toContain("API_KEY_ENCRYPTION_KEY: expected 32 bytes as base64 or hex")
      expect(wrong).not.toContain("hunter2")
      expect(yield* problems({ API_KEY_ENCRYPTION_KEYS_OLD: `${key()},hunter2` })).not.toContain("hunter2")
      expect(yield* problems({ VAULT_ADDR: "http://vault" })).toContain("VAULT_TOKEN")
      expect(yield* problems({ VAULT_ADDR: "http://vault", VAULT_ROLE_ID: "r" })).toContain("VAULT_SECRET_ID")
      expect(yield* problems({ VAULT_ADDR: "http://v", VAULT_TOKEN: "t", AWS_KMS_KEY_ID: "k" })).toContain("not both")
    })
  )

  it.scoped("is read from a mounted file", () =>
    Effect.gen(function* () {
      const path = `${yield* folder}/key`
      const text = key()
      yield* Effect.promise(() => writeFile(path, `${text}\n`))
      const { secrets } = yield* decode({ API_KEY_ENCRYPTION_KEY_FILE: path })
      expect(secrets.encryption_key?.id).toBe(parseKey(yield* Effect.promise(() => readFile(path, "utf8")))?.id)
    })
  )
})
