import { Messages } from "./Messages.ts"
import { attributesOf, flattened, listOf } from "./OtlpValues.ts"
import type { ToolRun } from "./Transcript.ts"
import { isMembers, type Members, parsed, shown, textOf } from "./Values.ts"

const listIn = (value: unknown): ReadonlyArray<unknown> => {
  const list = typeof value === "string" ? parsed(value) : value
  return Array.isArray(list) ? list : isMembers(list) ? [list] : []
}

/** A message of the GenAI conventions: a tool's answers are parts of it. */
const withParts = (message: unknown): ReadonlyArray<Members> => {
  if (!isMembers(message) || !Messages.is(message)) return []
  return [message.role === "tool" && Array.isArray(message.parts) ? { ...message, role: "user" } : message]
}

const instructions = (value: unknown): ReadonlyArray<Members> => {
  if (value === undefined || value === null) return []
  const parts = listIn(value)
  return [{ role: "system", content: parts.length > 0 ? parts : value }]
}

/** OpenInference's `message`, its lists unflattened. */
const openInference = (element: Members): ReadonlyArray<Members> => {
  const message = isMembers(element.message) ? element.message : {}
  const blocks = listOf(message.contents).map(({ message_content: block }) => block)
  const calls = listOf(message.tool_calls).map(({ tool_call: call }) => call)
  const made = {
    role: message.role,
    content: message.content ?? (blocks.length > 0 ? blocks : null),
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(message.tool_call_id === undefined ? {} : { tool_call_id: message.tool_call_id }),
    ...(message.name === undefined ? {} : { name: message.name })
  }
  return Messages.is(made) ? [made] : []
}

/** Traceloop's `gen_ai.prompt.0.role`. */
const traceloop = (element: Members, role: string): ReadonlyArray<Members> => {
  const calls = listOf(element.tool_calls)
  const made = {
    role: element.role ?? role,
    content: element.content ?? null,
    ...(calls.length > 0 ? { tool_calls: calls } : {}),
    ...(element.tool_call_id === undefined ? {} : { tool_call_id: element.tool_call_id })
  }
  return Messages.is(made) ? [made] : []
}

/** Before the attributes, messages were a span's events. */
const eventMessages = (events: unknown): ReadonlyArray<Members> =>
  (Array.isArray(events) ? events : []).flatMap((event) => {
    if (!isMembers(event)) return []
    const attributes = attributesOf(event.attributes)
    const name = textOf(event.name) ?? ""
    if (name === "gen_ai.client.inference.operation.details") return attributeMessages(attributes)
    if (name === "gen_ai.content.prompt") return listIn(attributes["gen_ai.prompt"]).flatMap(withParts)
    if (name === "gen_ai.content.completion") return listIn(attributes["gen_ai.completion"]).flatMap(withParts)
    const role = /^gen_ai\.(system|user|assistant|tool)\.message$/.exec(name)?.[1]
    const body = isMembers(parsed(textOf(attributes["gen_ai.event.content"]) ?? ""))
      ? parsed(String(attributes["gen_ai.event.content"]))
      : attributes
    if (!isMembers(body)) return []
    if (role !== undefined) {
      const { id, tool_calls, content } = body
      const calls = listIn(tool_calls).filter(isMembers)
      const call = calls.length > 0 ? { tool_calls: calls } : {}
      return [
        {
          role,
          content: content ?? null,
          ...call,
          ...(role === "tool" && id !== undefined ? { tool_call_id: id } : {})
        }
      ]
    }
    if (name !== "gen_ai.choice") return []
    return listIn(body.message).flatMap((message) => (isMembers(message) ? [{ role: "assistant", ...message }] : []))
  })

const attributeMessages = (attributes: Members): ReadonlyArray<Members> => [
  ...instructions(attributes["gen_ai.system_instructions"]),
  ...listIn(attributes["gen_ai.input.messages"]).flatMap(withParts),
  ...listIn(attributes["gen_ai.output.messages"]).flatMap(withParts),
  ...flattened(attributes, "llm.input_messages.").flatMap(openInference),
  ...flattened(attributes, "llm.output_messages.").flatMap(openInference),
  ...flattened(attributes, "gen_ai.prompt.").flatMap((element) => traceloop(element, "user")),
  ...flattened(attributes, "gen_ai.completion.").flatMap((element) => traceloop(element, "assistant"))
]

/** The messages that a span tells of, from its attributes and its events. */
export const messagesOf = (attributes: Members, events: unknown): ReadonlyArray<Members> => [
  ...attributeMessages(attributes),
  ...eventMessages(events)
]

/** The run of a tool that the span is; undefined for all other spans. */
export const toolRunOf = (span: Members, attributes: Members): ToolRun | undefined => {
  const isTool =
    attributes["gen_ai.operation.name"] === "execute_tool" ||
    attributes["gen_ai.tool.name"] !== undefined ||
    attributes["openinference.span.kind"] === "TOOL"
  if (!isTool) return undefined
  const given =
    attributes["gen_ai.tool.call.arguments"] ?? attributes["input.value"] ?? attributes["tool.parameters"] ?? {}
  const status = isMembers(span.status) ? span.status : {}
  return {
    name: shown(attributes["gen_ai.tool.name"]) ?? shown(attributes["tool.name"]) ?? shown(span.name) ?? "unknown",
    arguments: typeof given === "string" ? (parsed(given) ?? given) : given,
    call_id: shown(attributes["gen_ai.tool.call.id"]) ?? shown(attributes["tool_call.id"]),
    result: attributes["gen_ai.tool.call.result"] ?? attributes["output.value"],
    is_error: status.code === 2 || status.code === "STATUS_CODE_ERROR"
  }
}

const told =
  /^(gen_ai\.(input|output)\.messages|gen_ai\.system_instructions|gen_ai\.tool\.call\.(arguments|result)|(gen_ai\.(prompt|completion)|llm\.(input|output)_messages)\.\d+\..*)$/

/** The attributes that are not told as messages. */
export const otherAttributes = (attributes: Members): Members =>
  Object.fromEntries(Object.entries(attributes).filter(([key]) => !told.test(key)))
