import type { Message } from "../../domain/example/Message.ts"

/** More of a conversation is not searched. */
const maxText = 50_000
const maxTitle = 200

/** What an example is found by. */
export interface Showing {
  /** What was wanted, on one line. */
  readonly title: string
  readonly actions: ReadonlyArray<string>
  readonly action_ids: ReadonlyArray<string>
  readonly tools: ReadonlyArray<string>
  readonly tool_ids: ReadonlyArray<string>
  /** What people and the assistant say, and what tools are called with; what tools answer is left out. */
  readonly text: string
}

interface MappedPair {
  readonly action: string
  readonly action_id: string
  readonly tool: string
  readonly tool_id: string
}

/** Cut, and as the database can hold it. */
const storable = (text: string, max: number) => text.slice(0, max).replaceAll("\u0000", " ").toWellFormed()

const lineOf = (text: string) => text.replaceAll(/\s+/g, " ").trim()

const said = (message: Message): ReadonlyArray<string> => {
  if (message.role === "user") return [message.content]
  if (message.role !== "assistant") return []
  return [message.content ?? "", ...(message.tool_calls ?? []).map((call) => call.function.arguments)]
}

/**
 * What a conversation shows of a map. Which of several actions was meant that have one tool is known
 * where `actions` says so; else all of them are.
 */
export const showing = (
  messages: ReadonlyArray<Message>,
  mappings: ReadonlyArray<MappedPair>,
  actions?: ReadonlyArray<string>
): Showing => {
  const calls = messages.flatMap((message) => (message.role === "assistant" ? (message.tool_calls ?? []) : []))
  const called = new Set(calls.map((call) => call.function.name))
  const meant = new Set(actions ?? mappings.flatMap(({ action, tool }) => (called.has(tool) ? [action] : [])))
  const shown = mappings.filter(({ action, tool }) => called.has(tool) && meant.has(action))
  const wanted = messages.find(({ role }) => role === "user")?.content ?? ""
  return {
    title: storable(lineOf(wanted), maxTitle),
    actions: [...meant],
    action_ids: [...new Set(shown.map(({ action_id }) => action_id))],
    tools: [...called],
    tool_ids: [...new Set(shown.map(({ tool_id }) => tool_id))],
    text: storable(messages.flatMap(said).join("\n"), maxText)
  }
}
