import { Either, ParseResult, Schema } from "effect"
import { Message } from "../../domain/example/Message.ts"
import { parsed } from "./Coerce.ts"

/** What is wrong with a conversation, and in which line (from 1; 0: the whole of it). */
export interface Fault {
  readonly line: number
  readonly message: string
}

const decode = Schema.decodeUnknownEither(Message, { onExcessProperty: "error" })

const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value)

type Calls = NonNullable<Extract<Message, { readonly role: "assistant" }>["tool_calls"]>

/** Follows a conversation line by line. */
class Conversation {
  readonly faults: Array<Fault> = []
  readonly #tools: ReadonlySet<string> | undefined
  readonly #ids = new Set<string>()
  #open = new Set<string>()
  #asked = false
  #line = 0
  #last: Message["role"] | undefined

  constructor(tools: ReadonlySet<string> | undefined) {
    this.#tools = tools
  }

  #fault(message: string) {
    if (this.faults.length < 20) this.faults.push({ line: this.#line, message })
  }

  next(value: unknown) {
    this.#line += 1
    const decoded = decode(value)
    if (Either.isLeft(decoded)) {
      this.#fault(
        `is not a chat message: ${ParseResult.ArrayFormatter.formatErrorSync(decoded.left)[0]?.message ?? ""}`
      )
      this.#last = undefined
      return
    }
    const message = decoded.right
    if (message.role === "tool") this.#answer(message.tool_call_id)
    else {
      if (this.#open.size > 0) this.#fault(`the calls ${[...this.#open].join(", ")} have no tool message before it`)
      this.#open = new Set()
      this.#say(message)
    }
    this.#last = message.role
  }

  #answer(id: string) {
    if (!this.#open.delete(id)) this.#fault(`answers the call ${JSON.stringify(id)}, which is not open`)
  }

  #say(message: Exclude<Message, { readonly role: "tool" }>) {
    if (message.role === "system" && this.#line > 1) this.#fault("a system message can only be the first")
    if (message.role === "user") {
      this.#asked = true
      if (message.content.trim() === "") this.#fault("a user message must say something")
    }
    if (message.role !== "assistant") return
    if (!this.#asked) this.#fault("a user message must come before the assistant's")
    if (message.tool_calls === undefined) {
      if ((message.content ?? "").trim() === "") this.#fault("an assistant message needs content or tool calls")
    } else this.#call(message.tool_calls)
  }

  #call(calls: Calls) {
    for (const { id, function: called } of calls) {
      if (id === "" || this.#ids.has(id)) this.#fault(`the call id ${JSON.stringify(id)} is empty or was used before`)
      this.#ids.add(id)
      this.#open.add(id)
      if (!/^[A-Za-z0-9_.-]{1,128}$/.test(called.name))
        this.#fault(`${JSON.stringify(called.name)} is no name of a tool`)
      else if (this.#tools?.has(called.name) === false) this.#fault(`there is no tool ${JSON.stringify(called.name)}`)
      if (!isObject(parsed(called.arguments))) this.#fault("the arguments of a call must be the JSON of an object")
    }
  }

  end() {
    // The calls of the last message are what is to be learnt; a result is not needed.
    if (this.#last !== "assistant") {
      this.#fault(this.#line === 0 ? "there is no message" : "the last message must be the assistant's")
    }
  }
}

/**
 * What is wrong with messages as a training conversation, at most 20 faults: an optional system line
 * first, a user before the assistant, every call answered by one tool message right after it (but for
 * those of the last message), arguments that are JSON objects, the assistant last.
 * @param tools the names that may be called; absent: any
 */
export const faults = (messages: Iterable<unknown>, tools?: ReadonlySet<string>): ReadonlyArray<Fault> => {
  const conversation = new Conversation(tools)
  for (const message of messages) conversation.next(message)
  conversation.end()
  return conversation.faults
}

/** The same for the text of a `messages.jsonl`. */
export const textFaults = (text: string, tools?: ReadonlySet<string>): ReadonlyArray<Fault> =>
  faults(
    text
      .split("\n")
      .filter((line) => line.trim() !== "")
      .map(parsed),
    tools
  )

/** The text of a `messages.jsonl`: one message a line. */
export const toText = (messages: ReadonlyArray<Message>): string =>
  messages.map((message) => `${JSON.stringify(message)}\n`).join("")
