import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { MAX_DEPTH } from "../../src/session/JsonBytes.ts"
import { JsonShape } from "../../src/session/JsonShape.ts"
import { jsonLikeBytes, lengths, writeChunked } from "../support/Chunked.ts"

const shapeOf = (text: string | Uint8Array, cuts?: ReadonlyArray<number>, prefix = true) => {
  const shape = new JsonShape({ prefix })
  writeChunked(shape, typeof text === "string" ? Buffer.from(text) : text, cuts)
  return shape.end()
}

const documents = fc.oneof(
  fc.jsonValue({ maxDepth: 6, noUnicodeString: false }),
  fc.array(fc.jsonValue({ maxDepth: 3 }), { maxLength: 50 }),
  fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 30 })
)
const spaces = fc.constantFrom(undefined, 1, "\t", "\r\n ")

/** Whether brackets and strings of a document that begins with a bracket balance, one character at a time. */
const balanced = (text: string): boolean => {
  const open: Array<string> = []
  let inString = false
  let ended = false
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (ended && !/\s/.test(char)) return false
    if (inString && char === "\\") at++
    else if (char === '"') inString = !inString
    else if (inString) continue
    else if (char === "[" || char === "{") open.push(char)
    else if (char === "]" || char === "}") {
      if (open.pop() !== (char === "]" ? "[" : "{")) return false
      ended = open.length === 0
    }
  }
  return ended && !inString
}

describe("JsonShape", () => {
  it("finds nothing wrong with any JSON, however written and cut", () => {
    fc.assert(
      fc.property(documents, spaces, lengths, (value, space, cuts) => {
        const text = `\ufeff ${JSON.stringify(value, null, space)}\n`
        const { kind, problem, prefixed } = shapeOf(text, cuts)
        const container = typeof value === "object" && value !== null
        expect({ problem, prefixed }).toEqual({ problem: undefined, prefixed: false })
        expect(kind).toBe(container ? (Array.isArray(value) ? "array" : "object") : "other")
      }),
      { numRuns: 1000 }
    )
  })

  it("finds that a document was cut off, wherever", () => {
    const containers = documents.filter((value) => typeof value === "object" && value !== null)
    fc.assert(
      fc.property(containers, spaces, fc.nat(), lengths, (value, space, cut, cuts) => {
        const bytes = Buffer.from(JSON.stringify(value, null, space))
        expect(shapeOf(bytes.subarray(0, cut % bytes.length), cuts).problem).toMatch(
          /^(is empty|ends in the middle of an? (object|array|string))$/
        )
      }),
      { numRuns: 1000 }
    )
  })

  it("judges any brackets and strings as a stack does", () => {
    const text = fc.array(fc.constantFrom("{", "}", "[", "]", '"', "\\", ",", ":", "a", " ", "é", "x".repeat(60)), {
      maxLength: 40
    })
    fc.assert(
      fc.property(fc.constantFrom("{", "["), text, lengths, (first, rest, cuts) => {
        const document = first + rest.join("")
        expect(shapeOf(document, cuts).problem === undefined).toBe(balanced(document))
      }),
      { numRuns: 3000 }
    )
  })

  it("sees in any bytes the same, however they are cut", () => {
    fc.assert(
      fc.property(jsonLikeBytes, lengths, fc.boolean(), (bytes, cuts, prefix) => {
        expect(shapeOf(bytes, cuts, prefix)).toEqual(shapeOf(bytes, [bytes.length + 1], prefix))
      }),
      { numRuns: 2000 }
    )
  })

  it("keeps the keys of the document, and what lies below the keys that matter", () => {
    const document = {
      "a\n\u20ac": { deep: [1] },
      messages: [{ role: "user", content: [{ type: "text", text: "x".repeat(1000), more: { not: "seen" } }] }, 7],
      __proto__x: [[]],
      last: true
    }
    expect(shapeOf(JSON.stringify(document, null, 2), [13]).sample).toEqual({
      "a\n\u20ac": {},
      messages: [{ role: "user", content: [{ type: "text", text: "x".repeat(256), more: {} }] }, null],
      __proto__x: [],
      last: null
    })
  })

  it("keeps a bounded part of an endless document, and its last keys", () => {
    const message = JSON.stringify({ role: "user", content: Array.from({ length: 100 }, () => ({ type: "text" })) })
    const { sample, problem } = shapeOf(`{"messages":[${`${message},`.repeat(5000)}{}],"last":1}`)
    expect(problem).toBeUndefined()
    expect(Object.keys(Object(sample))).toEqual(["messages", "last"])
    expect(JSON.stringify(sample).length).toBeLessThan(100_000)
    const keys = Array.from({ length: 10_000 }, (_, index) => [`${index}`.padStart(1000), 1])
    expect(Object.keys(Object(shapeOf(JSON.stringify(Object.fromEntries(keys))).sample)).length).toBeLessThanOrEqual(
      256
    )
  })

  it("takes a key named __proto__ for a key", () => {
    const { sample } = shapeOf('{"__proto__":{"log":1},"log":{"__proto__":"x"}}')
    expect(Object.keys(Object(sample))).toEqual(["__proto__", "log"])
    expect(Object.getPrototypeOf({}).log).toBeUndefined()
  })

  it("looks past text before the document, and not at what follows it then", () => {
    expect(shapeOf('onInputData({"log":{"entries":[]}});')).toEqual({
      kind: "object",
      prefixed: true,
      problem: undefined,
      sample: { log: { entries: [] } }
    })
    expect(shapeOf('onInputData({"log":', [3])).toMatchObject({
      prefixed: true,
      problem: "ends in the middle of an object"
    })
    expect(shapeOf(`${"x".repeat(5000)}{}`, [100]).problem).toBe("is not JSON")
    expect(shapeOf("x {}", [1], false).problem).toBe("is not JSON")
  })

  it.each([
    ["", "empty", "is empty"],
    [" \r\n", "empty", "is empty"],
    ["hello", "other", "is not JSON"],
    ['"{"', "other", undefined],
    ["-1.5e3", "other", undefined],
    ['{"a":1} {', "object", "has more text after its end, at byte 8"],
    ['{"a":[1}', "object", "has a } that closes nothing, at byte 7"],
    ['{"b":{"a":[1}', "object", "has a } that closes nothing, at byte 12"],
    ["[1]]", "array", "has more text after its end, at byte 3"]
  ])("says of %j that it is of kind %s and %s", (text, kind, problem) => {
    expect(shapeOf(text)).toMatchObject({ kind, problem })
    expect(shapeOf(text, [1])).toMatchObject({ kind, problem })
  })

  it("refuses a million levels, in its sampled part and below", () => {
    const deep = `is nested deeper than ${MAX_DEPTH} levels`
    expect(shapeOf("[".repeat(1_000_000)).problem).toBe(deep)
    expect(shapeOf('{"a":'.repeat(1_000_000)).problem).toBe(deep)
    expect(shapeOf("[".repeat(MAX_DEPTH) + "]".repeat(MAX_DEPTH)).problem).toBeUndefined()
  })
})
