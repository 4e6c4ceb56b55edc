import { expect, it } from "vitest"
import { Normaliser } from "../../../src/example/pipeline/Normalise.ts"
import { browserInput, browserNetwork } from "../../../src/session/formats/Browser.ts"
import { Redactor } from "../../../src/session/Redaction.ts"
import { TimelineMerge } from "../../../src/session/TimelineMerge.ts"

const PER_FILE = 22_500
const LINES_AT_ONCE = 100

const time = (index: number) => 1_700_000_000_000 + index * 100

const inputLine = (index: number) => ({
  timestamp: time(index),
  type: index % 3 === 0 ? "click" : "input",
  target: { selector: `#field-${Math.floor(index / 9)}`, name: `Field ${Math.floor(index / 9)}` },
  value: index % 3 === 0 ? null : `value ${index}`
})

const networkLine = (index: number) => ({
  timestamp: time(index) + 50,
  method: "POST",
  url: `https://shop.example/api/${index}`,
  status: 200,
  request_headers: { cookie: "sid=planted-secret" },
  response_body: JSON.stringify({ token: "planted-secret", rows: "x".repeat(2000) })
})

const chunksOf = function* (line: (index: number) => unknown) {
  for (let from = 0; from < PER_FILE; from += LINES_AT_ONCE) {
    const lines = Array.from({ length: LINES_AT_ONCE }, (_, index) => `${JSON.stringify(line(from + index))}\n`)
    yield Buffer.from(lines.join(""))
  }
}

const heapUsed = () => {
  Bun.gc(true)
  return process.memoryUsage().heapUsed
}

it("a recording of 45,000 events goes through, in order and without secrets, holding a chunk of each file", () => {
  const files = [
    { reader: browserInput({ path: "input_events.jsonl", json_lines: true }), chunks: chunksOf(inputLine) },
    { reader: browserNetwork({ path: "network_traffic.jsonl", json_lines: true }), chunks: chunksOf(networkLine) }
  ]
  const merge = new TimelineMerge(files.length)
  const redactor = new Redactor()
  const normaliser = new Normaliser()
  let seq = 0
  let episodes = 0
  let last = ""
  let most = 0
  const before = heapUsed()
  for (;;) {
    for (let file = merge.wanted; file !== undefined; file = merge.wanted) {
      const next = files[file]?.chunks.next()
      merge.give(file, next?.done === false ? files[file]?.reader.write(next.value) : undefined)
    }
    const drafts = merge.take(256)
    if (drafts.length === 0) break
    for (const draft of drafts) {
      const event = { seq: seq++, ...redactor.event(draft) }
      expect((event.at ?? "") >= last).toBe(true)
      last = event.at ?? ""
      if (seq % 1000 === 0) expect(JSON.stringify(event)).not.toContain("planted-secret")
      episodes += normaliser.add(event).length
    }
    if (seq % 9000 < 256) most = Math.max(most, heapUsed() - before)
  }
  episodes += normaliser.end().length
  expect(seq).toBe(2 * PER_FILE)
  expect(redactor.counts).toEqual({ header: PER_FILE, secret: PER_FILE })
  expect(episodes).toBeGreaterThan(PER_FILE / 9)
  // The recording itself is about 50 MB.
  expect(most).toBeLessThan(24 * 1024 * 1024)
})
