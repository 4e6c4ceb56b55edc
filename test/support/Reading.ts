import { Schema } from "effect"
import type { Format } from "../../src/domain/session/Session.ts"
import { type DraftEvent, TimelineEvent } from "../../src/domain/session/Timeline.ts"
import type { FileReader } from "../../src/session/formats/Adapter.ts"
import { adapterOf } from "../../src/session/formats/Adapters.ts"
import { type PlaywrightClocks, playwright } from "../../src/session/formats/Playwright.ts"
import { chunked } from "./Chunked.ts"

const isEvent = Schema.is(TimelineEvent)

/** A reader's events, and the message of its failure; every event is checked against the contract. */
export const readAll = (reader: FileReader, bytes: Uint8Array, lengths: ReadonlyArray<number> = [65_536]) => {
  const events: Array<DraftEvent> = []
  for (const chunk of chunked(bytes, lengths)) {
    events.push(...reader.write(chunk))
    chunk.fill(0x7b)
  }
  events.push(...reader.end())
  for (const event of events) {
    if (!isEvent({ seq: 0, ...event })) throw new Error(`not a timeline event: ${JSON.stringify(event)}`)
  }
  return { events, failure: reader.failure?.message }
}

export interface ReadOptions {
  readonly path?: string
  readonly lengths?: ReadonlyArray<number>
}

const openReader = (format: Format, path: string, json_lines: boolean, clocks: PlaywrightClocks = new Map()) =>
  (format === "playwright.trace" ? playwright(clocks) : adapterOf(format, path))({ path, json_lines })

/** The events of a file that is one JSON document. */
export const readDocument = (format: Format, content: string | Uint8Array, options: ReadOptions = {}) =>
  readAll(openReader(format, options.path ?? "file.json", false), Buffer.from(content), options.lengths)

/** The events of a file that is JSON Lines. */
export const readLines = (format: Format, content: string | Uint8Array, options: ReadOptions = {}) =>
  readAll(openReader(format, options.path ?? "file.jsonl", true), Buffer.from(content), options.lengths)

/** The events of values, as a document of the one, or as lines of all. */
export const eventsOf = (format: Format, value: unknown, path?: string) => {
  const { events, failure } = readDocument(format, JSON.stringify(value), path === undefined ? {} : { path })
  if (failure !== undefined) throw new Error(failure)
  return events
}

export const lineEvents = (format: Format, values: ReadonlyArray<unknown>, path?: string) => {
  const text = values.map((value) => JSON.stringify(value)).join("\n")
  const { events, failure } = readLines(format, text, path === undefined ? {} : { path })
  if (failure !== undefined) throw new Error(failure)
  return events
}

/** How many events there are of each kind. */
export const kinds = (events: ReadonlyArray<DraftEvent>): Readonly<Record<string, number>> => {
  const counts: Record<string, number> = {}
  for (const { kind } of events) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}
