import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import type { ActionSurface, Classification } from "../../src/domain/example/Classification.ts"
import type { Episode } from "../../src/domain/example/Episode.ts"
import { checked, type LlmAnswer } from "../../src/example/pipeline/LlmAnswer.ts"
import { shown } from "../../src/example/pipeline/LlmPrompt.ts"
import { joined, type ShownEpisode, type Window, Windows } from "../../src/example/pipeline/Windows.ts"

const episode = (n: number, change: Partial<Episode> = {}): Episode => ({
  from_seq: 10 * n,
  to_seq: 10 * n + 5,
  at: null,
  type: "change",
  target: { name: `Field ${n}` },
  value: `value ${n}`,
  key: null,
  url: null,
  requests: [],
  ...change
})

const cut = (budget: number, episodes: ReadonlyArray<ShownEpisode>): ReadonlyArray<Window> => {
  const windows = new Windows(budget)
  return [...episodes.map((one) => windows.push(one)), windows.end()].filter((window) => window !== undefined)
}

describe("windows", () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 100 }), { maxLength: 400 })
  const made = (tokens: ReadonlyArray<number>) =>
    tokens.map((tokens, at): ShownEpisode => ({ n: at + 1, from_seq: at, to_seq: at, text: "", tokens }))

  it("show every episode in order, keep to their budget, and each begins with what ended the one before", () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 100, max: 2000 }), (tokens, budget) => {
        const windows = cut(budget, made(tokens))
        const seen = new Set<number>()
        for (const [at, window] of windows.entries()) {
          const numbers = window.map(({ n }) => n)
          expect(numbers).toEqual(numbers.map((_, place) => (numbers[0] ?? 0) + place))
          expect(window.reduce((sum, one) => sum + one.tokens, 0)).toBeLessThanOrEqual(budget)
          expect(window.length).toBeLessThanOrEqual(120)
          // Something new in each, and nothing left out between two.
          expect(numbers.at(-1)).toBeGreaterThan(Math.max(0, ...seen))
          if (at > 0) expect(numbers[0]).toBeLessThanOrEqual(Math.max(...seen) + 1)
          for (const n of numbers) seen.add(n)
        }
        expect(seen.size).toBe(tokens.length)
      })
    )
  })

  it("overlap where there is room", () => {
    const [first, second] = cut(1000, made(Array.from({ length: 60 }, () => 30)))
    expect(second?.[0].n).toBeLessThan(first?.at(-1)?.n ?? 0)
  })

  it("show an episode that is larger than the budget alone", () => {
    expect(cut(10, made([5, 50, 5])).map((window) => window.map(({ n }) => n))).toEqual([[1], [2], [3]])
  })
})

const found = (from_seq: number, to_seq: number, change: Partial<Classification> = {}): Classification => ({
  action: "a",
  parameters: {},
  confidence: 0.5,
  evidence: { from_seq, to_seq },
  ...change
})

describe("what two windows show", () => {
  it("is one action, as the one that tells more has it", () => {
    const part = found(0, 5, { parameters: { x: 1 } })
    const whole = found(2, 9, { parameters: { x: 1, y: 2 } })
    expect(joined([part], [whole])).toEqual([whole])
    expect(joined([whole], [part])).toEqual([whole])
    expect(joined([part], [found(2, 9, { action: "b" }), found(6, 9)])).toHaveLength(3)
  })

  it("is one action for each that one of them tells apart", () => {
    const twice = [found(0, 1), found(2, 3)]
    expect(joined(twice, twice)).toEqual(twice)
    expect(joined([found(0, 3)], twice)).toHaveLength(2)
  })

  it("is in the order of its evidence, and nothing is lost or said twice", () => {
    const some = fc.array(
      fc
        .record({ at: fc.nat(50), size: fc.nat(5), action: fc.constantFrom("a", "b") })
        .map(({ at, size, action }) => found(at, at + size, { action }))
    )
    fc.assert(
      fc.property(some, some, (before, window) => {
        const all = joined(before, window)
        const starts = all.map(({ evidence }) => evidence.from_seq)
        expect(starts).toEqual([...starts].sort((a, b) => a - b))
        expect(all.length).toBeGreaterThanOrEqual(Math.max(before.length, window.length))
        expect(all.length).toBeLessThanOrEqual(before.length + window.length)
        expect(joined(all, all)).toHaveLength(all.length)
      })
    )
  })
})

