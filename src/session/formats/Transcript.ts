import type { DraftEvent } from "../../domain/session/Timeline.ts"
import { type MessagePlace, Messages } from "./Messages.ts"
import type { Emit } from "./Reading.ts"
import type { Members } from "./Values.ts"

/** Of more conversations at once the first begin anew. */
const MAX_CONVERSATIONS = 1000

interface Conversation {
  readonly index: number
  /** How often each message was told. */
  readonly told: Map<number | bigint, number>
  readonly calls: Set<string>
  readonly results: Set<string>
  /** Calls whose result has not come, by name and arguments. */
  readonly open: Map<string, Array<string>>
}

type Here = Omit<MessagePlace, "conversation">

export interface ToolRun {
  readonly name: string
  readonly arguments: unknown
  readonly call_id: string | null
  readonly result: unknown
  readonly is_error: boolean
  readonly extra?: Members | undefined
}

const openKey = (name: string, given: unknown) => `${name} ${typeof given === "string" ? given : JSON.stringify(given)}`

/**
 * Tells conversations that are observed from outside: each request to a model repeats what was said before,
 * and a tool's call stands in the model's answer and in the tool's own span.
 */
export class Transcript {
  readonly #emit: Emit
  readonly #messages: Messages
  readonly #conversations = new Map<string, Conversation>()
  #count = 0
  #made = 0
  #current: Conversation | undefined

  constructor(emit: Emit) {
    this.#emit = emit
    this.#messages = new Messages((event) => this.#once(event))
  }

  /** Messages of one request and its answer, in their order: those that the conversation does not have yet. */
  say(conversation: string, messages: ReadonlyArray<Members>, here: Here): void {
    const current = this.#of(conversation)
    const counts = new Map<number | bigint, number>()
    for (const message of messages) {
      const hash = Bun.hash(JSON.stringify([message.role, message.content ?? message.parts, message.tool_calls]))
      const count = (counts.get(hash) ?? 0) + 1
      counts.set(hash, count)
      if (count <= (current.told.get(hash) ?? 0)) continue
      current.told.set(hash, count)
      this.#messages.add(message, { ...here, conversation: current.index })
    }
  }

  /** A tool's run; its call may have been told by the model's answer. */
  tool(conversation: string, run: ToolRun, here: Here): void {
    const current = this.#of(conversation)
    const place = { ...here, conversation: current.index }
    const waiting = run.call_id === null ? current.open.get(openKey(run.name, run.arguments))?.shift() : undefined
    const call_id = run.call_id ?? waiting ?? `run_${this.#made++}`
    this.#messages.call({ ...run.extra, call_id, name: run.name, arguments: run.arguments }, place)
    if (run.result !== undefined && run.result !== null) {
      this.#messages.result(call_id, run.result, run.is_error, place, undefined)
    }
  }

  #of(name: string): Conversation {
    const known = this.#conversations.get(name)
    if (known !== undefined) {
      this.#current = known
      return known
    }
    const [oldest] = this.#conversations.keys()
    if (oldest !== undefined && this.#conversations.size >= MAX_CONVERSATIONS) this.#conversations.delete(oldest)
    const made = {
      index: this.#count++,
      told: new Map(),
      calls: new Set<string>(),
      results: new Set<string>(),
      open: new Map()
    }
    this.#conversations.set(name, made)
    this.#current = made
    return made
  }

  #once(event: DraftEvent): void {
    const current = this.#current
    if (current !== undefined && event.kind === "tool_call") {
      if (current.calls.has(event.call_id)) return
      current.calls.add(event.call_id)
      const key = openKey(event.name, event.arguments)
      current.open.set(key, [...(current.open.get(key) ?? []), event.call_id])
    }
    if (current !== undefined && event.kind === "tool_result") {
      if (current.results.has(event.call_id)) return
      current.results.add(event.call_id)
    }
    this.#emit(event)
  }
}
