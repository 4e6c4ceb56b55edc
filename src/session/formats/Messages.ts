import type { EventSource, MessageEvent, ToolCallEvent } from "../../domain/session/Timeline.ts"
import type { Emit } from "./Reading.ts"
import { extraOf, isMembers, type Members, others, parsed, shown, textOf, timeOf, withExtra } from "./Values.ts"

type Role = MessageEvent["role"]

/** Where a message stands: its conversation, its time where the message has none, its place in the recording. */
export interface MessagePlace {
  readonly conversation: number
  readonly at: string | null
  readonly source: EventSource
}

const roles: ReadonlyMap<unknown, Role> = new Map([
  ["system", "system"],
  ["developer", "system"],
  ["user", "user"],
  ["human", "user"],
  ["assistant", "assistant"],
  ["model", "assistant"],
  ["ai", "assistant"]
])

const messageKeys: ReadonlySet<string> = new Set([
  "role",
  "content",
  "parts",
  "tool_calls",
  "function_call",
  "tool_call_id",
  "timestamp",
  "created_at"
])

const callKeys: ReadonlySet<string> = new Set([
  "id",
  "call_id",
  "tool_call_id",
  "tool_use_id",
  "type",
  "name",
  "function_name",
  "function",
  "custom",
  "arguments",
  "args",
  "input"
])

const resultKeys: ReadonlySet<string> = new Set([
  "id",
  "type",
  "tool_use_id",
  "content",
  "is_error",
  "response",
  "result",
  "output"
])
const textKeys: ReadonlySet<string> = new Set(["type", "text", "content"])

const textBlocks: ReadonlySet<unknown> = new Set(["text", "input_text", "output_text", "refusal"])
const callBlocks = /^(?:tool_use|tool_call|.*_tool_use|function_call)$/
const resultBlocks = /^(?:tool_result|tool_call_response|.*_tool_result|function_call_output)$/

/** An object where the arguments are one, as text or not; else their text. */
export const argumentsOf = (value: unknown): ToolCallEvent["arguments"] => {
  if (isMembers(value)) return value
  if (typeof value !== "string") return shown(value) ?? {}
  const object = parsed(value)
  return isMembers(object) ? object : value
}

const blockText = (block: unknown): string | null => {
  if (typeof block === "string") return block
  if (!isMembers(block) || !(block.type === undefined || textBlocks.has(block.type))) return null
  return textOf(block.text) ?? textOf(block.content) ?? textOf(block.refusal)
}

/** Text of any content: a string, blocks of text joined by line ends, all else as JSON. */
export const contentText = (content: unknown): string => {
  if (!Array.isArray(content)) return shown(content) ?? ""
  const texts = content.map((block) => blockText(block) ?? JSON.stringify(block) ?? "")
  return texts.join("\n")
}

const isError = (members: Members): boolean => members.is_error === true || members.status === "error"

/** Makes events of chat messages, in OpenAI's way or Anthropic's, and of all that came of the two. */
export class Messages {
  readonly #emit: Emit
  #made = 0
  /** Calls of the function-call era have no id: their results name the function. */
  #unanswered = new Map<string, string>()
  /** What a message says besides: it goes with the first event that is made of it. */
  #beside: Members | undefined

