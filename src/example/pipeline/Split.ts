import type { Episode } from "../../domain/example/Episode.ts"
import type { SeqRange } from "../../domain/example/Example.ts"
import type { Split } from "../../domain/example/ExampleBatch.ts"
import type { TimelineEvent } from "../../domain/session/Timeline.ts"
import { Normaliser } from "./Normalise.ts"
import { succeeded } from "./Outcome.ts"

/** The most parts that a recording is cut into. */
export const maxParts = 1000

/** One part of a recording; null: all of it. */
export interface Part {
  readonly range: SeqRange | null
  /** What the recording says about it; undefined: nothing. */
  readonly succeeded: boolean | undefined
}

interface Turn {
  readonly from_seq: number
  to_seq: number
  /** A turn without calls is no example of using tools. */
  calls: number
  /** Only the user has spoken so far: what they say in several messages is one turn. */
  isOpening: boolean
}

interface Conversation {
  readonly from_seq: number
  to_seq: number
  readonly turns: Array<Turn>
  succeeded: boolean | undefined
}

/** Cuts an agent's recording: at its conversations, or at each user's word in them. */
class Turns {
  readonly #conversations = new Map<number, Conversation>()
  /** What is said about the recording, not about one conversation. */
  #succeeded: boolean | undefined
  tooMany = false

  add(event: TimelineEvent): void {
    if (event.kind === "note") this.#note(event.conversation, succeeded(event.data))
    if (event.kind !== "message" && event.kind !== "tool_call" && event.kind !== "tool_result") return
    const { seq } = event
    const conversation = this.#of(event.conversation, seq)
    if (conversation === undefined) return
    conversation.to_seq = seq
    const last = conversation.turns.at(-1)
    if (event.kind === "message" && event.role === "user") {
      if (last?.isOpening) last.to_seq = seq
      else conversation.turns.push({ from_seq: seq, to_seq: seq, calls: 0, isOpening: true })
    } else if (last !== undefined) {
      last.to_seq = seq
      last.isOpening = false
      if (event.kind === "tool_call") last.calls += 1
    }
  }

  parts(split: Split): ReadonlyArray<Part> {
    const all = [...this.#conversations.values()]
    const verdict = (of: Conversation) => of.succeeded ?? this.#succeeded
    if (split === "turn") {
      return all.flatMap((one) =>
        one.turns
          .filter(({ calls }) => calls > 0)
          .map(({ from_seq, to_seq }) => ({ range: { from_seq, to_seq }, succeeded: verdict(one) }))
      )
    }
    const [only] = all
    if (all.length === 1 && only !== undefined) return [{ range: null, succeeded: verdict(only) }]
    return all.map((one) => ({ range: { from_seq: one.from_seq, to_seq: one.to_seq }, succeeded: verdict(one) }))
  }

  #of(which: number, seq: number): Conversation | undefined {
    const known = this.#conversations.get(which)
    if (known !== undefined) return known
    this.tooMany ||= this.#conversations.size >= maxParts
    if (this.tooMany) return undefined
    const made: Conversation = { from_seq: seq, to_seq: seq, turns: [], succeeded: undefined }
    this.#conversations.set(which, made)
    return made
  }

  #note(which: number | undefined, told: boolean | undefined): void {
    if (told === undefined) return
    const conversation = which === undefined ? undefined : this.#conversations.get(which)
    if (conversation === undefined) this.#succeeded ??= told
    else conversation.succeeded ??= told
  }
}

const pageOf = (url: string | null): string | null => {
  if (url === null || !URL.canParse(url)) return url
  const { origin, pathname } = new URL(url)
  return origin + pathname
}

/** Cuts a browser's recording where another page is opened and something was done on the one before. */
class Pages {
  readonly #normaliser = new Normaliser()
  readonly #begins: Array<number> = [0]
  #page: string | null = null
  #acted = false
  #last = 0
  #succeeded: boolean | undefined

  add(event: TimelineEvent): void {
    this.#last = event.seq
    if (event.kind === "note") this.#succeeded ??= succeeded(event.data)
    for (const episode of this.#normaliser.add(event)) this.#episode(episode)
  }

  parts(split: Split): ReadonlyArray<Part> {
    for (const episode of this.#normaliser.end()) this.#episode(episode)
    const begins = this.#acted ? this.#begins : this.#begins.slice(0, Math.max(1, this.#begins.length - 1))
    if (split === "session" || begins.length === 1) return [{ range: null, succeeded: this.#succeeded }]
    return begins.map((from_seq, at) => ({
      range: { from_seq, to_seq: (begins[at + 1] ?? this.#last + 1) - 1 },
      succeeded: this.#succeeded
    }))
  }

  get tooMany(): boolean {
    return this.#begins.length > maxParts
  }

  #episode({ type, from_seq, url }: Episode): void {
    const page = pageOf(url)
    if (type === "navigate" && page !== this.#page && this.#acted && !this.tooMany) {
      this.#begins.push(from_seq)
      this.#acted = false
    }
    if (type !== "navigate") this.#acted = true
    this.#page = page ?? this.#page
  }
}

/**
 * Finds the parts of a recording that examples are made of, in one pass and bounded memory. Parts do
 * not overlap, and the same recording is always cut the same.
 */
export class Cutter {
  readonly #split: Split
  readonly #of: Turns | Pages

  constructor(split: Split, isBrowser: boolean) {
    this.#split = split
    this.#of = isBrowser ? new Pages() : new Turns()
  }

  add(event: TimelineEvent): void {
    this.#of.add(event)
  }

  /** Called once, after the last event; undefined: there are more than {@link maxParts}. */
  end(): ReadonlyArray<Part> | undefined {
    const parts = this.#of.parts(this.#split)
    return this.#of.tooMany || parts.length > maxParts ? undefined : parts
  }
}
