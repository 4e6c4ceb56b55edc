import { syncFile } from "./Disk.ts"

/**
 * Syncs what growing files have so far. One at a time for all files of a store: each sync holds a
 * thread of the pool that every write needs too.
 */
export class SyncAhead {
  #running = false

  /** Begins to sync, unless another file's sync is under way: then undefined. */
  begin(fd: number): Promise<void> | undefined {
    if (this.#running) return undefined
    this.#running = true
    return syncFile(fd).finally(() => {
      this.#running = false
    })
  }
}
