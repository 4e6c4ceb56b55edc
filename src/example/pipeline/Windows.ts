import type { Classification } from "../../domain/example/Classification.ts"

/** An episode as a model is shown it. */
export interface ShownEpisode {
  /** Its place among the session's episodes, from 1. */
  readonly n: number
  readonly from_seq: number
  readonly to_seq: number
  readonly text: string
  readonly tokens: number
}

/** Episodes that are shown at once, in their order. */
export type Window = readonly [ShownEpisode, ...ReadonlyArray<ShownEpisode>]

/** More than these are not shown at once: the answer would become long, and its parts careless. */
const maxEpisodes = 120
/** So many are shown again, so that an action that goes over the edge is seen whole. */
const maxOverlap = 12

/** At least as many tokens as a text has, for the tokenizers in use: a token is rarely less than three bytes. */
export const tokensOf = (text: string): number => Math.ceil(Buffer.byteLength(text) / 3)

/** Cuts episodes into windows of bounded size, each beginning with the last episodes of the one before. */
export class Windows {
  readonly #budget: number
  #shown: Array<ShownEpisode> = []
  #tokens = 0
  /** How many of the shown were in the window before. */
  #repeated = 0

  /** @param budget the tokens of a window; larger than any episode */
  constructor(budget: number) {
    this.#budget = budget
  }

  /** Answers the window that has no place for this episode, if it has none. */
  push(next: ShownEpisode): Window | undefined {
    const isFull = this.#shown.length >= maxEpisodes || this.#tokens + next.tokens > this.#budget
    const full = isFull ? this.#window() : undefined
    if (full !== undefined) this.#keepEnd(next.tokens)
    this.#shown.push(next)
    this.#tokens += next.tokens
    return full
  }

  /** The last window, if it shows anything new. */
  end(): Window | undefined {
    return this.#shown.length > this.#repeated ? this.#window() : undefined
  }

  #window(): Window | undefined {
    const [first, ...rest] = this.#shown
    return first === undefined ? undefined : [first, ...rest]
  }

  /** Keeps what the next window repeats: a few episodes, and no more than a quarter of its room. */
  #keepEnd(nextTokens: number): void {
    const most = Math.min(maxOverlap, Math.floor(this.#shown.length / 4))
    const room = Math.min(this.#budget / 4, this.#budget - nextTokens)
    const kept: Array<ShownEpisode> = []
    let tokens = 0
    for (const shown of this.#shown.toReversed().slice(0, most)) {
      if (tokens + shown.tokens > room) break
      kept.unshift(shown)
      tokens += shown.tokens
    }
    this.#shown = kept
    this.#tokens = tokens
    this.#repeated = kept.length
  }
}

const overlaps = (a: Classification, b: Classification): boolean =>
  a.action === b.action && a.evidence.from_seq <= b.evidence.to_seq && b.evidence.from_seq <= a.evidence.to_seq

const told = ({ parameters, confidence }: Classification): number => Object.keys(parameters).length + confidence

/**
 * Joins what was recognised in one window to what was in those before: the same action on the same
 * episodes was seen twice, and the one that tells more of its parameters stays.
 */
export const joined = (
  before: ReadonlyArray<Classification>,
  window: ReadonlyArray<Classification>
): ReadonlyArray<Classification> => {
  const all = [...before]
  const taken = new Set<number>()
  for (const found of window) {
    const at = before.findIndex((other, place) => !taken.has(place) && overlaps(other, found))
    const twin = before[at]
    if (twin === undefined) all.push(found)
    else {
      taken.add(at)
      if (told(found) > told(twin)) all[at] = found
    }
  }
  return all.sort((a, b) => a.evidence.from_seq - b.evidence.from_seq || a.evidence.to_seq - b.evidence.to_seq)
}
