interface Entry<A> {
  readonly key: number
  readonly order: number
  readonly bytes: number
  readonly item: A
}

const before = <A>(one: Entry<A>, other: Entry<A>) =>
  one.key < other.key || (one.key === other.key && one.order < other.order)

/**
 * Puts into order what comes nearly in order: holds back so many items, and bytes of their recording,
 * that an item may come that much too late. One that comes later still is let through at once.
 */
export class ReorderWindow<A> {
  readonly #items: number
  readonly #bytes: number
  readonly #heap: Array<Entry<A>> = []
  #held = 0
  #count = 0
  #last = Number.NEGATIVE_INFINITY

  constructor(limits: { readonly items: number; readonly bytes: number }) {
    this.#items = limits.items
    this.#bytes = limits.bytes
  }

  /** @param key what is sorted by; null stays beside the item that came before */
  push(key: number | null, bytes: number, item: A): void {
    this.#last = key ?? this.#last
    const entry = { key: this.#last, order: this.#count++, bytes, item }
    this.#held += bytes
    let at = this.#heap.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = this.#heap[above]
      if (parent === undefined || !before(entry, parent)) break
      this.#heap[at] = parent
      at = above
    }
    this.#heap[at] = entry
  }

  /** The first item, once the window holds more than it may; at the end of the recording, the first of the rest. */
  pop(ended: boolean): A | undefined {
    if (!ended && this.#heap.length <= this.#items && this.#held <= this.#bytes) return undefined
    const first = this.#heap[0]
    const last = this.#heap.pop()
    if (first === undefined || last === undefined) return undefined
    this.#held -= first.bytes
    if (this.#heap.length > 0) this.#sink(last)
    return first.item
  }

  #sink(entry: Entry<A>): void {
    const length = this.#heap.length
    let at = 0
    for (;;) {
      const left = this.#heap[2 * at + 1]
      const right = this.#heap[2 * at + 2]
      if (left === undefined) break
      const isRight = right !== undefined && before(right, left)
      const child = isRight ? right : left
      if (!before(child, entry)) break
      this.#heap[at] = child
      at = 2 * at + (isRight ? 2 : 1)
    }
    if (at < length) this.#heap[at] = entry
  }
}
