import type { DraftEvent, EventTarget } from "../../domain/session/Timeline.ts"
import { baseName } from "../BundlePath.ts"
import type { Adapter } from "./Adapter.ts"
import { headersOf } from "./Headers.ts"
import { note, recordReading } from "./Reading.ts"
import { extraOf, isMembers, type Members, numberOf, shown, textOf, timeOf, timeOfMs } from "./Values.ts"

const inputKeys: ReadonlySet<string> = new Set(["timestamp", "type", "target", "value", "key", "url", "x", "y"])
const targetKeys: ReadonlySet<string> = new Set([
  "selector",
  "role",
  "name",
  "text",
  "tag",
  "type",
  "input_type",
  "inputType"
])
const networkKeys: ReadonlySet<string> = new Set([
  "timestamp",
  "method",
  "url",
  "status",
  "request_headers",
  "request_body",
  "response_headers",
  "response_body",
  "duration_ms"
])

/** A timestamp that is none is kept beside the event. */
const unread = (at: string | null, timestamp: unknown) =>
  at === null && timestamp !== undefined && timestamp !== null ? { timestamp } : {}

const targetOf = (value: unknown): { readonly target: EventTarget | null; readonly extra: Members } => {
  if (typeof value === "string") return { target: { selector: value }, extra: {} }
  if (!isMembers(value)) return { target: null, extra: value === undefined || value === null ? {} : { target: value } }
  const target: Record<string, string> = {}
  for (const key of ["selector", "role", "name", "text", "tag"]) {
    const text = shown(value[key])
    if (text !== null) target[key] = text
  }
  const input_type = textOf(value.input_type ?? value.inputType ?? value.type)
  if (input_type !== null) target["input_type"] = input_type
  const rest = extraOf(value, targetKeys)
  return { target, extra: rest === undefined ? {} : { target: rest } }
}

const together = (...parts: ReadonlyArray<Members | undefined>): { readonly extra?: Members } => {
  const extra: Members = Object.assign({}, ...parts)
  return Object.keys(extra).length > 0 ? { extra } : {}
}

/** `input_events.jsonl` of tracepipe.browser/v1. */
export const browserInput: Adapter = recordReading((emit) => ({
  record: (value, { source }) => {
    if (!isMembers(value)) {
      emit(note("line", value, source))
      return
    }
    const at = timeOf(value.timestamp)
    const { target, extra } = targetOf(value.target)
    const rest = together(extraOf(value, inputKeys), extra, unread(at, value.timestamp))
    const { key, url, x, y } = value
    const coordinates = { x: numberOf(x), y: numberOf(y) }
    const type = shown(value.type) ?? "unknown"
    emit({
      kind: "input",
      at,
      source,
      type,
      target,
      value: shown(value.value),
      key: shown(key),
      url: shown(url),
      ...coordinates,
      ...rest
    })
  }
}))

/** `network_traffic.jsonl` of tracepipe.browser/v1. */
export const browserNetwork: Adapter = recordReading((emit) => ({
  record: (value, { source }) => {
    if (!isMembers(value)) {
      emit(note("line", value, source))
      return
    }
    const at = timeOf(value.timestamp)
    emit({
      kind: "network",
      at,
      source,
      method: shown(value.method) ?? "GET",
      url: shown(value.url) ?? "",
      status: Number.isSafeInteger(value.status) ? numberOf(value.status) : null,
      request_headers: headersOf(value.request_headers),
      request_body: shown(value.request_body),
      response_headers: headersOf(value.response_headers),
      response_body: shown(value.response_body),
      duration_ms: numberOf(value.duration_ms),
      ...together(extraOf(value, networkKeys), unread(at, value.timestamp))
    })
  }
}))

/** Milliseconds (13 digits), seconds (10) or ISO 8601 with any separators, as recorders name their images. */
const timeOfName = (name: string): string | null => {
  const iso = /(\d{4}-\d\d-\d\d)[T_ ](\d\d)[-:.](\d\d)[-:.](\d\d)(?:[-:.,](\d{1,3}))?/.exec(name)
  if (iso !== null) return timeOf(`${iso[1]}T${iso[2]}:${iso[3]}:${iso[4]}.${iso[5] ?? "0"}Z`)
  const digits = /(?<!\d)(1\d{9})(\d{3})?(?!\d)/.exec(name)
  return digits === null ? null : timeOfMs(Number(digits[1]) * 1000 + Number(digits[2] ?? 0))
}

/** A file of `screenshots/`; its time is what its name tells. */
export const screenshotOf = (path: string): DraftEvent => ({
  kind: "screenshot",
  at: timeOfName(baseName(path)),
  path,
  source: { file: path, line: null }
})
