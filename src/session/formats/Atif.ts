import type { Adapter } from "./Adapter.ts"
import { contentText, Messages } from "./Messages.ts"
import { documentNote, note, type Place, reading } from "./Reading.ts"
import { extraOf, isMembers, type Members, textOf, timeOf, withExtra } from "./Values.ts"

const stepKeys: ReadonlySet<string> = new Set(["timestamp", "source", "message", "tool_calls", "observation"])
const callKeys: ReadonlySet<string> = new Set(["tool_call_id", "function_name", "arguments"])
const resultKeys: ReadonlySet<string> = new Set(["source_call_id", "content"])

const roleOf = (source: unknown) => (source === "user" || source === "system" ? source : "assistant")

/** Harbor's Agent Trajectory Interchange Format: a document, or one per line. */
export const atif: Adapter = reading({ paths: ["steps[*]"] }, (emit) => {
  const about = documentNote(emit, "trajectory")
  const messages = new Messages(emit)
  let conversation = 0
  const step = (value: Members, { source }: Place) => {
    const at = timeOf(value.timestamp)
    const here = { conversation, at, source }
    const calls = Array.isArray(value.tool_calls) ? value.tool_calls.filter(isMembers) : []
    const observed = isMembers(value.observation) ? value.observation.results : undefined
    const results = Array.isArray(observed) ? observed.filter(isMembers) : []
    const content = contentText(value.message)
    const extra = extraOf(value, stepKeys)
    if (content !== "" || calls.length === 0) {
      emit({ kind: "message", ...here, role: roleOf(value.source), content, ...withExtra(extra) })
    } else if (extra !== undefined) emit({ ...note("step", extra, source, at), conversation })
    for (const call of calls) {
      const { tool_call_id, function_name, arguments: given } = call
      messages.call({ ...extraOf(call, callKeys), call_id: tool_call_id, name: function_name, arguments: given }, here)
    }
    results.forEach((result, index) => {
      const call_id = textOf(result.source_call_id) ?? textOf(calls[index]?.tool_call_id)
      if (call_id === null) emit({ ...note("observation", result, source, at), conversation })
      else messages.result(call_id, result.content, false, here, extraOf(result, resultKeys))
    })
    if (isMembers(value.observation) && observed === undefined) {
      emit({ ...note("observation", value.observation, source, at), conversation })
    }
  }
  return {
    element: (path, value, place, around) => {
      about.before(around[0], place)
      if (path === "steps[*]" && isMembers(value)) step(value, place)
      else emit(note("line", value, place.source))
    },
    object: (_path, members, place) => {
      about.after(members, place)
      conversation++
    }
  }
})
