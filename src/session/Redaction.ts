import type { DraftEvent } from "../domain/session/Timeline.ts"
import { isMembers, type Members } from "./formats/Values.ts"
import { redactText } from "./RedactText.ts"
import { isCardNumber, isPasswordTarget, REDACTED, type RedactionKind, secretKind } from "./Secrets.ts"

type InputDraft = Extract<DraftEvent, { readonly kind: "input" }>

/** What is nested deeper is not looked into, and left out. */
const MAX_LEVELS = 200
const MIN_CARD = 10 ** 11

/**
 * Takes secrets out of the events of one timeline, in their order: values of password fields,
 * credentials in headers, card numbers, values with a secret's name in bodies, URLs and arguments, and
 * what the patterns match. They become `[redacted]`; only how many they were is kept.
 */
export class Redactor {
  readonly #patterns: ReadonlyArray<RegExp>
  readonly #counts = new Map<RedactionKind, number>()
  /** Typing that names no target goes where the last one went. */
  #inPassword = false

  /** @param patterns global ones, none of which matches the empty text */
  constructor(patterns: ReadonlyArray<RegExp> = []) {
    this.#patterns = patterns
  }

  /** How many values of each kind were taken out so far. */
  get counts(): Readonly<Partial<Record<RedactionKind, number>>> {
    return Object.fromEntries(this.#counts)
  }

  event(event: DraftEvent): DraftEvent {
    const extra = event.extra === undefined ? {} : { extra: this.#members(event.extra) }
    switch (event.kind) {
      case "input":
        return { ...event, ...this.#input(event), ...extra }
      case "network":
        return {
          ...event,
          url: this.#text(event.url),
          request_headers: this.#headers(event.request_headers),
          request_body: this.#optional(event.request_body),
          response_headers: this.#headers(event.response_headers),
          response_body: this.#optional(event.response_body),
          ...extra
        }
      case "screenshot":
        return { ...event, ...extra }
      case "message":
      case "tool_result":
        return { ...event, content: this.#text(event.content), ...extra }
      case "tool_call": {
        const given = event.arguments
        return { ...event, arguments: typeof given === "string" ? this.#text(given) : this.#members(given), ...extra }
      }
      case "note":
        return { ...event, data: this.#value(event.data, 0), ...extra }
    }
  }

  readonly #count = (kind: RedactionKind): void => {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  #text(text: string): string {
    // Half of a surrogate pair, as a cut text ends with, could neither be sent nor be hashed.
    return redactText(text.toWellFormed(), this.#patterns, this.#count)
  }

  #optional(text: string | null): string | null {
    return text === null ? null : this.#text(text)
  }

  #secret(kind: RedactionKind, text: string): string {
    if (text === "" || text === REDACTED) return text
    this.#count(kind)
    return REDACTED
  }

  #input(event: InputDraft) {
    const { target, value, key, url } = event
    if (target !== null) this.#inPassword = isPasswordTarget(target)
    else if (event.type === "navigate") this.#inPassword = false
    const hidden = this.#inPassword
    const isLetter = key !== null && [...key].length === 1
    return {
      target: target === null ? null : this.#target(target, hidden && value !== null ? value : undefined),
      value: value === null ? null : hidden ? this.#secret("password", value) : this.#text(value),
      key: hidden && isLetter ? this.#secret("password", key) : this.#optional(key),
      url: this.#optional(url)
    }
  }

  /** Some recorders write what a field holds as its text. */
  #target(target: NonNullable<InputDraft["target"]>, password: string | undefined) {
    const clean: { -readonly [Key in keyof typeof target]: (typeof target)[Key] } = { ...target }
    for (const key of ["selector", "name", "text"] as const) {
      const text = target[key]
      if (text === undefined) continue
      clean[key] =
        password !== undefined && password !== "" && text === password
          ? this.#secret("password", text)
          : this.#text(text)
    }
    return clean
  }

  #headers(headers: Readonly<Record<string, string>> | null): Readonly<Record<string, string>> | null {
    if (headers === null) return null
    const clean: Record<string, string> = Object.create(null)
    for (const name in headers) {
      const value = headers[name] ?? ""
      const kind = secretKind(name)
      clean[name] = kind === undefined ? this.#text(value) : this.#secret("header", value)
    }
    return clean
  }

  #members(members: Members, level = 0): Members {
    const clean: Record<string, unknown> = Object.create(null)
    // `{ name: "Cookie", value: "…" }`, as HAR has headers and form fields.
    const pair = typeof members.name === "string" ? secretKind(members.name) : undefined
    for (const name in members) {
      const value = members[name]
      const kind = name === "value" && pair !== undefined ? pair : secretKind(name)
      clean[name] = kind === undefined ? this.#value(value, level + 1) : this.#under(kind, value, level + 1)
    }
    return clean
  }

  /** A value under a secret's name; of an object its `value` alone, so that a schema's `password: { type: … }` stays. */
  #under(kind: RedactionKind, value: unknown, level: number): unknown {
    if (typeof value === "string") return this.#secret(kind, value)
    if (typeof value === "number") return this.#secret(kind, String(value))
    if (level >= MAX_LEVELS) return REDACTED
    if (Array.isArray(value)) return value.map((element) => this.#under(kind, element, level + 1))
    if (!isMembers(value) || !("value" in value)) return this.#value(value, level)
    return { ...this.#members(value, level), value: this.#under(kind, value.value, level + 1) }
  }

  #value(value: unknown, level: number): unknown {
    if (typeof value === "string") return this.#text(value)
    if (typeof value === "number") {
      return value >= MIN_CARD && isCardNumber(String(value)) ? this.#secret("card", String(value)) : value
    }
    if (typeof value !== "object" || value === null) return value
    if (level >= MAX_LEVELS) return REDACTED
    if (Array.isArray(value)) return value.map((element) => this.#value(element, level + 1))
    return isMembers(value) ? this.#members(value, level) : REDACTED
  }
}
