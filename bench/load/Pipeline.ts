// One pass over a recording in memory: `bun bench/load/Pipeline.ts <options as JSON>` prints its MB/s.
import { readdirSync, readFileSync } from "node:fs"
import { Chunk, Effect, Option, Stream } from "effect"
import type { TimelineEvent } from "../../src/domain/session/Timeline.ts"
import { lexical } from "../../src/example/pipeline/Lexical.ts"
import { recognise } from "../../src/example/Recognise.ts"
import { browserInput, browserNetwork } from "../../src/session/formats/Browser.ts"
import { Redactor } from "../../src/session/Redaction.ts"
import { TimelineMerge } from "../../src/session/TimelineMerge.ts"
import { type AppName, apps } from "../accuracy/Apps.ts"
import { surfaceOf } from "../accuracy/Surfaces.ts"

export interface PipelineOptions {
  readonly mode: "pipeline" | "parse"
  /** How often the labelled recordings are repeated. */
  readonly times: number
  readonly rounds: number
}

export interface PipelineResult {
  readonly megabytes_per_second: number
  readonly events: number
  readonly steps: number
}

const { mode, times, rounds }: PipelineOptions = JSON.parse(process.argv[2] ?? "{}")

const recordings = new URL("../accuracy/recordings/", import.meta.url)
const CHUNK = 64 * 1024

const text = (file: string) => {
  const once = readdirSync(recordings)
    .toSorted()
    .map((name) => readFileSync(new URL(`${name}/${file}`, recordings)))
  return Buffer.concat(Array.from({ length: times }, () => once).flat())
}

const files = [
  { path: "input_events.jsonl", open: browserInput, bytes: text("input_events.jsonl") },
  { path: "network_traffic.jsonl", open: browserNetwork, bytes: text("network_traffic.jsonl") }
]
const actions = Object.keys(apps).flatMap((app) =>
  surfaceOf(app as AppName).suite.actions.map((action) => ({ ...action, id: action.name }))
)

/** As the service does it: chunks of the files become events, merged, without secrets, numbered. */
function* timeline(): Generator<ReadonlyArray<TimelineEvent>> {
  const redactor = new Redactor([])
  const sources = files.map(({ path, open, bytes }) => ({ reader: open({ path, json_lines: true }), bytes, at: 0 }))
  const merge = new TimelineMerge(sources.length)
  let seq = 0
  for (;;) {
    for (let wanted = merge.wanted; wanted !== undefined; wanted = merge.wanted) {
      const source = sources[wanted]
      if (source === undefined || source.at > source.bytes.length) {
        merge.give(wanted, undefined)
        continue
      }
      const chunk = source.bytes.subarray(source.at, source.at + CHUNK)
      merge.give(wanted, chunk.length > 0 ? source.reader.write(chunk) : source.reader.end())
      source.at += chunk.length > 0 ? chunk.length : 1
    }
    const events = merge.take(256)
    if (events.length === 0) return
    yield events.map((event) => ({ seq: seq++, ...redactor.event(event) }))
  }
}

const pipeline = async () => {
  let events = 0
  const chunks = timeline()
  const counted = Stream.repeatEffectChunkOption(
    Effect.suspend(() => {
      const { done, value } = chunks.next()
      if (done === true) return Effect.fail(Option.none())
      events += value.length
      return Effect.succeed(Chunk.unsafeFromArray([...value]))
    })
  )
  const { steps } = await Effect.runPromise(recognise(lexical, actions, counted))
  return { events, steps: steps.length }
}

/** The floor: every line parsed, and nothing done with it. */
const parse = async () => {
  let events = 0
  for (const { bytes } of files) {
    for (const line of bytes.toString("utf8").split("\n")) {
      if (line === "") continue
      JSON.parse(line)
      events += 1
    }
  }
  return { events, steps: 0 }
}

const run = mode === "pipeline" ? pipeline : parse
const megabytes = files.reduce((sum, { bytes }) => sum + bytes.length, 0) / 1e6
let last = await run()
await run()
const started = performance.now()
for (let round = 0; round < rounds; round++) last = await run()
const seconds = (performance.now() - started) / 1000
const answer: PipelineResult = { megabytes_per_second: (megabytes * rounds) / seconds, ...last }
console.log(JSON.stringify(answer))
