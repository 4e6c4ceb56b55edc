import { randomBytes } from "node:crypto"
import { SqlClient } from "@effect/sql"
import { Context, Effect, Redacted, Schema } from "effect"
import type { UserId } from "../domain/Ids.ts"
import { SecretStore } from "../platform/SecretStore.ts"
import * as Sealing from "./audit/Sealing.ts"
import { DataKeysRepo, type KeyOwner } from "./DataKeysRepo.ts"

/** A key as it is used. */
export interface DataKey {
  readonly id: string
  readonly key: Buffer
}

/** A key as it is stored. */
interface Wrapped {
  readonly id: string
  readonly wrapped: Uint8Array
  readonly kek_version: number
}

/** The secret store is not the one that the keys of this database were wrapped with. */
export class DataKeysUnreadable extends Schema.TaggedError<DataKeysUnreadable>("identity/DataKeysUnreadable")(
  "DataKeysUnreadable",
  {}
) {
  override get message() {
    return "the secret store does not hold the key that this database's personal data is encrypted with (data-keys/kek): it is another store, or was emptied; restore it, or configure the one before"
  }
}

const at = { org_id: null, path: "data-keys/kek" }

/** Most keys that are remembered, and for how long. */
const known = 10_000
const remembered_ms = 300_000

const aboutKey = (id: string) => `data-key|${id}`

const decoded = (value: Redacted.Redacted) => Buffer.from(Redacted.value(value), "base64")

/**
 * Keys of persons, each wrapped by a key-encryption key that the secret store keeps. Who is erased loses
 * theirs, and with it everything that was encrypted with it. What no person did is encrypted with a key
 * of the organization.
 */
export class DataKeys extends Effect.Service<DataKeys>()("identity/DataKeys", {
  dependencies: [DataKeysRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* DataKeysRepo
    const store = yield* SecretStore
    const clock = yield* Effect.clock
    const keks = new Map<number, Buffer>()
    const recent = new Map<string, DataKey & { readonly until: number }>()
    // Whoever waits for the key holds a connection: one of them asks, on one more.
    const one = yield* Effect.makeSemaphore(1)
    let newest = 0

    const read = (version?: number) =>
      Effect.map(store.get(at, version), (found) => {
        if (found === undefined) return undefined
        keks.set(found.version, decoded(found.value))
        return found.version
      })

    // Never in the transaction of who asks: a rollback would take the key away that others use already.
    const apart = <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.mapInputContext(self, (context: Context.Context<never>) =>
        // The connection is no requirement of the effect: it is found where it happens to be.
        Context.omit(SqlClient.TransactionConnection)(context as Context.Context<SqlClient.TransactionConnection>)
      )

    /** The version of the newest key-encryption key; of two processes that make the first one, one wins. */
    const settled = Effect.gen(function* () {
      if (newest > 0) return newest
      const found = yield* read()
      newest =
        found ??
        (yield* store.put(at, Redacted.make(randomBytes(Sealing.keyLength).toString("base64")), { after: 0 }).pipe(
          Effect.catchTag("SecretChanged", () => Effect.void),
          Effect.zipRight(read())
        )) ??
        (yield* Effect.dieMessage("the secret store does not have the key that was just put there"))
      return newest
    }).pipe(apart, one.withPermits(1), Effect.orDie)

    const current = Effect.suspend(() => (newest > 0 ? Effect.succeed(newest) : settled))

    const kek = (version: number) =>
      Effect.suspend(() => {
        const found = keks.get(version)
        if (found !== undefined) return Effect.succeed(found)
        return Effect.map(Effect.orDie(apart(read(version))), () => keks.get(version))
      })

    /** The key as it is used. What cannot be unwrapped is no erasure, but a secret store that is another one. */
    const unwrap = ({ id, wrapped, kek_version }: Wrapped) =>
      Effect.flatMap(kek(kek_version), (outer) => {
        const key = outer === undefined ? undefined : Sealing.open(outer, wrapped, aboutKey(id))
        return key === undefined ? Effect.die(new DataKeysUnreadable()) : Effect.succeed<DataKey>({ id, key })
      })

    const make = (owner: KeyOwner) =>
      Effect.gen(function* () {
        const kek_version = yield* current
        const outer = yield* kek(kek_version)
        if (outer === undefined) return yield* Effect.dieMessage("the key-encryption key is gone")
        const made = { id: repo.next(), key: randomBytes(Sealing.keyLength) }
        const wrapped = Sealing.seal(outer, made.key, aboutKey(made.id))
        // Not remembered: the transaction that it is written in may be rolled back.
        return (yield* repo.insert(owner, { id: made.id, wrapped, kek_version })) ? made : undefined
      })

    const remember = (name: string, key: DataKey) => {
      const oldest = recent.keys().next().value
      if (recent.size >= known && oldest !== undefined) recent.delete(oldest)
      recent.delete(name)
      recent.set(name, { ...key, until: clock.unsafeCurrentTimeMillis() + remembered_ms })
    }

    /**
     * The key to encrypt with, made where there is none yet; undefined for who is erased, or not there. Costs
     * nothing when it is remembered, one query or two otherwise, in the transaction of who asks.
     */
    const of = (owner: KeyOwner): Effect.Effect<DataKey | undefined> =>
      Effect.suspend(() => {
        const name = `${owner.kind}/${owner.id}`
        const found = recent.get(name)
        if (found !== undefined && found.until > clock.unsafeCurrentTimeMillis()) return Effect.succeed(found)
        return Effect.flatMap(repo.find(owner), (row) =>
          row === undefined
            ? make(owner)
            : Effect.tap(unwrap(row), (key) => {
                if (row.settled) remember(name, key)
              })
        )
      })

    /** Drops a person's keys, in the transaction of their erasure. */
    const drop = (user_id: UserId) => repo.drop(user_id)

    /** Makes this process forget a person's key; the others go on writing with it for a while, which nobody can read. */
    const forget = (user_id: UserId) => Effect.sync(() => recent.delete(`user/${user_id}`))

    /**
     * To be called at the start: reads the key-encryption key, or makes the first one, and sees to it that
     * it is the one that the persons' keys are wrapped with.
     */
    const warm = Effect.gen(function* () {
      yield* current
      const any = yield* repo.any
      if (any !== undefined) yield* unwrap(any)
    }).pipe(
      Effect.catchAllDefect((defect) =>
        defect instanceof DataKeysUnreadable
          ? Effect.fail(defect)
          : Effect.logWarning(
              "the key of personal data cannot be read now; it is asked for again when it is needed",
              defect
            )
      )
    )

    return { of, unwrap, drop, forget, warm } as const
  })
}) {}
