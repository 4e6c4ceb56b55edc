import { expect, layer } from "@effect/vitest"
import { Context, Effect, type Layer } from "effect"
import type { Backoff } from "../../src/platform/limits/Backoff.ts"
import * as Gcra from "../../src/platform/limits/Gcra.ts"
import { type Limit, RateLimitStore } from "../../src/platform/RateLimitStore.ts"
import { eventually } from "../support/Eventually.ts"

const CLIENTS = 32

const own = () => crypto.randomUUID()
/** A limit that does not grow while a test runs. */
const of = (burst: number, key = own()): Limit => ({ key, burst, interval_ms: 3_600_000 })

const backoff: Backoff = { after: 3, first_ms: 1000, longest_ms: 5000, window_ms: 600_000 }

type Store = typeof RateLimitStore.Service

/** Takes again and again, as so many clients do, `times` each; answers how many were admitted. */
const hammered = (store: Store, limits: ReadonlyArray<Limit>, times: number) =>
  Effect.map(
    Effect.all(
      Array.from({ length: CLIENTS * times }, () => store.take(limits)),
      { concurrency: CLIENTS }
    ),
    (all) => all.filter(({ admitted }) => admitted).length
  )

/** As many clients as that ask until the time is over, over all of the stores by turns. */
const sustained = (stores: ReadonlyArray<Store>, limit: Limit, duration_ms: number) =>
  Effect.gen(function* () {
    const began = (yield* stores[0]!.take([of(1)])).now
    let admitted = 0
    let last = began
    const client = (store: Store) =>
      Effect.gen(function* () {
        while (last - began < duration_ms) {
          const taken = yield* store.take([limit])
          expect(taken.local).toBe(false)
          if (taken.admitted) admitted += 1
          if (taken.now > last) last = taken.now
          // What answers without waiting would keep the others from asking.
          yield* Effect.yieldNow()
        }
      })
    yield* Effect.all(
      Array.from({ length: CLIENTS }, (_, index) => client(stores[index % stores.length]!)),
      { concurrency: "unbounded", discard: true }
    )
    return { admitted, ceiling: limit.burst + (last - began) / limit.interval_ms }
  })

/** The store as another node has it, over connections of its own; undefined where nodes share nothing. */
export class AnotherNode extends Context.Tag("test/AnotherNode")<AnotherNode, Store | undefined>() {}

interface Options<E> {
  readonly layer: Layer.Layer<RateLimitStore | AnotherNode, E>
  readonly skip?: string | undefined
}

