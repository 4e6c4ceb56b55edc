import type { Adapter } from "./Adapter.ts"
import { type MessagePlace, Messages } from "./Messages.ts"
import { note, recordReading } from "./Reading.ts"
import { extraOf, isMembers, type Members, parsed, textOf, timeOf } from "./Values.ts"

/** Calls whose second telling is recognised. */
const MAX_CALLS = 100_000

const callTypes: ReadonlySet<unknown> = new Set([
  "function_call",
  "custom_tool_call",
  "local_shell_call",
  "exec_command_begin",
  "mcp_tool_call_begin",
  "patch_apply_begin"
])
const resultTypes: ReadonlySet<unknown> = new Set([
  "function_call_output",
  "custom_tool_call_output",
  "local_shell_call_output",
  "exec_command_end",
  "mcp_tool_call_end",
  "patch_apply_end"
])
const resultKeys: ReadonlySet<string> = new Set(["type", "call_id", "output", "id"])

const outputOf = (result: Members): unknown => {
  const output = result.output ?? result.aggregated_output ?? result.formatted_output ?? result.result ?? result.stdout
  return isMembers(output) && "content" in output ? output.content : output
}

/** Exit codes stand in the event, or in the output's own JSON. */
const failed = (result: Members): boolean => {
  const output = result.output
  const inner = typeof output === "string" ? parsed(output) : output
  const metadata = isMembers(inner) && isMembers(inner.metadata) ? inner.metadata : {}
  const code = result.exit_code ?? metadata.exit_code
  return (
    (typeof code === "number" && code !== 0) ||
    result.success === false ||
    (isMembers(inner) && inner.success === false)
  )
}

const nameOf = (call: Members): string => {
  const invocation = isMembers(call.invocation) ? call.invocation : {}
  return textOf(call.name) ?? textOf(invocation.tool) ?? String(call.type).replace(/_(begin|call)$/, "")
}

const asCall = (call: Members): Members => {
  const { type: _type, id, call_id, name: _name, arguments: given, input, action, command, invocation, ...rest } = call
  const inner = isMembers(invocation) ? invocation.arguments : undefined
  return {
    ...rest,
    call_id: call_id ?? id,
    name: nameOf(call),
    arguments: given ?? input ?? action ?? inner ?? { command }
  }
}

/** Codex's rollouts: items of the conversation, and events of the interface that tell much of it again. */
export const codex: Adapter = recordReading((emit) => {
  const messages = new Messages(emit)
  const calls = new Set<string>()
  const results = new Set<string>()
  /** Whether it is told for the first time. */
  const isNew = (seen: Set<string>, call_id: unknown): boolean => {
    if (typeof call_id !== "string") return true
    if (seen.has(call_id)) return false
    if (seen.size < MAX_CALLS) seen.add(call_id)
    return true
  }
  const item = (payload: Members, place: MessagePlace): boolean => {
    if (payload.type === "message" && Messages.is(payload)) {
      const { type: _type, ...message } = payload
      messages.add(message, place)
      return true
    }
    if (callTypes.has(payload.type) && isNew(calls, payload.call_id ?? payload.id)) {
      messages.call(asCall(payload), place)
      return true
    }
    if (resultTypes.has(payload.type) && typeof payload.call_id === "string" && isNew(results, payload.call_id)) {
      messages.result(payload.call_id, outputOf(payload), failed(payload), place, extraOf(payload, resultKeys))
      return true
    }
    return false
  }
  return {
    record: (value, { source }) => {
      if (!isMembers(value)) {
        emit(note("line", value, source))
        return
      }
      const at = timeOf(value.timestamp)
      // The first versions wrote the items themselves.
      const payload = isMembers(value.payload) ? value.payload : value
      if (item(payload, { conversation: 0, at, source })) return
      const type = textOf(value.type) ?? "line"
      const inner = payload === value ? null : textOf(payload.type)
      emit(note(inner === null ? type : `${type}.${inner}`, payload === value ? value : payload, source, at))
    }
  }
})
