import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Redacted } from "effect"
import Pg from "pg"
import { RateLimitStore } from "../../src/platform/RateLimitStore.ts"
import * as Redis from "../../src/platform/RedisRateLimitStore.ts"
import { eventually } from "../support/Eventually.ts"
import { overPostgres } from "../support/PostgresLimits.ts"
import { NO_OWN_REDIS, ownRedis } from "../support/RedisServer.ts"
import { proxied, tcpProxy } from "../support/TcpProxy.ts"
import { testDatabase } from "../support/TestDatabase.ts"

const test = NO_OWN_REDIS === undefined ? it.scopedLive : it.scopedLive.skip
const skipped = NO_OWN_REDIS === undefined ? "" : ` (skipped: ${NO_OWN_REDIS})`

const of = (burst: number) => ({ key: crypto.randomUUID(), burst, interval_ms: 3_600_000 })
const backoff = { after: 2, first_ms: 1000, longest_ms: 5000, window_ms: 60_000 }

/** Something that can be taken away from a node and given back. */
interface Backend {
  readonly away: Effect.Effect<void>
  readonly back: Effect.Effect<void>
  readonly layer: Layer.Layer<RateLimitStore, unknown>
}

const redis = (away: "stop" | "hang") =>
  Effect.map(ownRedis, ({ url, stop, start, signal }): Backend => {
    const layer = Redis.layer({ url: Redacted.make(url), pool_size: 2 })
    return away === "stop"
      ? { layer, away: stop, back: Effect.asVoid(start) }
      : { layer, away: signal("SIGSTOP"), back: signal("SIGCONT") }
  })

const cutPostgres = Effect.gen(function* () {
  const { app, owner } = yield* testDatabase
  const { upstream, through } = proxied(app)
  const proxy = yield* tcpProxy(upstream)
  return { layer: overPostgres({ app: through(proxy.port), owner }), away: proxy.cut, back: proxy.mend }
})

/** Somebody holds the table. */
const lockedPostgres = Effect.gen(function* () {
  const { app, owner } = yield* testDatabase
  const client = yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const one = new Pg.Client({ connectionString: owner })
      await one.connect()
      return one
    }),
    (one) => Effect.promise(() => one.end())
  )
  const says = (statement: string) => Effect.asVoid(Effect.promise(() => client.query(statement)))
  return {
    layer: overPostgres({ app, owner }),
    away: says("begin; lock table rate_limits in access exclusive mode"),
    back: says("rollback")
  }
})

/** A store, and what is logged as it is used. */
const observed = (layer: Backend["layer"]) =>
  Effect.gen(function* () {
    const log: Array<string> = []
    const logger = Logger.replace(
      Logger.defaultLogger,
      Logger.make(({ message }) => {
        log.push(String(message))
      })
    )
    const store = Context.get(yield* Layer.build(layer), RateLimitStore)
    const take = (limit: ReturnType<typeof of>) => Effect.provide(store.take([limit]), logger)
    return { store, take, log }
  })

for (const [how, backend, why] of [
  ["Redis is gone", redis("stop"), NO_OWN_REDIS],
  ["Redis hangs", redis("hang"), NO_OWN_REDIS],
  ["PostgreSQL is gone", cutPostgres, undefined],
  ["PostgreSQL hangs", lockedPostgres, undefined]
] as const) {
  const here = why === undefined ? it.scopedLive : it.scopedLive.skip
  here(
    `while ${how} a node counts for itself, says so once, and goes back to it${why === undefined ? "" : ` (skipped: ${why})`}`,
    () =>
      Effect.gen(function* () {
        const { layer, away, back } = yield* backend
        const { store, take, log } = yield* observed(layer)
        expect(yield* take(of(1))).toMatchObject({ admitted: true, local: false })
        yield* away
        const limit = of(5)
        const taken = []
        for (let turn = 0; turn < 200; turn++) taken.push(yield* take(limit))
        expect(taken.every(({ local }) => local)).toBe(true)
        expect(taken.filter(({ admitted }) => admitted).length).toBe(5)
        const failing = crypto.randomUUID()
        expect(yield* store.fail([failing], backoff)).toEqual([0])
        expect(yield* store.fail([failing], backoff)).toEqual([1000])
        expect(log).toEqual([
          expect.stringMatching(/^rate limits are counted by this node alone: (Redis|PostgreSQL) is away: ./)
        ])
        yield* back
        const again = yield* eventually(take(of(1)), ({ local }) => !local)
        expect(again).toMatchObject({ admitted: true, local: false })
      })
  )
}

test(`a Redis that was started anew is told the scripts again${skipped}`, () =>
  Effect.gen(function* () {
    const server = yield* ownRedis
    const { take } = yield* observed(Redis.layer({ url: Redacted.make(server.url), pool_size: 2 }))
    const limit = of(3)
    expect((yield* take(limit)).local).toBe(false)
    yield* server.stop
    yield* server.start
    expect((yield* eventually(take(limit), ({ local }) => !local)).admitted).toBe(true)
  }))

test(`a node starts while the store is away${skipped}`, () =>
  Effect.gen(function* () {
    const server = yield* ownRedis
    yield* server.stop
    const layer = Redis.layer({ url: Redacted.make(server.url), pool_size: 1 })
    const quiet = Logger.remove(Logger.defaultLogger)
    const store = Context.get(yield* Effect.provide(Layer.build(layer), quiet), RateLimitStore)
    expect(yield* Effect.provide(store.take([of(1)]), quiet)).toMatchObject({ admitted: true, local: true })
    yield* server.start
    yield* eventually(store.take([of(1)]), ({ local }) => !local)
  }))
