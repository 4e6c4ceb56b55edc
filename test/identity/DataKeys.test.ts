import { SqlClient } from "@effect/sql"
import { expect, layer } from "@effect/vitest"
import { Context, Deferred, Effect, Exit, Layer } from "effect"
import { DataKeys } from "../../src/identity/DataKeys.ts"
import type { KeyOwner } from "../../src/identity/DataKeysRepo.ts"
import { organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

const ownerOf = (user_id: string): KeyOwner => ({ kind: "user", id: user_id as never })

const kept = (user_id: string) =>
  Effect.flatMap(
    TestServer,
    ({ sql }) => sql<{ id: string }>`select id from data_keys where user_id = ${user_id} order by created_at, id`
  ).pipe(Effect.map((rows) => rows.map(({ id }) => id)))

layer(TestServer.layer(), { excludeTestServices: true })("a person's data key", (it) => {
  it.effect("is made at the first use, remembered, and stored wrapped", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { user_id } = yield* organization()
      const keys = yield* DataKeys
      const made = yield* keys.of(ownerOf(user_id))
      expect(yield* kept(user_id)).toEqual([made?.id])
      const again = yield* keys.of(ownerOf(user_id))
      expect(again?.key.equals(made!.key)).toBe(true)
      const [row] = yield* sql<{ wrapped: Buffer }>`select wrapped from data_keys where user_id = ${user_id}`
      expect(row?.wrapped.includes(made!.key)).toBe(false)
    })
  )

  it.effect("that two transactions make at once holds in both, and neither waits for the other", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { user_id } = yield* organization()
      const keys = yield* DataKeys
      const both = yield* Effect.all([Deferred.make<void>(), Deferred.make<void>()])
      // Each commits only when the other has its key.
      const writer = (mine: number) =>
        sql.withTransaction(
          Effect.gen(function* () {
            const key = yield* keys.of(ownerOf(user_id))
            yield* Deferred.succeed(both[mine]!, undefined)
            yield* Deferred.await(both[1 - mine]!)
            return key!
          })
        )
      const made = yield* Effect.all([writer(0), writer(1)], { concurrency: "unbounded" })
      const stored = yield* kept(user_id)
      expect(made.map(({ id }) => id).sort()).toEqual(stored.toSorted())
      const later = yield* keys.of(ownerOf(user_id))
      expect(stored[0]).toBe(later?.id)
    })
  )

  it.effect("that was made in a transaction which was rolled back is used by nobody", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient.SqlClient
      const { user_id } = yield* organization()
      const keys = yield* DataKeys
      const lost = yield* Effect.flip(
        sql.withTransaction(
          Effect.flatMap(Effect.zipRight(keys.of(ownerOf(user_id)), keys.of(ownerOf(user_id))), Effect.fail)
        )
      )
      expect(yield* kept(user_id)).toEqual([])
      const made = yield* keys.of(ownerOf(user_id))
      expect(Object(lost).id).not.toBe(made?.id)
      expect(yield* kept(user_id)).toEqual([made?.id])
    })
  )

  it.effect("is not made for who is erased, or was never there", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { user_id } = yield* organization()
      const keys = yield* DataKeys
      yield* sql`update users set erased_at = now() where id = ${user_id}`
      expect(yield* keys.of(ownerOf(user_id))).toBeUndefined()
      expect(yield* keys.of(ownerOf(Bun.randomUUIDv7()))).toBeUndefined()
      expect(yield* kept(user_id)).toEqual([])
    })
  )
})

layer(TestServer.layer(), { excludeTestServices: true })("a secret store that is another one", (it) => {
  it.effect("is told at the start, and is no erasure of everybody", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { user_id } = yield* organization()
      yield* (yield* DataKeys).of(ownerOf(user_id))
      yield* sql`delete from secrets where path = 'data-keys/kek'`
      const started = yield* Layer.build(Layer.fresh(DataKeys.Default)).pipe(Effect.map(Context.get(DataKeys)))
      const failure = yield* Effect.flip(started.warm)
      expect(failure.message).toContain("data-keys/kek")
      const read = yield* Effect.exit(started.of(ownerOf(user_id)))
      expect(Exit.isFailure(read)).toBe(true)
    }).pipe(Effect.scoped)
  )
})