const actions: ReadonlyArray<ActionSurface> = [
  {
    id: "1",
    name: "order",
    description: "",
    parameters: [
      { name: "count", type: "NUMBER", required: true, description: "" },
      { name: "gift", type: "BOOLEAN", required: false, description: "" },
      { name: "address", type: "OBJECT", required: false, description: "" },
      { name: "note", type: "STRING", required: false, description: "" }
    ]
  }
]
const window: Window = [
  shown(7, episode(7, { value: "12,500" })),
  shown(8, episode(8, { value: 'say "hello"' })),
  shown(9, episode(9, { type: "click" }))
]
const answer = (parameters: Readonly<Record<string, string>>, change: Partial<LlmAnswer["actions"][number]> = {}) =>
  checked(
    {
      intent: "  Order\n it ",
      actions: [
        {
          action: "order",
          parameters: Object.entries(parameters).map(([name, value]) => ({ name, value })),
          first: 7,
          last: 9,
          confidence: 1,
          ...change
        }
      ]
    },
    actions,
    window
  )

describe("a model's answer", () => {
  it("has its values as the types that the action declares, in the order of their declaration", () => {
    const { found, faults, intent } = answer({ gift: "yes", count: "12,500", address: '{"city":"Rome"}' })
    expect(found).toEqual([
      {
        action: "order",
        parameters: { count: 12500, gift: true, address: { city: "Rome" } },
        confidence: 1,
        evidence: { from_seq: 70, to_seq: 95 }
      }
    ])
    expect(Object.keys(found[0]?.parameters ?? {})).toEqual(["count", "gift", "address"])
    expect(faults).toEqual([])
    expect(intent).toBe("Order it")
  })

  it("is less certain where a value is of another type, is missing, or is not in the recording", () => {
    const certainty = (parameters: Readonly<Record<string, string>>) => answer(parameters).found[0]?.confidence
    expect(certainty({ count: "12500", note: 'say "hello"' })).toBe(1)
    expect(certainty({ count: "12500", note: "never said" })).toBe(0.8)
    expect(certainty({ count: "12500", gift: "perhaps" })).toBe(0.8)
    expect(certainty({})).toBe(0.7)
    expect(answer({ count: "12500", gift: "perhaps" }).faults).toEqual([])
    expect(answer({ count: "many" }).faults).toEqual(["order.count must be a number"])
    expect(answer({ count: "12500", colour: "red" }).faults).toEqual(['order has no parameter "colour"'])
  })

  it("has no value of what was redacted", () => {
    expect(answer({ count: "12500", note: "[redacted]" })).toMatchObject({
      found: [{ parameters: { count: 12500 }, confidence: 1 }],
      faults: []
    })
  })

  it("is dropped where it points at episodes that were not shown, or backwards", () => {
    for (const change of [{ first: 6 }, { last: 10 }, { first: 9, last: 7 }, { first: 7.5 }]) {
      const { found, faults } = answer({ count: "12500" }, change)
      expect(found).toEqual([])
      expect(faults).toHaveLength(1)
    }
  })

  it("stays between 0 and 1, whatever the model says", () => {
    expect(answer({ count: "12500" }, { confidence: 97 }).found[0]?.confidence).toBe(1)
    expect(answer({ count: "12500" }, { confidence: -3 }).found[0]?.confidence).toBe(0)
  })
})

describe("an episode as it is shown", () => {
  it("is one line of JSON of bounded size, whatever was recorded", () => {
    const text = fc.string({ unit: "binary", maxLength: 3000 })
    fc.assert(
      fc.property(text, text, (value, url) => {
        const requests = Array.from({ length: 20 }, () => ({ method: "POST", url, status: 200, body: value }))
        const line = shown(1, episode(1, { value, url, target: { name: value, text: value }, requests })).text
        expect(line).not.toContain("\n")
        expect(JSON.parse(line).n).toBe(1)
        expect(line.isWellFormed()).toBe(true)
        expect(line.length).toBeLessThan(40_000)
      })
    )
  })
})
