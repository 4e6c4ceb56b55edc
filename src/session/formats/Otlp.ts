import type { Adapter } from "./Adapter.ts"
import { messagesOf, otherAttributes, toolRunOf } from "./GenAiSpan.ts"
import { attributesOf } from "./OtlpValues.ts"
import { note, type Place, reading } from "./Reading.ts"
import { ReorderWindow } from "./ReorderWindow.ts"
import { Transcript } from "./Transcript.ts"
import { isMembers, type Members, shown, timeOfMs } from "./Values.ts"

/** Spans are sent when they end: a tool's before the agent's that called it. */
const window = { items: 1024, bytes: 32 * 1024 * 1024 }
const NANOS_IN_MS = 1_000_000n

/** Nanoseconds, as a string or a number, in milliseconds. */
const msOf = (nanos: unknown): number | null => {
  const text = typeof nanos === "number" && Number.isSafeInteger(nanos) ? String(nanos) : nanos
  if (typeof text !== "string" || !/^\d{1,20}$/.test(text)) return null
  const exact = BigInt(text)
  return Number(exact / NANOS_IN_MS) + Number(exact % NANOS_IN_MS) / 1e6
}

interface Waiting {
  readonly span: Members
  readonly place: Place
  readonly resource: Members
  readonly scope: unknown
}

/** OTLP/JSON spans, a document or one per line; those of GenAI are told as messages and tool calls too. */
export const otlp: Adapter = reading(
  { paths: ["resourceSpans[*].scopeSpans[*].spans[*]", "resourceSpans[*].instrumentationLibrarySpans[*].spans[*]"] },
  (emit) => {
    const transcript = new Transcript(emit)
    const waiting = new ReorderWindow<Waiting>(window)
    /** What was known around the last span, by level: the rest is told when the level ends. */
    let known: ReadonlyArray<ReadonlySet<string>> = []

    const tell = ({ span, place: { source }, resource, scope }: Waiting) => {
      const ms = msOf(span.startTimeUnixNano)
      const at = ms === null ? null : timeOfMs(ms)
      const attributes = attributesOf(span.attributes)
      // Hex ids are the same in either case.
      const trace = (shown(span.traceId) ?? "").toLowerCase()
      const here = { at, source }
      const messages = messagesOf(attributes, span.events)
      transcript.say(trace, messages, here)
      const run = toolRunOf(span, attributes)
      if (run !== undefined) transcript.tool(trace, run, here)
      const rest = { ...span, attributes: otherAttributes(attributes) }
      const around = {
        ...(Object.keys(resource).length > 0 ? { resource } : {}),
        ...(scope === undefined ? {} : { scope })
      }
      emit(note(shown(span.name) ?? "span", { ...rest, ...around }, source, at))
    }
    const flush = (ended: boolean) => {
      for (let next = waiting.pop(ended); next !== undefined; next = waiting.pop(ended)) tell(next)
    }
    return {
      element: (path, value, place, around) => {
        known = around.map((members) => new Set(Object.keys(members)))
        if (!isMembers(value) || !path.endsWith("spans[*]")) {
          emit(note("span", value, place.source))
          return
        }
        const owner = isMembers(around[1]?.resource) ? around[1].resource : {}
        const scope = around[2]?.scope ?? around[2]?.instrumentationLibrary
        const resource = attributesOf(owner.attributes)
        waiting.push(msOf(value.startTimeUnixNano), place.bytes, { span: value, place, resource, scope })
        flush(false)
      },
      object: (path, members, place, around) => {
        const level = known[around.length]
        const rest = Object.entries(members).filter(([key]) => level?.has(key) !== true)
        if (rest.length > 0) emit(note(path === "" ? "line" : "resource", Object.fromEntries(rest), place.source))
        known = known.slice(0, around.length)
      },
      end: () => flush(true)
    }
  }
)
