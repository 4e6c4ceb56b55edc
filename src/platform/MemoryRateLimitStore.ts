import { Effect, Layer } from "effect"
import { ExpiringMap } from "./ExpiringMap.ts"
import * as Backoff from "./limits/Backoff.ts"
import * as Gcra from "./limits/Gcra.ts"
import { type Limit, RateLimitStore } from "./RateLimitStore.ts"

/** So many subjects are remembered; beyond that, those that are full again are forgotten, then the oldest. */
const CAPACITY = 100_000

/** Counts in this process alone, by its own clock. */
export const make = Effect.map(Effect.clock, (clock): typeof RateLimitStore.Service => {
  const tats = new ExpiringMap<number>(CAPACITY)
  const failures = new ExpiringMap<number>(CAPACITY)

  const take = (limits: ReadonlyArray<Limit>) =>
    Effect.sync(() => {
      const now = clock.unsafeCurrentTimeMillis()
      // By index, and not by iterators: this runs for every request.
      const before: Array<number> = []
      for (let at = 0; at < limits.length; at++) before.push(tats.get(limits[at]?.key ?? "", now) ?? now)
      const after: Array<number> = []
      for (let at = 0; at < limits.length; at++) {
        const limit = limits[at]
        const next = limit === undefined ? undefined : Gcra.admit(before[at] ?? now, now, limit)
        if (next === undefined) return { admitted: false, now, tats: before, local: false }
        after.push(next)
      }
      for (let at = 0; at < limits.length; at++) {
        const tat = after[at] ?? now
        tats.set(limits[at]?.key ?? "", tat, tat, now)
      }
      return { admitted: true, now, tats: after, local: false }
    })

  const fail = (keys: ReadonlyArray<string>, backoff: Backoff.Backoff) =>
    Effect.sync(() => {
      const now = clock.unsafeCurrentTimeMillis()
      return keys.map((key) => {
        const count = (failures.get(key, now) ?? 0) + 1
        const wait = Backoff.wait(count, backoff)
        failures.set(key, count, now + wait + backoff.window_ms, now)
        return wait
      })
    })

  const forget = (keys: ReadonlyArray<string>) =>
    Effect.sync(() => {
      for (const key of keys) failures.delete(key)
    })

  return { kind: "memory", take, fail, forget }
})

export const layer = Layer.effect(RateLimitStore, make)
