import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import {
  PUBLISHED_FOR,
  rotated,
  SIGNING_KEY_AGE,
  type StoredKey,
  signingIndex
} from "../../src/identity/KeyRotation.ts"

const seeds = () => {
  let next = 0
  return () => `seed ${next++}`
}

describe("signing keys", () => {
  it("begin with one, which signs at once", () => {
    const keys = rotated([], 0, seeds())
    expect(keys).toEqual([{ seed: "seed 0", created_at: 0 }])
    expect(signingIndex(keys ?? [], 0)).toBe(0)
    expect(rotated(keys ?? [], SIGNING_KEY_AGE - 1, seeds())).toBeUndefined()
  })

  it("get a second one in time, which is published before it signs", () => {
    const first: StoredKey = { seed: "first", created_at: 0 }
    const keys = rotated([first], SIGNING_KEY_AGE, seeds()) ?? []
    expect(keys).toEqual([first, { seed: "seed 0", created_at: SIGNING_KEY_AGE }])
    expect(signingIndex(keys, SIGNING_KEY_AGE + PUBLISHED_FOR - 1)).toBe(0)
    expect(signingIndex(keys, SIGNING_KEY_AGE + PUBLISHED_FOR)).toBe(1)
  })

  it("are never more than two, and the one that goes has not signed for as long as a key signs", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2 * SIGNING_KEY_AGE }), { maxLength: 30 }), (steps) => {
        const make = seeds()
        let keys: ReadonlyArray<StoredKey> = []
        let now = 0
        const signedUntil = new Map<string, number>()
        for (const step of steps) {
          now += step
          const before = keys
          keys = rotated(keys, now, make) ?? keys
          expect(keys.length).toBeLessThanOrEqual(2)
          const signing = keys[signingIndex(keys, now)]
          expect(signing).toBeDefined()
          for (const gone of before.filter((key) => !keys.includes(key))) {
            const last = signedUntil.get(gone.seed) ?? Number.NEGATIVE_INFINITY
            expect(now - last).toBeGreaterThanOrEqual(SIGNING_KEY_AGE - PUBLISHED_FOR)
          }
          signedUntil.set(signing?.seed ?? "", now)
        }
      })
    )
  })
})
