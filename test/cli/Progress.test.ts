import { expect, it } from "@effect/vitest"
import fc from "fast-check"
import { bar, size } from "../../src/cli/upload/Progress.ts"

const GIB = 1024 ** 3

it("shows bar, percent, bytes, rate and time left", () => {
  expect(bar({ sent: GIB, total: 4 * GIB, elapsed_ms: 10_000, columns: 100 })).toBe(
    "[########----------------------]  25 %  1.0 GiB of 4.0 GiB  102.4 MiB/s  30 s left"
  )
})

it("says whom it waits for once all is sent", () => {
  expect(bar({ sent: 10, total: 10, elapsed_ms: 1000, columns: 100 })).toContain("waiting for the service")
})

it("never is longer than the terminal's line", () => {
  const moment = fc.record({
    total: fc.nat({ max: 2 ** 40 }),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    elapsed_ms: fc.nat(),
    columns: fc.integer({ min: 1, max: 300 })
  })
  fc.assert(
    fc.property(moment, ({ part, ...rest }) => {
      const line = bar({ ...rest, sent: Math.floor(rest.total * part) })
      expect(line.length).toBeLessThan(rest.columns)
    })
  )
})

it("names sizes by the largest unit that fits", () => {
  expect([0, 1023, 1024, 1.5 * 1024 ** 2, 3 * 1024 ** 4].map(size)).toEqual([
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 MiB",
    "3.0 TiB"
  ])
})
