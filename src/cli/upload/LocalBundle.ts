import type { Dirent } from "node:fs"
import { readdir, stat } from "node:fs/promises"
import { basename, join, resolve } from "node:path"
import { Effect, Schema } from "effect"

/** One file on this machine, and its name in the bundle. */
export interface LocalFile {
  readonly path: string
  readonly name: string
  readonly size_bytes: number
  readonly modified_ms: number
}

/** What is to be uploaded: one file, or all below a folder. */
export interface LocalBundle {
  /** The name of the file or folder itself. */
  readonly name: string
  readonly kind: "file" | "folder"
  readonly files: ReadonlyArray<LocalFile>
  /** Hidden files, links, pipes and the like, which are left out. */
  readonly skipped: number
}

/** The file or folder cannot be uploaded. */
export class SourceUnusable extends Schema.TaggedError<SourceUnusable>("cli/SourceUnusable")("SourceUnusable", {
  path: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `${this.path}: ${this.reason}`
  }
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "this user may not read it",
  EPERM: "this user may not read it"
}

/** Runs work on a path; its failure says the path and why, in words. */
export const reading = <A>(path: string, work: () => Promise<A>) =>
  Effect.tryPromise({
    try: work,
    catch: (cause) => {
      const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
      return new SourceUnusable({ path, reason: reasons[code] ?? String(cause) })
    }
  })

const isHidden = (entry: Dirent) => entry.name.startsWith(".")

interface Found {
  readonly files: Array<LocalFile>
  skipped: number
}

const walk = (folder: string, below: string, found: Found): Effect.Effect<void, SourceUnusable> =>
  Effect.gen(function* () {
    const here = join(folder, below)
    const entries = yield* reading(here, () => readdir(here, { withFileTypes: true }))
    for (const entry of entries.toSorted((left, right) => (left.name < right.name ? -1 : 1))) {
      const name = below === "" ? entry.name : `${below}/${entry.name}`
      if (!isHidden(entry) && entry.isDirectory()) yield* walk(folder, name, found)
      else if (!isHidden(entry) && entry.isFile()) {
        const path = join(folder, name)
        const { size, mtimeMs } = yield* reading(path, () => stat(path))
        found.files.push({ path, name, size_bytes: size, modified_ms: mtimeMs })
      } else found.skipped++
    }
  })

/**
 * What there is to upload at a path. Of a folder: every file below it under its relative path,
 * without hidden ones; links are not followed.
 */
export const localBundle = Effect.fn("Upload.localBundle")(function* (path: string) {
  const root = resolve(path)
  const about = yield* reading(path, () => stat(root))
  if (about.isFile()) {
    const file = { path: root, name: basename(root), size_bytes: about.size, modified_ms: about.mtimeMs }
    return { name: file.name, kind: "file", files: [file], skipped: 0 } satisfies LocalBundle
  }
  if (!about.isDirectory()) return yield* new SourceUnusable({ path, reason: "it is neither a file nor a folder" })
  const found: Found = { files: [], skipped: 0 }
  yield* walk(root, "", found)
  if (found.files.length > 0) return { name: basename(root), kind: "folder", ...found } satisfies LocalBundle
  const reason = "there is nothing to upload in this folder (hidden files and links are left out)"
  return yield* new SourceUnusable({ path, reason })
})
