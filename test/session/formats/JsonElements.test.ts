import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { pathTree } from "../../../src/session/formats/ElementPaths.ts"
import { JsonElements } from "../../../src/session/formats/JsonElements.ts"
import { walkElements } from "../../../src/session/formats/WalkElements.ts"
import { lengths, writeChunked } from "../../support/Chunked.ts"
import { readLines } from "../../support/Reading.ts"

type Found = ReadonlyArray<readonly [path: string, value: unknown]>

const collector = () => {
  const found: Array<readonly [string, unknown]> = []
  return {
    found,
    handler: {
      element: (path: string, value: unknown) => void found.push([path, value]),
      object: (path: string, members: unknown) => void found.push([`end ${path}`, members])
    }
  }
}

const scan = (
  paths: ReadonlyArray<string>,
  text: string | Uint8Array,
  cuts?: ReadonlyArray<number>,
  max_element_bytes = 1000
) => {
  const { found, handler } = collector()
  const elements = new JsonElements(pathTree(paths), handler, { max_element_bytes })
  writeChunked(elements, Buffer.from(text), cuts)
  elements.end()
  return { found: found as Found, reason: elements.problem?.reason }
}

describe("JsonElements", () => {
  it("finds the elements at its paths, and the members around them", () => {
    const text = '\ufeff{"v":1,"log":{"x":[1,{"y":2}],"entries":[{"a":"]"},2,[3],"\\"}"],"z":null},"w":{"entries":[1]}}'
    expect(scan(["log.entries[*]"], text)).toEqual({
      found: [
        ["log.entries[*]", { a: "]" }],
        ["log.entries[*]", 2],
        ["log.entries[*]", [3]],
        ["log.entries[*]", '"}'],
        ["end log", { x: [1, { y: 2 }], z: null }],
        ["end ", { v: 1, w: { entries: [1] } }]
      ],
      reason: undefined
    })
  })

  it("goes into elements for deeper paths, and takes what is of another shape whole", () => {
    expect(scan(["[*].traj[*]"], '[{"id":1,"traj":[1,2]},3,{"traj":"none"},{"traj":[]}]').found).toEqual([
      ["[*].traj[*]", 1],
      ["[*].traj[*]", 2],
      ["end [*]", { id: 1 }],
      ["[*]", 3],
      ["end [*]", { traj: "none" }],
      ["end [*]", {}]
    ])
    expect(scan(["a[*]"], "[1,2]").found).toEqual([["", [1, 2]]])
    expect(scan(["a[*]"], " 7 ").found).toEqual([["", 7]])
  })

  it.each([
    ["", "is empty"],
    ['{"a":[1,', "ends in the middle of the document"],
    ['{"a":"x', "ends in the middle of the document"],
    ["{} {}", "has more text after its end"],
    ["[1,]", /^not JSON/],
    ["[1 2]", /^not JSON/],
    ['{"a" 1}', /^not JSON/],
    ["{a:1}", /^not JSON/],
    ["[}", /^not JSON/],
    ['{"a":[1}', /^not JSON/],
    [`["${"x".repeat(1000)}"]`, "holds a value of more than 1000 bytes"],
    [`{"a":"${"x".repeat(600)}","b":"${"x".repeat(600)}"}`, "holds an object of more than 1000 bytes"]
  ])("says why it cannot read %j", (text, reason) => {
    expect(scan(["[*]", "c[*]"], text).reason).toMatch(reason)
  })

  it("refuses values that are nested deeper than can be worked with", () => {
    const deep = `[${"[".repeat(20_000)}${"]".repeat(20_000)}]`
    expect(scan(["[*]"], deep, undefined, 1_000_000).reason).toBe(
      "holds a value that is nested deeper than 10000 levels"
    )
  })

  it("finds in the bytes, in any chunking, what a walk through the parsed document finds", () => {
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { withCrossShrink: true },
        fc.jsonValue({ maxDepth: 1 }),
        tie("object"),
        fc.array(tie("value"), { maxLength: 3 })
      ),
      object: fc.dictionary(fc.constantFrom("a", "b", 'c\\"', "é"), tie("value"), { maxKeys: 4 })
    }))
    const paths = fc.uniqueArray(fc.constantFrom("[*]", "a[*]", "a.b[*]", "[*].a[*]", "a[*].b[*]", "[*].a[*].b[*]"), {
      minLength: 1
    })
    const sorted = (found: Found) => found.map((each) => JSON.stringify(each)).toSorted()
    fc.assert(
      fc.property(tree.value, paths, lengths, fc.constantFrom(undefined, 1), (document, list, cuts, space) => {
        const { found, handler } = collector()
        walkElements(pathTree(list), document, handler, 0)
        const scanned = scan(list, JSON.stringify(document, null, space), cuts, 1_000_000)
        expect(scanned.reason).toBeUndefined()
        // The walk tells an object's elements before its other members; only their order may differ.
        expect(sorted(scanned.found)).toEqual(sorted(found))
      }),
      { numRuns: 1000 }
    )
  })

  it("holds no more of a document than an element", () => {
    const { handler, found } = collector()
    const elements = new JsonElements(pathTree(["log.entries[*]"]), { ...handler, element: () => {} })
    const entry = Buffer.from(`{"body":"${"x".repeat(1_000_000)}"},`)
    const held = () => {
      Bun.gc(true)
      return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
    }
    elements.write(Buffer.from('{"log":{"entries":['))
    const before = held()
    for (let count = 0; count < 200; count++) elements.write(entry)
    elements.write(Buffer.from('{"body":"half'))
    expect(held() - before).toBeLessThan(16 * 1024 * 1024)
    elements.write(Buffer.from('"}]}}'))
    elements.end()
    expect(elements.problem).toBeUndefined()
    expect(found).toEqual([
      ["end log", {}],
      ["end ", {}]
    ])
  })
})

describe("JsonLineReader", () => {
  it.each([
    ['{"a":1}\n{"b":', "file.jsonl:2: not JSON"],
    ['1\n\n"\u0000"\n', "file.jsonl:3: not JSON"],
    [Buffer.from([0x31, 0x0a, 0x22, 0xff, 0x22]), "file.jsonl:2: the line is not UTF-8"]
  ])("ends at the first bad line, after the events before it", (bytes, message) => {
    const { events, failure } = readLines("claude-code", bytes)
    expect(events).toHaveLength(1)
    expect(failure).toContain(message)
  })

  it("refuses a line of 33 MiB without holding more of it", () => {
    const { failure } = readLines(
      "claude-code",
      Buffer.concat([Buffer.from("{}\n"), Buffer.alloc(33 * 1024 * 1024, 0x20), Buffer.from("1")]),
      { lengths: [1 << 20] }
    )
    expect(failure).toBe("file.jsonl:2: the line is longer than 33554432 bytes")
  })
})
