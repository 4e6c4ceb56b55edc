import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import { type Backoff, wait } from "../../src/platform/limits/Backoff.ts"
import { admit, ofMinute, type Rate, standing } from "../../src/platform/limits/Gcra.ts"

const rate: fc.Arbitrary<Rate> = fc
  .record({ per_minute: fc.integer({ min: 1, max: 600_000 }), burst: fc.integer({ min: 1, max: 500 }) })
  .map(({ per_minute, burst }) => ofMinute(per_minute, burst))
const start = fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 })
const pauses = fc.array(fc.double({ min: 0, max: 30_000, noNaN: true }), { maxLength: 300 })

/** Who asks at these moments; when each was admitted. */
const admittedAt = (one: Rate, moments: ReadonlyArray<number>) => {
  let tat = 0
  return moments.filter((now) => {
    const next = admit(tat, now, one)
    if (next !== undefined) tat = next
    return next !== undefined
  })
}

const momentsOf = (began: number, gaps: ReadonlyArray<number>) => {
  let now = began
  return gaps.map((gap) => {
    now += gap
    return now
  })
}

describe("the rate of a limit", () => {
  it("admits in no span of time more than its burst and one each interval", () => {
    fc.assert(
      fc.property(rate, start, pauses, (one, began, gaps) => {
        const admitted = admittedAt(one, momentsOf(began, gaps))
        for (let from = 0; from < admitted.length; from++) {
          for (let to = from; to < admitted.length; to++) {
            const span = admitted[to]! - admitted[from]!
            expect(to - from + 1).toBeLessThanOrEqual(one.burst + span / one.interval_ms + 0.01)
          }
        }
      }),
      { numRuns: 60 }
    )
  })

  it("is what was asked for, to half a hundredth", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 600_000 }), (per_minute) => {
        expect(Math.abs(60_000 / per_minute / ofMinute(per_minute, 1).interval_ms - 1)).toBeLessThan(0.005)
      })
    )
  })

  it("refuses nobody who keeps to it", () => {
    fc.assert(
      fc.property(rate, start, fc.integer({ min: 1, max: 300 }), (one, began, count) => {
        const moments = Array.from({ length: count }, (_, index) => began + index * one.interval_ms)
        expect(admittedAt(one, moments).length).toBe(count)
        expect(
          admittedAt(
            one,
            Array.from({ length: one.burst }, () => began)
          ).length
        ).toBe(one.burst)
      })
    )
  })

  it("admits as many at once as it says remain, and not one more", () => {
    fc.assert(
      fc.property(rate, start, pauses, (one, began, gaps) => {
        const moments = momentsOf(began, gaps)
        const now = moments.at(-1) ?? began
        let tat = 0
        for (const moment of moments) tat = admit(tat, moment, one) ?? tat
        const { remaining } = standing(tat, now, one)
        for (let turn = 0; turn < remaining; turn++) tat = admit(tat, now, one) ?? Number.NaN
        expect(tat).not.toBeNaN()
        expect(admit(tat, now, one)).toBeUndefined()
      })
    )
  })

  it("admits after the wait that it names, and is whole again when it says so", () => {
    fc.assert(
      fc.property(rate, start, fc.integer({ min: 0, max: 600 }), (one, now, count) => {
        let tat = 0
        for (let turn = 0; turn < count; turn++) tat = admit(tat, now, one) ?? tat
        const { retry_ms, reset_ms, remaining } = standing(tat, now, one)
        expect(retry_ms === 0).toBe(remaining > 0)
        expect(admit(tat, now + retry_ms, one)).toBeDefined()
        if (retry_ms > 0) expect(admit(tat, now + retry_ms - one.interval_ms / 2, one)).toBeUndefined()
        expect(standing(tat, now + reset_ms, one).remaining).toBe(one.burst)
      })
    )
  })
})

describe("the wait after failures", () => {
  const schedule: fc.Arbitrary<Backoff> = fc.record({
    after: fc.integer({ min: 1, max: 20 }),
    first_ms: fc.integer({ min: 1, max: 5000 }),
    longest_ms: fc.integer({ min: 5000, max: 900_000 }),
    window_ms: fc.constant(1)
  })

  it("is none at first, doubles each time, and has an end", () => {
    fc.assert(
      fc.property(schedule, fc.integer({ min: 1, max: 1_000_000 }), (one, failures) => {
        const now = wait(failures, one)
        expect(now === 0).toBe(failures < one.after)
        expect(now).toBeLessThanOrEqual(one.longest_ms)
        if (failures === one.after) expect(now).toBe(one.first_ms)
        if (now > 0) expect(wait(failures + 1, one)).toBe(Math.min(one.longest_ms, 2 * now))
      })
    )
  })
})
