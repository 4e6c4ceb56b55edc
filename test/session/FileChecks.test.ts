import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { openFileCheck } from "../../src/session/FileChecks.ts"
import { FormatSniffer } from "../../src/session/Format.ts"
import { jsonLikeBytes, lengths, writeChunked } from "../support/Chunked.ts"
import { describeShared, sharedBytes } from "../support/SharedData.ts"

const check = (path: string, content: string | Uint8Array, cuts?: ReadonlyArray<number>) => {
  const sniffer = new FormatSniffer()
  const file = openFileCheck(path, sniffer)
  writeChunked(file, typeof content === "string" ? Buffer.from(content) : content, cuts)
  return { ...file.end(), detection: sniffer.detect() }
}

const problems = (path: string, content: string | Uint8Array) => check(path, content).problems

describe("openFileCheck", () => {
  it("checks the lines of the browser's own files for what they need", () => {
    expect(check("run/input_events.jsonl", '{"timestamp":1,"type":"click"}\n\n{"timestamp":1}\n')).toMatchObject({
      line_count: 2,
      problems: [{ line: 3, message: "type is missing" }]
    })
    expect(problems("network_traffic.jsonl", '{"timestamp":1}')).toEqual([{ line: 1, message: "method is missing" }])
    expect(problems("other.jsonl", '{"timestamp":1}')).toEqual([])
  })

  it("names ten bad lines and how many more there are", () => {
    const found = problems("a.jsonl", "x\n".repeat(12))
    expect(found.length).toBe(11)
    expect(found.at(-1)).toEqual({ message: "2 more lines are bad" })
  })

  it.each([
    ["a.json", '{"a":[1,', "ends in the middle of an array"],
    ["a.har", '{"log":{"entries":[{"x":"', "ends in the middle of a string"],
    ["a.traj", "", "is empty"],
    ["a.json", "<html>", "is not JSON"],
    ["a.json", 'callback({"a":1})', "has text before its JSON"],
    ["a.json", '{"a":1}x', "has more text after its end, at byte 7"]
  ])("refuses %s that holds %j", (path, content, message) => {
    expect(problems(path, content)).toEqual([{ message }])
  })

  it("counts and checks the lines of JSON Lines that are called .json", () => {
    expect(check("a.json", '{"a":1}\n{"a":2}\n{"a"\n')).toMatchObject({
      line_count: 3,
      problems: [{ line: 3, message: expect.stringMatching(/^not JSON/) }]
    })
    expect(check("a.json", '{"a":1}\n')).not.toHaveProperty("line_count")
  })

  it("makes no demands on a file whose name promises nothing, unless it is a recording", () => {
    for (const path of ["a.txt", "a", "a.bin", "0-trace.trace"]) {
      expect(problems(path, '{"a":')).toEqual([])
      expect(problems(path, "[info] started\n[info] ended")).toEqual([])
      expect(problems(path, '{"a":1}\n{"b"')).toEqual([])
      expect(problems(path, '{"log":{"entries":[')).toEqual([{ message: "ends in the middle of an array" }])
      expect(problems(path, '{"role":"user"}\n{"role"')).toMatchObject([{ line: 2 }])
    }
  })

  it("makes no demands on bodies that a recorder keeps by their hash", () => {
    expect(problems("resources/da39a3ee5e6b4b0d3255bfef95601890afd80709.json", ")]}'\n{")).toEqual([])
  })

  it("wants a PNG's signature", () => {
    const png = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0])
    expect(check("a.PNG", png, [3]).problems).toEqual([])
    for (const content of ["", "GIF89a", png.subarray(0, 7), png.subarray(1)]) {
      expect(problems("a.png", content)).toEqual([{ message: "not a PNG file" }])
    }
  })

  it("holds no more than the beginning of a document of one line", () => {
    const file = openFileCheck("a.json", new FormatSniffer())
    const part = Buffer.from(`${"1,".repeat(500_000)}`)
    file.write(Buffer.from("["))
    const held = () => {
      Bun.gc(true)
      return process.memoryUsage().arrayBuffers
    }
    const before = held()
    for (let count = 0; count < 50; count++) file.write(part)
    expect(held() - before).toBeLessThan(4 * 1024 * 1024)
    file.write(Buffer.from("1]"))
    expect(file.end()).toEqual({ problems: [] })
  })

  it("takes a file whose first line is longer than 1 MiB for one document, however it is cut", () => {
    const long = JSON.stringify(["x".repeat(1024 * 1024)])
    for (const cuts of [[10_000], [10_000_000]]) {
      expect(check("a.json", `${long}\n`, cuts).problems).toEqual([])
      expect(check("a.json", `${long}\n{}\n`, cuts).problems).toEqual([
        { message: "has more text after its end, at byte 1048581" }
      ])
    }
  })

  it("sees in any bytes, under any name, the same however they are cut", () => {
    const names = fc.constantFrom(
      "a.json",
      "a.jsonl",
      "input_events.jsonl",
      "a",
      "a.txt",
      "a.traj",
      "a.har",
      "a.png",
      "a.zip"
    )
    fc.assert(
      fc.property(names, jsonLikeBytes, lengths, (name, bytes, cuts) => {
        expect(check(name, bytes, cuts)).toEqual(check(name, bytes, [bytes.length + 1]))
      }),
      { numRuns: 3000 }
    )
  })
})

describeShared("a whole zip of a Playwright trace", () => {
  it("is found by its entries, however it is cut", () => {
    const zip = sharedBytes("playwright-trace-1.37.zip")
    for (const cuts of [[1], [7], [1000], [100_000]]) {
      expect(check("trace.zip", zip, cuts).detection).toEqual({ format: "playwright.trace" })
    }
  })
})
