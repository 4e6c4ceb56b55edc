import type { DraftEvent } from "../domain/session/Timeline.ts"

interface Source {
  readonly events: Array<DraftEvent>
  next: number
  /** Where the next event belongs: its time, or that of the one before it in its file. */
  key: number
  ended: boolean
}

const BEFORE_ALL = Number.NEGATIVE_INFINITY

/**
 * Merges the events of several files by their time. Within a file their order stays: an event
 * without a time, or with one that lies back, follows the one before it. At the same time the first
 * file goes first.
 */
export class TimelineMerge {
  readonly #sources: ReadonlyArray<Source>

  constructor(files: number) {
    this.#sources = Array.from({ length: files }, () => ({ events: [], next: 0, key: BEFORE_ALL, ended: false }))
  }

  /** The file whose events are needed before the next can be told; undefined when there is none. */
  get wanted(): number | undefined {
    const index = this.#sources.findIndex(({ events, next, ended }) => next === events.length && !ended)
    return index < 0 ? undefined : index
  }

  /** Gives the next events of the file that was wanted; none at its end. */
  give(file: number, events: ReadonlyArray<DraftEvent> | undefined): void {
    const source = this.#sources[file]
    if (source === undefined) return
    if (events === undefined) source.ended = true
    else {
      source.events.length = 0
      for (const event of events) source.events.push(event)
      source.next = 0
      this.#look(source)
    }
  }

  /** The events, up to `limit`, that come before all that are still unknown. */
  take(limit: number): Array<DraftEvent> {
    const taken: Array<DraftEvent> = []
    while (taken.length < limit && this.wanted === undefined) {
      const [first, second] = this.#nearest()
      if (first === undefined) break
      // A run of one file's events needs no comparing with the others but the next.
      do {
        const event = first.events[first.next]
        if (event === undefined) break
        taken.push(event)
        first.next++
        this.#look(first)
      } while (taken.length < limit && first.key < second)
    }
    return taken
  }

  #look(source: Source): void {
    const event = source.events[source.next]
    if (event?.at != null) source.key = Math.max(source.key, Date.parse(event.at))
  }

  #nearest(): readonly [Source | undefined, second: number] {
    let first: Source | undefined
    let second = Number.POSITIVE_INFINITY
    for (const source of this.#sources) {
      if (source.next === source.events.length) continue
      if (first === undefined) first = source
      else if (source.key < first.key) {
        second = first.key
        first = source
      } else second = Math.min(second, source.key)
    }
    return [first, second]
  }
}
