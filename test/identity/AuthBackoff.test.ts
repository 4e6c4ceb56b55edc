import { expect, layer } from "@effect/vitest"
import { Effect, Layer, TestClock } from "effect"
import { AuthBackoff, type Presented } from "../../src/identity/AuthBackoff.ts"
import * as Memory from "../../src/platform/MemoryRateLimitStore.ts"
import { Settings } from "../../src/platform/Settings.ts"

const backoff = AuthBackoff.Default.pipe(Layer.provide(Memory.layer), Layer.provide(Settings.layer({})))

let addresses = 0
/** An address that no other test uses. */
const address = () => `203.0.${Math.floor(++addresses / 250)}.${addresses % 250}`
const prefix = () => `tp_live_${crypto.randomUUID().slice(0, 4)}`

const failing = (presented: Presented, times: number) =>
  Effect.flatMap(AuthBackoff, ({ failed }) => Effect.replicateEffect(failed(presented), times))
const wait = (presented: Presented) => Effect.map(AuthBackoff, ({ check }) => check(presented))

layer(backoff)("who fails to authenticate", (it) => {
  it.effect("waits from the fifth failure on, twice as long each time, a quarter of an hour at most", () =>
    Effect.gen(function* () {
      const attacker = { ip: address(), prefix: null }
      yield* failing(attacker, 4)
      expect(yield* wait(attacker)).toBe(0)
      const waits = []
      for (let turn = 0; turn < 12; turn++) {
        yield* failing(attacker, 1)
        const seconds = (yield* wait(attacker)) / 1000
        waits.push(seconds)
        yield* TestClock.adjust(`${seconds * 1000 - 1} millis`)
        expect(yield* wait(attacker)).toBe(1)
        yield* TestClock.adjust("1 millis")
        expect(yield* wait(attacker)).toBe(0)
      }
      expect(waits).toEqual([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900])
      yield* TestClock.adjust("31 minutes")
      yield* failing(attacker, 1)
      expect(yield* wait(attacker)).toBe(0)
    })
  )

  it.effect("waits at that address with every key, and nobody else does", () =>
    Effect.gen(function* () {
      const ip = address()
      yield* failing({ ip, prefix: prefix() }, 5)
      expect(yield* wait({ ip, prefix: prefix() })).toBe(1000)
      expect(yield* wait({ ip, prefix: null })).toBe(1000)
      expect(yield* wait({ ip: address(), prefix: prefix() })).toBe(0)
    })
  )

  it.effect("is the same through an address that is mapped into IPv6, and from anywhere in one /64", () =>
    Effect.gen(function* () {
      const ip = address()
      yield* failing({ ip, prefix: null }, 5)
      expect(yield* wait({ ip: `::ffff:${ip}`, prefix: null })).toBe(1000)
      for (const host of ["::1", "::2", ":9:8:7:6", "::3", "::4"]) {
        yield* failing({ ip: `2001:db8:1:1${host}`, prefix: null }, 1)
      }
      expect(yield* wait({ ip: "2001:db8:1:1::5", prefix: null })).toBe(1000)
      expect(yield* wait({ ip: "2001:db8:1:2::5", prefix: null })).toBe(0)
    })
  )

  it.effect("from ever other addresses is held to one attempt at each with that key", () =>
    Effect.gen(function* () {
      const key = prefix()
      for (let turn = 0; turn < 5; turn++) yield* failing({ ip: address(), prefix: key }, 1)
      const fresh = { ip: address(), prefix: key }
      expect(yield* wait(fresh)).toBe(0)
      yield* failing(fresh, 1)
      expect(yield* wait(fresh)).toBe(2000)
      expect(yield* wait({ ...fresh, prefix: prefix() })).toBe(0)
    })
  )

  it.effect("locks nobody out: the right key works from elsewhere, and ends the wait for its beginning", () =>
    Effect.gen(function* () {
      const key = prefix()
      const [attacker, owner] = [address(), address()]
      yield* failing({ ip: attacker, prefix: key }, 9)
      expect(yield* wait({ ip: owner, prefix: key })).toBe(0)
      const { succeeded } = yield* AuthBackoff
      yield* succeeded({ ip: owner, prefix: key })
      // The address still waits; its wait for the beginning alone is over.
      expect(yield* wait({ ip: attacker, prefix: key })).toBe(16_000)
      const another = { ip: address(), prefix: key }
      yield* failing(another, 4)
      expect(yield* wait(another)).toBe(0)
    })
  )

  it.effect("does not stop a key that was right at the same address lately, unless it fails with that", () =>
    Effect.gen(function* () {
      const ip = address()
      const mine = { ip, prefix: prefix() }
      const { succeeded } = yield* AuthBackoff
      yield* succeeded(mine)
      yield* failing({ ip, prefix: prefix() }, 7)
      expect(yield* wait({ ip, prefix: prefix() })).toBe(4000)
      expect(yield* wait(mine)).toBe(0)
      yield* failing(mine, 1)
      expect(yield* wait(mine)).toBe(8000)
    })
  )
})

layer(
  AuthBackoff.Default.pipe(Layer.provide(Memory.layer), Layer.provide(Settings.layer({ AUTH_BACKOFF_AFTER: "off" })))
)("without a back-off", (it) => {
  it.effect("nobody waits", () =>
    Effect.gen(function* () {
      const anybody = { ip: address(), prefix: prefix() }
      yield* failing(anybody, 50)
      expect(yield* wait(anybody)).toBe(0)
    })
  )
})
