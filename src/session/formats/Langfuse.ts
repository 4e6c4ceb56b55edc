import type { Adapter } from "./Adapter.ts"
import { Messages } from "./Messages.ts"
import { documentNote, note, type Place, reading } from "./Reading.ts"
import { ReorderWindow } from "./ReorderWindow.ts"
import { Transcript } from "./Transcript.ts"
import { isMembers, type Members, parsed, textOf, timeOf } from "./Values.ts"

/** Observations come in no order. */
const window = { items: 1024, bytes: 32 * 1024 * 1024 }
/** Exports write JSON into strings, and those into strings again. */
const MAX_WRAPS = 3

const unwrapped = (value: unknown): unknown => {
  let inner = value
  for (let wraps = 0; wraps < MAX_WRAPS && typeof inner === "string"; wraps++) {
    const text = inner.trim()
    const next = text.startsWith('"') ? parsed(`[${text}]`) : parsed(text)
    if (next === undefined) break
    inner = Array.isArray(next) && text.startsWith('"') ? next[0] : next
  }
  return inner
}

/** The messages of a generation's input or output. */
const messagesOf = (value: unknown, role: "user" | "assistant"): ReadonlyArray<Members> => {
  const inner = unwrapped(value)
  if (typeof inner === "string") return inner === "" ? [] : [{ role, content: inner }]
  if (Array.isArray(inner)) return inner.filter(Messages.is)
  if (!isMembers(inner)) return []
  if (Array.isArray(inner.messages)) {
    const system = inner.system === undefined ? [] : [{ role: "system", content: inner.system }]
    return [...system, ...inner.messages.filter(Messages.is)]
  }
  const first: unknown = Array.isArray(inner.choices) ? inner.choices[0] : undefined
  if (isMembers(first) && Messages.is(first.message)) return [first.message]
  return Messages.is(inner) ? [inner] : []
}

const argumentsOf = (input: unknown): unknown => {
  const inner = unwrapped(input)
  return isMembers(inner) && Object.keys(inner).length === 1 && isMembers(inner.input) ? inner.input : (inner ?? {})
}

const resultOf = (output: unknown): unknown => {
  const inner = unwrapped(output)
  return isMembers(inner) && Array.isArray(inner.content) ? inner.content : inner
}

/** Langfuse's export of a trace with its observations. */
export const langfuse: Adapter = reading({ paths: ["observations[*]"] }, (emit) => {
  const about = documentNote(emit, "trace")
  const transcript = new Transcript(emit)
  const waiting = new ReorderWindow<{ readonly value: Members; readonly place: Place }>(window)

  const observation = (value: Members, { source }: Place) => {
    const at = timeOf(value.startTime)
    const here = { at, source }
    const trace = textOf(value.traceId) ?? ""
    const { input, output, ...rest } = value
    if (value.type === "TOOL") {
      const is_error = value.level === "ERROR"
      const name = textOf(value.name) ?? "unknown"
      transcript.tool(
        trace,
        { name, arguments: argumentsOf(input), call_id: null, result: resultOf(output), is_error },
        here
      )
      emit(note("TOOL", rest, source, at))
      return
    }
    const isGeneration = value.type === "GENERATION"
    const said = isGeneration ? [...messagesOf(input, "user"), ...messagesOf(output, "assistant")] : []
    transcript.say(trace, said, here)
    const unread = (part: unknown, role: "user" | "assistant", key: string) =>
      isGeneration && messagesOf(part, role).length > 0 ? {} : { [key]: unwrapped(part) }
    const data = { ...rest, ...unread(input, "user", "input"), ...unread(output, "assistant", "output") }
    emit(note(textOf(value.type) ?? "observation", data, source, at))
  }
  const flush = (ended: boolean) => {
    for (let next = waiting.pop(ended); next !== undefined; next = waiting.pop(ended))
      observation(next.value, next.place)
  }
  return {
    element: (_path, value, place, around) => {
      about.before(around[0], place)
      if (!isMembers(value)) {
        emit(note("observation", value, place.source))
        return
      }
      const at = timeOf(value.startTime)
      waiting.push(at === null ? null : Date.parse(at), place.bytes, { value, place })
      flush(false)
    },
    object: (_path, members, place) => {
      flush(true)
      about.after(members, place)
    },
    end: () => flush(true)
  }
})
