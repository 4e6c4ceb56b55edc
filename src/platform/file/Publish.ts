import { readdir, rename, rm } from "node:fs/promises"
import { dirname, join, relative } from "node:path"
import { hasCode } from "./Disk.ts"
import type { Folders } from "./Folders.ts"

/** Moves the files one by one into a folder that exists already; on failure those moved go away again. */
const merge = async (folders: Folders, temp: string, target: string): Promise<void> => {
  const moved: Array<string> = []
  try {
    for (const entry of await readdir(temp, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const from = join(entry.parentPath, entry.name)
      const to = join(target, relative(temp, from))
      await folders.make(dirname(to))
      await rename(from, to)
      moved.push(to)
    }
    await Promise.all(Array.from(new Set(moved.map(dirname)), (folder) => folders.sync(folder)))
  } catch (cause) {
    for (const file of moved) await rm(file)
    throw cause
  }
  await rm(temp, { recursive: true, force: true })
}

const replace = async (folders: Folders, temp: string, target: string): Promise<void> => {
  const parent = dirname(target)
  for (let attempt = 1; ; attempt++) {
    try {
      await folders.make(parent)
      return await rename(temp, target)
    } catch (cause) {
      if (!hasCode(cause, "ENOENT") || attempt === 3) throw cause
      // The parent was removed as empty after it was made or found: what is known of it is no longer true.
      folders.forget(parent)
    }
  }
}

/**
 * Makes the temp folder's files visible as `target` and durable. One rename does it, unless the
 * target exists. On failure nothing of it stays visible.
 */
export const publish = async (folders: Folders, temp: string, target: string): Promise<void> => {
  try {
    await replace(folders, temp, target)
  } catch (cause) {
    if (!hasCode(cause, "ENOTEMPTY", "EEXIST")) throw cause
    return merge(folders, temp, target)
  }
  try {
    await folders.sync(dirname(target))
  } catch (cause) {
    await rm(target, { recursive: true, force: true })
    throw cause
  }
}