  constructor(emit: Emit) {
    this.#emit = (event) => {
      const beside = this.#beside
      this.#beside = undefined
      emit(beside === undefined ? event : { ...event, extra: { ...beside, ...event.extra } })
    }
  }

  /** Whether {@link add} takes it for a message. */
  static is(value: unknown): value is Members {
    return isMembers(value) && (roles.has(value.role) || value.role === "tool" || value.role === "function")
  }

  /**
   * Only for what {@link is} a message.
   * @param around what is said of the message beside it
   */
  add(message: Members, place: MessagePlace, around?: Members): void {
    const at = timeOf(message.timestamp) ?? timeOf(message.created_at) ?? place.at
    const here = { ...place, at }
    const own = extraOf(message, messageKeys)
    this.#beside = own === undefined ? around : { ...around, ...own }
    const role = roles.get(message.role)
    if (role === undefined) this.#toolMessage(message, here)
    else this.#message(role, message, here)
    if (this.#beside !== undefined) this.#emit({ kind: "note", name: "message", data: null, ...here })
  }

  call(call: Members, { conversation, at, source }: MessagePlace): void {
    const inner = isMembers(call.function) ? call.function : isMembers(call.custom) ? call.custom : call
    const name = textOf(inner.name) ?? textOf(call.function_name) ?? "unknown"
    const call_id =
      textOf(call.call_id) ??
      textOf(call.tool_call_id) ??
      textOf(call.tool_use_id) ??
      textOf(call.id) ??
      this.#newId(name)
    this.#emit({
      kind: "tool_call",
      at,
      source,
      conversation,
      call_id,
      name,
      arguments: argumentsOf(inner.arguments ?? inner.args ?? inner.input ?? call.arguments),
      ...others(call, callKeys)
    })
  }

  result(call_id: string, content: unknown, is_error: boolean, place: MessagePlace, extra: Members | undefined): void {
    const { conversation, at, source } = place
    this.#emit({
      kind: "tool_result",
      at,
      source,
      conversation,
      call_id,
      content: contentText(content),
      is_error,
      ...withExtra(extra)
    })
  }

  #newId(name: string): string {
    const call_id = `call_${this.#made++}`
    // Only calls that wait for a result are kept, and not for ever.
    if (this.#unanswered.size >= 1000) this.#unanswered = new Map()
    this.#unanswered.set(name, call_id)
    return call_id
  }

  #toolMessage(message: Members, place: MessagePlace): void {
    const name = textOf(message.name) ?? ""
    const call_id = textOf(message.tool_call_id) ?? this.#unanswered.get(name) ?? `call_${this.#made++}`
    this.#unanswered.delete(name)
    this.result(call_id, message.content, isError(message), place, undefined)
  }

  #message(role: Role, message: Members, place: MessagePlace): void {
    const content = message.content ?? message.parts
    const calls = Array.isArray(message.tool_calls) ? message.tool_calls.filter(isMembers) : []
    const legacy = isMembers(message.function_call) ? [message.function_call] : []
    if (Array.isArray(content)) this.#blocks(role, content, place)
    else {
      const text = shown(content) ?? ""
      if (text !== "" || calls.length + legacy.length === 0) this.#say(role, text, place, undefined)
    }
    for (const call of [...calls, ...legacy]) this.call(call, place)
  }

  #say(role: Role, content: string, { conversation, at, source }: MessagePlace, extra: Members | undefined): void {
    this.#emit({ kind: "message", at, source, conversation, role, content, ...withExtra(extra) })
  }

  /** Blocks in their order: texts that follow each other are one message. */
  #blocks(role: Role, blocks: ReadonlyArray<unknown>, place: MessagePlace): void {
    let texts: Array<string> = []
    let extra: Members | undefined
    const flush = () => {
      if (texts.length > 0) this.#say(role, texts.join("\n"), place, extra)
      texts = []
      extra = undefined
    }
    for (const block of blocks) {
      const text = blockText(block)
      if (text === null) {
        flush()
        this.#block(block, place)
        continue
      }
      texts.push(text)
      const more = isMembers(block) ? extraOf(block, textKeys) : undefined
      if (more !== undefined) extra = { ...extra, ...more }
    }
    flush()
  }

  #block(block: unknown, place: MessagePlace): void {
    const type = isMembers(block) ? shown(block.type) : null
    if (!isMembers(block) || type === null) {
      this.#emit({ kind: "note", name: "block", data: block, ...place })
    } else if (callBlocks.test(type)) this.call(block, place)
    else if (resultBlocks.test(type)) {
      const call_id = textOf(block.tool_use_id) ?? textOf(block.id) ?? `call_${this.#made++}`
      const content = block.content ?? block.response ?? block.result ?? block.output
      this.result(call_id, content, isError(block), place, extraOf(block, resultKeys))
    } else this.#emit({ kind: "note", name: type, data: block, ...place })
  }
}
