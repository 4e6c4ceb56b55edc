import { expect, it } from "@effect/vitest"
import { Context, Effect, Layer, Logger, Redacted } from "effect"
import { RateLimitStore } from "../../src/platform/RateLimitStore.ts"
import * as Redis from "../../src/platform/RedisRateLimitStore.ts"
import { eventually } from "../support/Eventually.ts"
import { NO_OWN_REDIS, ownRedis } from "../support/RedisServer.ts"

const test = NO_OWN_REDIS === undefined ? it.scopedLive : it.scopedLive.skip
const skipped = NO_OWN_REDIS === undefined ? "" : ` (skipped: ${NO_OWN_REDIS})`

const of = (burst: number) => ({ key: crypto.randomUUID(), burst, interval_ms: 3_600_000 })
const backoff = { after: 2, first_ms: 1000, longest_ms: 5000, window_ms: 60_000 }

/** A store over a Redis of its own, and what is logged meanwhile. */
const scene = Effect.gen(function* () {
  const server = yield* ownRedis
  const log: Array<string> = []
  const logger = Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => {
      log.push(String(message))
    })
  )
  const layer = Redis.layer({ url: Redacted.make(server.url), pool_size: 2 })
  const store = Context.get(yield* Layer.build(layer), RateLimitStore)
  const take = (limit: ReturnType<typeof of>) => Effect.provide(store.take([limit]), logger)
  return { server, store, take, log }
})

for (const [how, away, back] of [
  ["is gone", "stop", "start"],
  ["hangs", "SIGSTOP", "SIGCONT"]
] as const) {
  test(`while the shared store ${how}, a node counts for itself, says so once, and goes back to it${skipped}`, () =>
    Effect.gen(function* () {
      const { server, store, take, log } = yield* scene
      expect(yield* take(of(1))).toMatchObject({ admitted: true, local: false })
      yield* away === "stop" ? server.stop : server.signal(away)
      const limit = of(5)
      const taken = []
      for (let turn = 0; turn < 200; turn++) taken.push(yield* take(limit))
      expect(taken.every(({ local }) => local)).toBe(true)
      expect(taken.filter(({ admitted }) => admitted).length).toBe(5)
      const failing = crypto.randomUUID()
      expect(yield* store.fail([failing], backoff)).toEqual([0])
      expect(yield* store.fail([failing], backoff)).toEqual([1000])
      expect(log).toEqual([expect.stringMatching(/^rate limits are counted by this node alone: Redis is away: /)])
      yield* back === "start" ? server.start : server.signal(back)
      const again = yield* eventually(take(of(1)), ({ local }) => !local)
      expect(again).toMatchObject({ admitted: true, local: false })
    }))
}

test(`a Redis that was started anew is told the scripts again${skipped}`, () =>
  Effect.gen(function* () {
    const { server, take } = yield* scene
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
