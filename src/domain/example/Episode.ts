import type { EventTarget } from "../session/Timeline.ts"

/** A request that an episode caused, as far as it says what was done. */
export interface EpisodeRequest {
  readonly method: string
  readonly url: string
  readonly status: number | null
  readonly body: string | null
}

/**
 * One thing that a person did: a click, a value typed or chosen, a form sent, a page opened. What a
 * classifier looks at.
 */
export interface Episode {
  /** The timeline events that it is made of, both inclusive. */
  readonly from_seq: number
  readonly to_seq: number
  readonly at: string | null
  readonly type: "click" | "change" | "submit" | "navigate" | "key"
  readonly target: EventTarget | null
  /** The final value of what was typed or chosen; null for password fields and where there is none. */
  readonly value: string | null
  readonly key: string | null
  /** The page it happened on, or that it opened. */
  readonly url: string | null
  /** Requests that began after it and before the next. */
  readonly requests: ReadonlyArray<EpisodeRequest>
}
