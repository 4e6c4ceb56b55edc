import { randomUUID } from "node:crypto"
import { mkdir, rm } from "node:fs/promises"
import { dirname, join } from "node:path"
import { closeFile, openFile, syncFile } from "./Disk.ts"
import type { Folders } from "./Folders.ts"

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
}

/** The most files of a batch that wait for their sync at once. */
const MAX_SYNCING = 16

/** The folder in which one batch writes, and its open files. It is made with its first file. */
export class TempFolder {
  readonly path: string
  readonly #store: Folders
  readonly #made = new Set<string>()
  readonly #open = new Set<TempFile>()
  readonly #syncing = new Set<Promise<void>>()
  #failed: { readonly cause: unknown } | undefined

  constructor(store: Folders, prefix: string) {
    this.#store = store
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
    const file: TempFile = { path: absolute, fd: await openFile(absolute, "wx", 0o600) }
    this.#open.add(file)
    return file
  }

  /** Begins to sync the file and to close it; waits only while too many others do the same. */
  async end(file: TempFile): Promise<void> {
    while (this.#syncing.size >= MAX_SYNCING) await Promise.race(this.#syncing)
    this.#open.delete(file)
    const sync = syncFile(file.fd)
      .finally(() => closeFile(file.fd))
      .catch((cause) => {
        this.#failed ??= { cause }
      })
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

  async #close(file: TempFile): Promise<void> {
    this.#open.delete(file)
    await closeFile(file.fd)
  }
}
