/**
 * A map that forgets: each value until its time, and when it is full, what is over first and then what
 * came first. Times are milliseconds of the caller's clock.
 */
export class ExpiringMap<V> {
  readonly #entries = new Map<string, { value: V; until: number }>()
  readonly #capacity: number
  #swept = Number.NEGATIVE_INFINITY

  constructor(capacity: number) {
    this.#capacity = capacity
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: string, now: number): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until > now) return entry.value
    this.#entries.delete(key)
    return undefined
  }

  set(key: string, value: V, until: number, now: number): void {
    const entry = this.#entries.get(key)
    if (entry !== undefined) {
      entry.value = value
      entry.until = until
      return
    }
    if (this.#entries.size >= this.#capacity) this.#makeRoom(now)
    this.#entries.set(key, { value, until })
  }

  delete(key: string): void {
    this.#entries.delete(key)
  }

  /** Looks at everything once a second at most, so that a flood of new keys does not pay for it each time. */
  #makeRoom(now: number): void {
    if (Math.abs(now - this.#swept) >= 1000) {
      this.#swept = now
      for (const [key, { until }] of this.#entries) if (until <= now) this.#entries.delete(key)
    }
    for (const key of this.#entries.keys()) {
      if (this.#entries.size < this.#capacity) return
      this.#entries.delete(key)
    }
  }
}
