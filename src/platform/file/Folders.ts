import { closeSync, openSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { dirname } from "node:path"
import { syncFile } from "./Disk.ts"

/** The most folders remembered as durable; beyond it they are learnt again. */
const MAX_KNOWN = 10_000

// Opening and closing a folder that is in use does not touch the disk.
const syncOnce = async (folder: string) => {
  const fd = openSync(folder, "r")
  try {
    await syncFile(fd)
  } finally {
    closeSync(fd)
  }
}

/** Makes folders and their entries durable, with as few syncs as that takes. */
export class Folders {
  readonly root: string
  readonly #known = new Set<string>()
  readonly #running = new Map<string, Promise<void>>()
  readonly #queued = new Map<string, Promise<void>>()

  constructor(root: string) {
    this.root = root
  }

  /**
   * Makes the entries that the folder has at this moment durable. Calls that wait at the same time
   * share one sync: one that has begun may have missed the caller's change, one that is queued has not.
   */
  sync(folder: string): Promise<void> {
    const queued = this.#queued.get(folder)
    if (queued !== undefined) return queued
    const begin = () => {
      this.#queued.delete(folder)
      const sync = syncOnce(folder).finally(() => {
        if (this.#running.get(folder) === sync) this.#running.delete(folder)
      })
      this.#running.set(folder, sync)
      return sync
    }
    const running = this.#running.get(folder)
    if (running === undefined) return begin()
    const next = running.then(begin, begin)
    this.#queued.set(folder, next)
    return next
  }

  /** Makes a folder below the root, with its parents, so that it outlives a power loss. */
  async make(folder: string): Promise<void> {
    if (folder === this.root || this.#known.has(folder)) return
    const parent = dirname(folder)
    await this.make(parent)
    await mkdir(folder, { recursive: true })
    await this.sync(parent)
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.add(folder)
  }

  /** Forgets a folder that was removed, and all below it. */
  forget(folder: string): void {
    for (const known of this.#known) {
      if (known === folder || known.startsWith(`${folder}/`)) this.#known.delete(known)
    }
  }
}
