import fc from "fast-check"
import { expect, it } from "vitest"
import { difference, isEmpty } from "../../src/capability/Difference.ts"

const lists = fc.uniqueArray(fc.record({ name: fc.constantFrom("a", "b", "c", "d", "e"), value: fc.nat(2) }), {
  selector: ({ name }) => name
})
const same = (before: { readonly value: number }, after: { readonly value: number }) => before.value === after.value
const byName = (items: ReadonlyArray<{ readonly name: string }>) =>
  items.toSorted((a, b) => a.name.localeCompare(b.name))

it("applied to the first list, gives the second", () => {
  fc.assert(
    fc.property(lists, lists, (existing, wanted) => {
      const { added, changed, removed } = difference(existing, wanted, same)
      const kept = existing
        .filter((one) => !removed.includes(one))
        .map((one) => changed.find(({ before }) => before === one)?.after ?? one)
      expect(byName([...kept, ...added])).toEqual(byName(wanted))
    })
  )
})

it("is empty exactly for equal lists, in any order", () => {
  fc.assert(
    fc.property(lists, lists, (existing, wanted) => {
      expect(isEmpty(difference(existing, existing.toReversed(), same))).toBe(true)
      const equal = JSON.stringify(byName(existing)) === JSON.stringify(byName(wanted))
      expect(isEmpty(difference(existing, wanted, same))).toBe(equal)
    })
  )
})
