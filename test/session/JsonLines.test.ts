import { isUtf8 } from "node:buffer"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { JsonLines, type JsonLinesOptions, SAMPLE_LINES } from "../../src/session/JsonLines.ts"
import { jsonLikeBytes, lengths, writeChunked } from "../support/Chunked.ts"

const check = (text: string | Uint8Array, options?: JsonLinesOptions, cuts?: ReadonlyArray<number>) => {
  const lines = new JsonLines(options)
  writeChunked(lines, typeof text === "string" ? Buffer.from(text) : text, cuts)
  return lines.end()
}

/** The same rules, written down the slow way. */
const expected = (bytes: Buffer, maxLineBytes: number) => {
  let line_count = 0
  const bad: Array<number> = []
  bytes
    .toString("latin1")
    .split("\n")
    .forEach((raw, index) => {
      const line = Buffer.from(raw, "latin1")
      const text = index === 0 ? line.toString("utf8").replace(/^\ufeff/, "") : line.toString("utf8")
      const long = line.length > maxLineBytes
      if (!long && isUtf8(line) && /^[ \t\r]*$/.test(text)) return
      line_count++
      try {
        JSON.parse(text)
        if (long || !isUtf8(line)) bad.push(index + 1)
      } catch {
        bad.push(index + 1)
      }
    })
  return { line_count, lines: bad.slice(0, 10), error_count: bad.length }
}

describe("JsonLines", () => {
  it("counts lines, with either line end, blank lines and none at the end", () => {
    expect(check('{"a":1}\n\n[2]\r\n \t\r\nnull')).toEqual({ line_count: 3, errors: [], error_count: 0 })
    expect(check("")).toEqual({ line_count: 0, errors: [], error_count: 0 })
  })

  it("passes over a byte order mark, at the start only", () => {
    expect(check("\ufeff{}\n{}").error_count).toBe(0)
    expect(check("{}\n\ufeff{}").errors.map(({ line }) => line)).toEqual([2])
  })

  it("names the first ten bad lines and counts the others", () => {
    const result = check(Array.from({ length: 40 }, (_, index) => (index % 2 === 0 ? "{}" : "{")).join("\n"))
    expect(result.errors.map(({ line }) => line)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20])
    expect(result).toMatchObject({ line_count: 40, error_count: 20 })
  })

  it.each([
    ["a NUL byte", Buffer.from('{}\n{"a":"\0"}\n'), "the line holds a NUL byte"],
    ["bytes that are no UTF-8", Buffer.from([0x22, 0xff, 0x22, 0x0a]), "the line is not UTF-8"],
    ["a surrogate as bytes", Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), "the line is not UTF-8"],
    ["two values", Buffer.from("{} {}"), /^not JSON: /],
    ["half a value", Buffer.from('{"a":"b'), /^not JSON: /],
    ["a very long word", Buffer.from("x".repeat(100_000)), /^not JSON: .{1,120}$/]
  ])("refuses a line with %s", (_, bytes, message) => {
    const [error] = check(bytes).errors
    expect(error?.message).toMatch(message)
  })

  it("lets escaped lone surrogates through", () => {
    expect(check('{"a":"\\ud800"}\n').error_count).toBe(0)
  })

  it("says what a line lacks", () => {
    const require = (value: unknown) => (value === 1 ? "one is missing" : undefined)
    expect(check("0\n1\n2\n", { require }).errors).toEqual([{ line: 2, message: "one is missing" }])
  })

  it("shows the first lines once, parsed", () => {
    const seen: Array<unknown> = []
    check(`bad\n${Array.from({ length: 100 }, (_, index) => index).join("\n")}`, {
      sample: (value) => void seen.push(value)
    })
    expect(seen).toEqual(Array.from({ length: SAMPLE_LINES }, (_, index) => index))
  })

  it("drops a line of 100 MB without holding it, and goes on with the next", () => {
    const lines = new JsonLines()
    const part = Buffer.alloc(1024 * 1024, 0x20)
    const held = () => {
      Bun.gc(true)
      return process.memoryUsage().arrayBuffers
    }
    const before = held()
    lines.write(Buffer.from("{}\n"))
    for (let count = 0; count < 100; count++) lines.write(part)
    expect(held() - before).toBeLessThan(4 * 1024 * 1024)
    lines.write(Buffer.from("\n{}\nx"))
    expect(lines.end()).toMatchObject({
      line_count: 4,
      errors: [{ line: 2, message: "line 2 is longer than 33554432 bytes" }, { line: 4 }]
    })
  })

  it("refuses lines that are nested deeper or wider than can be worked with", () => {
    const deep = (depth: number) => "[".repeat(depth) + "]".repeat(depth)
    expect(check(deep(10_000)).errors).toEqual([])
    expect(check(`${deep(1_000_000)}\n${"[".repeat(1_000_000)}\n{}`).errors).toEqual([
      { line: 1, message: "the line is nested deeper than 10000 levels" },
      { line: 2, message: "the line is nested deeper than 10000 levels" }
    ])
    expect(check(`[${"[],".repeat(1_000_000)}0]`).errors).toEqual([
      { line: 1, message: "the line holds more than 1000000 objects and arrays" }
    ])
  })

  it("finds in any bytes, in any chunking, what a reader of whole lines finds", () => {
    fc.assert(
      fc.property(jsonLikeBytes, lengths, fc.constantFrom(8, 60, 1_000_000), (bytes, cuts, max_line_bytes) => {
        const whole = check(bytes, { max_line_bytes }, [bytes.length + 1])
        expect(check(bytes, { max_line_bytes }, cuts)).toEqual(whole)
        const { errors, ...counts } = whole
        expect({ ...counts, lines: errors.map(({ line }) => line) }).toEqual(expected(bytes, max_line_bytes))
      }),
      { numRuns: 3000 }
    )
  })

  it("reads lines on both sides of its block size alike", () => {
    const line = (length: number) => JSON.stringify("é".repeat(length))
    const text = [60_000, 65_534, 65_535, 65_536, 70_000, 10, 131_072, 200_000].map(line).join("\n")
    for (const cuts of [[text.length * 2], [65_536], [131_072], [7_919]]) {
      expect(check(text, {}, cuts)).toEqual({ line_count: 8, errors: [], error_count: 0 })
    }
  })
})
