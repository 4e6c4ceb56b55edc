import type { Episode } from "../../domain/example/Episode.ts"
import type { InputEvent, NetworkEvent, TimelineEvent } from "../../domain/session/Timeline.ts"
import { isPasswordTarget } from "../../session/Secrets.ts"
import { type Action, actionOf, isSameTarget, typed } from "./EpisodeActions.ts"
import { isRequest, originOf, requestOf } from "./EpisodeRequests.ts"

const MAX_REQUESTS = 20
/** A double click is told as two clicks and itself: so many wait for it. */
const MAX_WAITING = 3
/** A form that is sent by itself so long after a click or a key was not sent by it. */
const SUBMIT_MS = 2000
/** Enter in a field makes the browser click the form's button, at once. */
const IMPLICIT_MS = 100

interface Draft {
  from_seq: number
  to_seq: number
  readonly at: string | null
  type: Episode["type"]
  target: Episode["target"]
  value: string | null
  key: string | null
  url: string | null
  readonly requests: Array<Episode["requests"][number]>
  /** Of a trace: the pointer events and the click of one press have one. */
  readonly interaction: unknown
  /** It began with Enter in a field. */
  readonly isKey: boolean
}

const finished = ({ interaction: _interaction, isKey: _isKey, ...draft }: Draft): Episode =>
  isPasswordTarget(draft.target) ? { ...draft, value: null } : draft

const elapsed = (from: string | null, to: string | null): number =>
  from === null || to === null ? 0 : Date.parse(to) - Date.parse(from)

/**
 * Joins the events of a timeline, given in its order, into what a person did: typing becomes one value
 * of its field, the parts of a click one click, and each action has the requests that began after it and
 * before the next. What was typed into a password field is not among it. Holds a few episodes at a time.
 */
export class Normaliser {
  /** Episodes that later events may still change; all but the last are clicks on one target. */
  #waiting: Array<Draft> = []
  #page: string | null = null

  /** The episodes that are complete now. */
  add(event: TimelineEvent): ReadonlyArray<Episode> {
    if (event.kind === "network") return this.#network(event)
    return event.kind === "input" ? this.#input(event) : []
  }

  /** The rest; called once, after the last event. */
  end(): ReadonlyArray<Episode> {
    return this.#release(0)
  }

  get #last(): Draft | undefined {
    return this.#waiting.at(-1)
  }

  #network(event: NetworkEvent): ReadonlyArray<Episode> {
    const last = this.#last
    if (last !== undefined && last.requests.length < MAX_REQUESTS && isRequest(event, originOf(this.#page))) {
      last.requests.push(requestOf(event))
      last.to_seq = event.seq
    }
    return []
  }

  #input(event: InputEvent): ReadonlyArray<Episode> {
    const action = actionOf(event)
    if (action === undefined) return []
    if (this.#joins(event, action)) return []
    if (event.url !== null) this.#page = event.url
    const draft: Draft = {
      from_seq: event.seq,
      to_seq: event.seq,
      at: event.at,
      type: action.type,
      target: event.target,
      value: action.type === "change" ? typed(null, event) : null,
      key: action.type === "key" ? event.key : null,
      url: event.url ?? this.#page,
      requests: [],
      interaction: action.interaction,
      isKey: action.isKey === true
    }
    const keeps =
      action.type === "click" && this.#last?.type === "click" && isSameTarget(this.#last.target, event.target)
    if (this.#isFocusOf(draft)) {
      // The clicks that went into the field are part of what was typed there.
      const focus = this.#waiting.filter(({ requests }) => requests.length === 0)
      draft.from_seq = focus[0]?.from_seq ?? draft.from_seq
      this.#waiting = this.#waiting.filter(({ requests }) => requests.length > 0)
    }
    const done = this.#release(keeps ? MAX_WAITING - 1 : 0)
    this.#waiting.push(draft)
    return done
  }

  /** Whether the last episode is but the click into the field that this one fills. */
  #isFocusOf({ type, target }: Draft): boolean {
    const last = this.#last
    const isClick = last?.type === "click" && last.requests.length === 0
    return type === "change" && isClick && target !== null && isSameTarget(last.target, target)
  }

  /** Makes the event part of the last episode, where it is. */
  #joins(event: InputEvent, action: Action): boolean {
    const last = this.#last
    if (last === undefined) return false
    const isSame = isSameTarget(last.target, event.target)
    const isTimed = last.at !== null && event.at !== null
    const isImplied = last.isKey && isTimed && elapsed(last.at, event.at) <= IMPLICIT_MS
    if (action.interaction !== undefined && action.interaction === last.interaction) {
      last.to_seq = event.seq
      return true
    }
    switch (action.type) {
      case "change":
        // What the field holds is told before it is sent; it was typed already.
        if (isImplied && isSame) break
        if (last.type !== "change" || !(isSame || event.target === null)) return false
        last.value = typed(last.value, event)
        break
      case "click":
        if (isImplied) {
          // The button says what is sent.
          last.target = event.target ?? last.target
          break
        }
        if (!action.isDouble || last.type !== "click" || !isSame) return false
        this.#joinClicks()
        break
      case "submit":
        if (elapsed(last.at, event.at) > SUBMIT_MS || action.isKey || (last.type !== "click" && last.type !== "submit"))
          return false
        last.type = "submit"
        break
      case "navigate":
        if (last.type !== "navigate" || event.url === null || last.url !== event.url) return false
        break
      case "key":
        return false
    }
    const joined = this.#last
    if (joined !== undefined) joined.to_seq = Math.max(joined.to_seq, event.seq)
    return true
  }

  /** Two clicks and the double click that they are become one. */
  #joinClicks(): void {
    const clicks = this.#waiting.splice(-2)
    const [first, second] = clicks
    if (first === undefined) return
    if (second !== undefined) {
      first.requests.push(...second.requests.slice(0, MAX_REQUESTS - first.requests.length))
      first.to_seq = second.to_seq
    }
    this.#waiting.push(first)
  }

  #release(kept: number): ReadonlyArray<Episode> {
    const done = this.#waiting.splice(0, Math.max(0, this.#waiting.length - kept))
    return done.map(finished)
  }
}
