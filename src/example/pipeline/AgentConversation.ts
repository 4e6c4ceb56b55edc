import type { Message, ToolCall } from "../../domain/example/Message.ts"
import type { MessageEvent, ToolCallEvent, ToolResultEvent } from "../../domain/session/Timeline.ts"
import { parsed } from "./Coerce.ts"
import { callId, type Setting, systemLine } from "./Synthesise.ts"

export type ConversationEvent = MessageEvent | ToolCallEvent | ToolResultEvent

export interface AgentSynthesis {
  readonly messages: ReadonlyArray<Message>
  /** Calls of tools that the map has. */
  readonly matched: number
  /** Calls in the recording. */
  readonly calls: number
  /** Names that were called and are no tool of the map. */
  readonly unknown: ReadonlyArray<string>
}

const folded = (name: string) => name.toLowerCase().replaceAll(/[^a-z0-9]/g, "")

/** Finds the map's tool of a name that was called: the same, but for case and signs, or behind an MCP client's prefix. */
const matcher = (names: ReadonlyArray<string>): ((called: string) => string | undefined) => {
  const exact = new Set(names)
  const loose = new Map(names.map((name) => [folded(name), name]))
  return (called) => {
    if (exact.has(called)) return called
    const bare = called.replace(/^mcp__.+?__/, "").replace(/^.*[./:]/, "")
    return loose.get(folded(called)) ?? (exact.has(bare) ? bare : loose.get(folded(bare)))
  }
}

const argumentsOf = ({ arguments: given }: ToolCallEvent): string | undefined => {
  const value = typeof given === "string" ? (given.trim() === "" ? {} : parsed(given)) : given
  return typeof value === "object" && value !== null && !Array.isArray(value) ? JSON.stringify(value) : undefined
}

const together = (...texts: ReadonlyArray<string | null>) =>
  texts.filter((text) => text !== null && text.trim() !== "").join("\n\n")

/** Builds the messages; results were collected before, as they may come late or in another order. */
class Builder {
  readonly messages: Array<Message> = []
  readonly #results: ReadonlyMap<string, string>
  #text: string | null = null
  #calls: Array<{ readonly recorded: string; readonly call: ToolCall }> = []
  #count = 0

  constructor(results: ReadonlyMap<string, string>) {
    this.#results = results
  }

  say(content: string) {
    if (this.#calls.length > 0) this.flush()
    this.#text = together(this.#text, content)
  }

  call(recorded: string, name: string, given: string) {
    const call: ToolCall = { id: callId(this.#count++), type: "function", function: { name, arguments: given } }
    this.#calls.push({ recorded, call })
  }

  ask(content: string) {
    this.flush()
    if (content.trim() === "") return
    const last = this.messages.at(-1)
    if (last?.role === "user") this.messages.pop()
    this.messages.push({ role: "user", content: last?.role === "user" ? together(last.content, content) : content })
  }

  /** Ends the assistant's turn. */
  flush() {
    const content = this.#text === null || this.#text.trim() === "" ? null : this.#text
    const [first, ...rest] = this.#calls.map(({ call }) => call)
    const calls = this.#calls
    this.#text = null
    this.#calls = []
    if (first === undefined) {
      if (content !== null) this.messages.push({ role: "assistant", content })
      return
    }
    this.messages.push({ role: "assistant", content, tool_calls: [first, ...rest] })
    for (const { recorded, call } of calls) {
      this.messages.push({ role: "tool", tool_call_id: call.id, content: this.#results.get(recorded) ?? "" })
    }
  }
}

/** What comes after the assistant's last word is no part of an example. */
const trimmed = (messages: ReadonlyArray<Message>): ReadonlyArray<Message> => {
  const last = messages.findLastIndex(({ role }) => role === "assistant")
  return messages.slice(0, last + 1)
}

/** The results by call; one that was recorded in parts is put together. */
const resultsOf = (events: ReadonlyArray<ConversationEvent>): ReadonlyMap<string, string> => {
  const results = new Map<string, string>()
  for (const event of events) {
    if (event.kind !== "tool_result") continue
    const before = results.get(event.call_id)
    if (before !== event.content) results.set(event.call_id, together(before ?? null, event.content))
  }
  return results
}

/**
 * One recorded conversation as an example: its calls under the names of the map's tools, their
 * results beside them. Calls of other tools are left out with their results, and counted.
 */
export const agentConversation = (setting: Setting, events: ReadonlyArray<ConversationEvent>): AgentSynthesis => {
  const find = matcher(setting.tools.map((tool) => tool.function.name))
  const builder = new Builder(resultsOf(events))
  const unknown = new Set<string>()
  const system: Array<string> = []
  let calls = 0
  let matched = 0
  for (const event of events) {
    if (event.kind === "tool_call") {
      calls += 1
      const name = find(event.name)
      const given = argumentsOf(event)
      if (name === undefined || given === undefined) unknown.add(event.name)
      else {
        matched += 1
        builder.call(event.call_id, name, given)
      }
    } else if (event.kind === "tool_result") {
      // What the assistant says after a result is another turn.
      if (event.call_id !== "") builder.flush()
    } else if (event.role === "system") system.push(event.content)
    else if (event.role === "user") builder.ask(event.content)
    else builder.say(event.content)
  }
  builder.flush()
  const said = builder.messages[0]?.role === "user" ? [] : [intent(setting)]
  const messages: ReadonlyArray<Message> = [
    { role: "system", content: together(systemLine(setting), ...system) },
    ...trimmed([...said, ...builder.messages])
  ]
  return { messages, matched, calls, unknown: [...unknown] }
}

const intent = ({ description, suite }: Setting): Message => ({
  role: "user",
  content: description.trim() === "" ? `Use ${suite.name}.` : description.trim()
})