/** What every store of rate limits does. */
export const contract = <E>(name: string, options: Options<E>) => {
  const title = `limits in ${name}${options.skip === undefined ? "" : ` (skipped: ${options.skip})`}`
  layer(options.layer, { excludeTestServices: true })(title, (it) => {
    const test = options.skip === undefined ? it.effect : it.effect.skip

    test("admit a burst, and say what remains of it", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const limit = of(3)
        const seen = []
        for (let turn = 0; turn < 4; turn++) {
          const { admitted, now, tats, local } = yield* store.take([limit])
          expect(local).toBe(false)
          expect(tats.length).toBe(1)
          seen.push({ admitted, ...Gcra.standing(tats[0]!, now, limit) })
        }
        expect(seen.map(({ admitted }) => admitted)).toEqual([true, true, true, false])
        expect(seen.map(({ remaining }) => remaining)).toEqual([2, 1, 0, 0])
        expect(seen[3]!.retry_ms).toBeGreaterThan(3_500_000)
        expect(seen[3]!.retry_ms).toBeLessThanOrEqual(3_600_000)
      }))

    test("admit one more after each interval", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const limit = { key: own(), burst: 1, interval_ms: 150 }
        const first = yield* store.take([limit])
        const second = yield* eventually(store.take([limit]), ({ admitted }) => admitted)
        expect(second.now - first.now).toBeGreaterThanOrEqual(149)
      }))

    test("count a request on all of them or on none", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const [wide, narrow, other] = [of(10), of(1), of(10)]
        expect((yield* store.take([wide, narrow, other])).admitted).toBe(true)
        for (let turn = 0; turn < 5; turn++) {
          const refused = yield* store.take([wide, narrow, other])
          expect(refused.admitted).toBe(false)
          expect(
            [wide, narrow, other].map(
              (limit, index) => Gcra.standing(refused.tats[index]!, refused.now, limit).remaining
            )
          ).toEqual([9, 0, 9])
        }
        const { tats, now } = yield* store.take([wide, other])
        expect(tats.map((tat) => Gcra.standing(tat, now, wide).remaining)).toEqual([8, 8])
      }))

    test("admit exactly the burst under 32 clients", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        expect(yield* hammered(store, [of(200)], 20)).toBe(200)
      }))

    test("admit exactly the smallest of several under 32 clients that name them in any order", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const [narrow, ...wide] = [of(100), of(150), of(1000)]
        const orders = [
          [narrow, ...wide],
          [...wide, narrow]
        ]
        const admitted = yield* Effect.all(
          orders.map((limits) => hammered(store, limits, 5)),
          { concurrency: "unbounded" }
        )
        expect(admitted[0]! + admitted[1]!).toBe(100)
        const { tats, now } = yield* store.take(wide)
        expect(tats.map((tat, index) => Gcra.standing(tat, now, wide[index]!).remaining)).toEqual([49, 899])
      }))

    test("admit their ceiling, within one part in a hundred, of 32 clients that never rest", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const { admitted, ceiling } = yield* sustained([store], { key: own(), burst: 100, interval_ms: 10 }, 2500)
        expect(Math.abs(admitted / ceiling - 1)).toBeLessThan(0.01)
      }))

    test("are one and the same for two nodes, if these share anything", () =>
      Effect.gen(function* () {
        const here = yield* RateLimitStore
        const there = yield* AnotherNode
        expect(there === undefined).toBe(here.kind === "memory")
        if (there === undefined) return
        const fixed = of(300)
        const admitted = yield* Effect.all([hammered(here, [fixed], 10), hammered(there, [fixed], 10)], {
          concurrency: "unbounded"
        })
        expect(admitted[0] + admitted[1]).toBe(300)
        expect(Math.min(...admitted)).toBeGreaterThan(0)
        const flowing = yield* sustained([here, there], { key: own(), burst: 100, interval_ms: 10 }, 2500)
        expect(Math.abs(flowing.admitted / flowing.ceiling - 1)).toBeLessThan(0.01)
        const failing = own()
        yield* here.fail([failing], backoff)
        yield* here.fail([failing], backoff)
        expect(yield* there.fail([failing], backoff)).toEqual([1000])
      }))

    test("make who fails wait for twice as long each time, up to a bound", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const [one, other] = [own(), own()]
        const waits = []
        for (let turn = 0; turn < 7; turn++) waits.push((yield* store.fail([one], backoff))[0])
        expect(waits).toEqual([0, 0, 1000, 2000, 4000, 5000, 5000])
        expect(yield* store.fail([other, one], backoff)).toEqual([0, 5000])
      }))

    test("count every one of many failures at once", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const key = own()
        const waits = yield* Effect.all(
          Array.from({ length: CLIENTS }, () => store.fail([key, own()], { ...backoff, after: 31 })),
          { concurrency: "unbounded" }
        )
        expect(
          waits
            .map(([wait]) => wait)
            .filter((wait) => wait! > 0)
            .sort()
        ).toEqual([1000, 2000])
      }))

    test("forget failures when they are told to, and when none came for long", () =>
      Effect.gen(function* () {
        const store = yield* RateLimitStore
        const key = own()
        const failed = Effect.map(store.fail([key], { ...backoff, after: 2 }), ([wait]) => wait)
        expect([yield* failed, yield* failed]).toEqual([0, 1000])
        yield* store.forget([key])
        expect([yield* failed, yield* failed]).toEqual([0, 1000])
        const brief = own()
        const short = { ...backoff, after: 2, first_ms: 1, window_ms: 30 }
        expect(yield* store.fail([brief], short)).toEqual([0])
        // Two within the window wait; the first one after it does not.
        const waits = yield* eventually(
          Effect.zip(Effect.sleep("40 millis"), store.fail([brief], short)),
          ([, [wait]]) => wait === 0
        )
        expect(waits[1]).toEqual([0])
      }))
  })
}
