import { randomUUID } from "node:crypto"
import { mkdir, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { closeFile, openFile, syncFile } from "./Disk.ts"
import type { Folders } from "./Folders.ts"
import type { SyncAhead } from "./SyncAhead.ts"

/** Where uncommitted batches live, below the root. */
export const TEMP = ".tmp"

// The whole prefix in one folder name, so that it can be told from the name alone; `@` is a
// character that encodeURIComponent escapes.
const tempName = (prefix: string) => `${encodeURIComponent(prefix)}@${randomUUID().slice(0, 8)}`

/** The prefix of the batch that this temp folder belongs to; undefined for what is not a batch's. */
export const prefixOfTemp = (name: string): string | undefined => {
  const end = name.lastIndexOf("@")
  return end === -1 ? undefined : decodeURIComponent(name.slice(0, end))
}

/** An open file of a batch. */
export interface TempFile {
  readonly path: string
  readonly fd: number
  /** Bytes that the kernel has and no sync has been asked for. */
  unsynced: number
  /** The latest sync of its beginning. It never fails: the folder notes what went wrong. */
  ahead: Promise<void> | undefined
}

/** The most files of a batch that wait for their sync at once. */
const MAX_SYNCING = 16
/** A file that grows by this much is synced while more of it comes: its end then has little left to wait for. */
const SYNC_AHEAD_BYTES = 32 * 1024 * 1024

/** The folder in which one batch writes, and its open files. It is made with its first file. */
export class TempFolder {
  readonly path: string
  readonly #store: Folders
  readonly #ahead: SyncAhead
  readonly #made = new Set<string>()
  readonly #open = new Set<TempFile>()
  readonly #syncing = new Set<Promise<void>>()
  #failed: { readonly cause: unknown } | undefined

  constructor(store: Folders, ahead: SyncAhead, prefix: string) {
    this.#store = store
    this.#ahead = ahead
    this.path = join(store.root, TEMP, tempName(prefix))
  }

  get empty(): boolean {
    return this.#made.size === 0
  }

  /** @param path relative to this folder */
  async create(path: string): Promise<TempFile> {
    const absolute = join(this.path, path)
    const folder = dirname(absolute)
    if (!this.#made.has(folder)) {
      await mkdir(folder, { recursive: true })
      for (let made = folder; made.length >= this.path.length; made = dirname(made)) this.#made.add(made)
    }
    const fd = await openFile(absolute, "wx", 0o600)
    const file: TempFile = { path: absolute, fd, unsynced: 0, ahead: undefined }
    this.#open.add(file)
    return file
  }

  /** Notes that the kernel was given bytes of the file; may begin to sync what it has so far. */
  written(file: TempFile, bytes: number): void {
    file.unsynced += bytes
    if (file.unsynced < SYNC_AHEAD_BYTES) return
    const sync = this.#ahead.begin(file.fd)
    if (sync === undefined) return
    file.unsynced = 0
    file.ahead = sync.catch((cause) => this.#fail(cause))
  }

  /** Begins to sync the file and to close it; waits only while too many others do the same. */
  async end(file: TempFile): Promise<void> {
    while (this.#syncing.size >= MAX_SYNCING) await Promise.race(this.#syncing)
    this.#open.delete(file)
    const sync = Promise.resolve(file.ahead)
      .then(() => syncFile(file.fd))
      .finally(() => closeFile(file.fd))
      .catch((cause) => this.#fail(cause))
      .finally(() => this.#syncing.delete(sync))
    this.#syncing.add(sync)
  }

  /** Makes all ended files durable in this folder, and drops the others. */
  async settle(): Promise<void> {
    for (const file of this.#open) {
      await this.#close(file)
      await rm(file.path)
    }
    await Promise.all([...this.#syncing, ...Array.from(this.#made, (folder) => this.#store.sync(folder))])
    if (this.#failed !== undefined) throw this.#failed.cause
  }

  /** Removes what is left of the folder. */
  async remove(): Promise<void> {
    await Promise.all(this.#syncing)
    for (const file of this.#open) await this.#close(file)
    await rm(this.path, { recursive: true, force: true })
  }

  #fail(cause: unknown): void {
    this.#failed ??= { cause }
  }

  async #close(file: TempFile): Promise<void> {
    this.#open.delete(file)
    await file.ahead
    await closeFile(file.fd)
  }
}
