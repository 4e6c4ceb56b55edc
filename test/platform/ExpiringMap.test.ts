import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { ExpiringMap } from "../../src/platform/ExpiringMap.ts"

describe("a map that forgets", () => {
  it("answers each value until its time", () => {
    const map = new ExpiringMap<string>(10)
    map.set("a", "one", 100, 0)
    expect([map.get("a", 99), map.get("a", 100), map.get("a", 0)]).toEqual(["one", undefined, undefined])
  })

  it("makes room by forgetting what is over, and only then what is oldest", () => {
    const map = new ExpiringMap<number>(3)
    for (const [at, key] of ["a", "b", "c"].entries()) map.set(key, at, key === "b" ? 5 : 1000, 0)
    map.set("d", 3, 1000, 10)
    expect(["a", "b", "c", "d"].map((key) => map.get(key, 10))).toEqual([0, undefined, 2, 3])
    map.set("e", 4, 1000, 11)
    expect(["a", "c", "d", "e"].map((key) => map.get(key, 11))).toEqual([undefined, 2, 3, 4])
  })

  it("never holds more than it may", () => {
    const write = fc.record({ key: fc.string({ maxLength: 3 }), until: fc.nat(5000), now: fc.nat(5000) })
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(write, { maxLength: 300 }), (capacity, writes) => {
        const map = new ExpiringMap<string>(capacity)
        for (const { key, until, now } of writes) {
          map.set(key, key, until, now)
          expect(map.size).toBeLessThanOrEqual(capacity)
          expect(map.get(key, now)).toBe(until > now ? key : undefined)
        }
      })
    )
  })
})
