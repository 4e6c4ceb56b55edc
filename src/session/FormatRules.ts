import type { Format } from "../domain/session/Session.ts"

type Rule = readonly [format: Format, holds: (value: unknown) => boolean]

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value below these keys and indices; undefined where there is none. */
const at = (value: unknown, ...path: ReadonlyArray<string | number>): unknown => {
  let below = value
  for (const step of path) {
    if (typeof step === "number") below = Array.isArray(below) ? below[step] : undefined
    else below = isObject(below) && Object.hasOwn(below, step) ? below[step] : undefined
  }
  return below
}

const has = (value: unknown, ...keys: ReadonlyArray<string>): boolean =>
  isObject(value) && keys.every((key) => Object.hasOwn(value, key))

const isText = (value: unknown): value is string => typeof value === "string" && value !== ""

const some = (value: unknown, holds: (element: unknown) => boolean): boolean =>
  Array.isArray(value) && value.some(holds)

/**
 * What a whole JSON document is: the first rule that holds. Documents come as a likeness (JsonSample.ts):
 * a rule that looks below a new key must add it there. Chat messages come after these, in ChatEvidence.
 */
export const documentRules: ReadonlyArray<Rule> = [
  ["langfuse", (document) => has(document, "trace", "observations")],
  ["otlp", (document) => has(document, "resourceSpans")],
  ["chrome.trace", (document) => has(document, "traceEvents")],
  [
    "chrome.trace",
    (document) => some(document, (event) => has(event, "ph") && (has(event, "ts") || has(event, "pid")))
  ],
  ["har", (document) => has(at(document, "log"), "entries") || has(at(document, "log"), "version", "creator")],
  ["atif", (document) => String(at(document, "schema_version")).startsWith("ATIF")],
  ["atif", (document) => has(at(document, "steps", 0), "source", "message")],
  ["chrome.recorder", (document) => has(document, "title") && isText(at(document, "steps", 0, "type"))],
  [
    "swe-agent",
    (document) => some(at(document, "trajectory"), (step) => has(step, "action") || has(step, "observation"))
  ],
  [
    "swe-agent",
    (document) => has(document, "history") && ["info", "environment", "trajectory"].some((key) => has(document, key))
  ]
]

/** What a line of JSON Lines is. The file is what most of its first lines are. */
export const lineRules: ReadonlyArray<Rule> = [
  [
    "claude-code",
    (line) =>
      isText(at(line, "type")) &&
      !has(line, "role") &&
      ["sessionId", "uuid", "parentUuid"].some((key) => has(line, key))
  ],
  ["claude-code", (line) => at(line, "type") === "summary" && has(line, "leafUuid")],
  ["codex", (line) => isText(at(line, "type")) && has(line, "timestamp") && isObject(at(line, "payload"))],
  ["otlp", (line) => has(line, "resourceSpans")],
  ["atif", (line) => String(at(line, "schema_version")).startsWith("ATIF")]
]

export const firstRule = (rules: ReadonlyArray<Rule>, value: unknown): Format | undefined =>
  rules.find(([, holds]) => holds(value))?.[0]

const AGENT_FORMAT = "tracepipe.agent/v1"
const MAX_MESSAGES = 50
const anthropicBlocks: ReadonlySet<unknown> = new Set(["tool_use", "tool_result", "thinking", "redacted_thinking"])
const openAiRoles: ReadonlySet<unknown> = new Set(["tool", "function", "developer"])
const openAiKeys = ["tool_calls", "function_call", "tool_call_id"]

/** Tells the formats apart that are all made of `{ role, content }` messages. */
export class ChatEvidence {
  #messages = 0
  #marked = false
  #openAi = false
  #blocks = false

  /** Takes a message, a conversation (`messages`, `traj`) or a list of either; says whether it was one. */
  add(value: unknown): boolean {
    const before = this.#messages
    for (const item of Array.isArray(value) ? value.slice(0, MAX_MESSAGES) : [value]) {
      this.#message(item)
      const messages = at(item, "messages") ?? at(item, "traj")
      if (Array.isArray(messages)) for (const message of messages.slice(0, MAX_MESSAGES)) this.#message(message)
      if (at(item, "format") === AGENT_FORMAT) this.#marked = true
    }
    return this.#messages > before
  }

  #message(value: unknown): void {
    if (!isObject(value) || !isText(value.role)) return
    this.#messages++
    if (openAiRoles.has(value.role) || openAiKeys.some((key) => has(value, key))) this.#openAi = true
    if (!Array.isArray(value.content)) return
    for (const block of value.content.slice(0, MAX_MESSAGES)) {
      const type = at(block, "type")
      if (anthropicBlocks.has(type) || type === "text") this.#blocks = true
      else this.#openAi = true
    }
  }

  /** @param named whether the file's name says that it is `tracepipe.agent/v1` */
  format(named: boolean): Format | undefined {
    if (this.#messages === 0) return undefined
    if (this.#marked) return AGENT_FORMAT
    if (this.#blocks && !this.#openAi) return "anthropic.messages"
    return named ? AGENT_FORMAT : "openai.chat"
  }
}
