import { createHash } from "node:crypto"
import { aboutOf, type Sealing } from "../secrets/KeyKeeper.ts"

interface Entry {
  readonly key: Uint8Array
  readonly until: number
}

/** Data keys in memory, for a short while and few of them, oldest out first; each is wiped as it leaves. */
export class DataKeyCache {
  readonly #entries = new Map<string, Entry>()
  readonly #options: { readonly lifetime_ms: number; readonly most: number }

  constructor(options: { readonly lifetime_ms: number; readonly most: number }) {
    this.#options = options
  }

  get size(): number {
    return this.#entries.size
  }

  /** What is sealed is part of it: a row that was moved finds no key. */
  #idOf(wrapped: Uint8Array, sealing: Sealing): string {
    return createHash("sha256").update(aboutOf(sealing)).update("\0").update(wrapped).digest("base64")
  }

  #drop(id: string): void {
    this.#entries.get(id)?.key.fill(0)
    this.#entries.delete(id)
  }

  /** A copy of the key, which the caller may wipe. */
  get(wrapped: Uint8Array, sealing: Sealing): Uint8Array | undefined {
    const id = this.#idOf(wrapped, sealing)
    const found = this.#entries.get(id)
    if (found === undefined) return undefined
    if (found.until > Date.now()) return Uint8Array.from(found.key)
    this.#drop(id)
    return undefined
  }

  /** Keeps the key, and answers a copy of it, which the caller may wipe. */
  put(wrapped: Uint8Array, sealing: Sealing, key: Uint8Array): Uint8Array {
    const { lifetime_ms, most } = this.#options
    const id = this.#idOf(wrapped, sealing)
    this.#drop(id)
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size < most) break
      this.#drop(oldest)
    }
    this.#entries.set(id, { key, until: Date.now() + lifetime_ms })
    return Uint8Array.from(key)
  }

  /** Drops what is too old. */
  sweep(): void {
    const now = Date.now()
    for (const [id, { until }] of this.#entries) if (until <= now) this.#drop(id)
  }

  clear(): void {
    for (const id of this.#entries.keys()) this.#drop(id)
  }
}
