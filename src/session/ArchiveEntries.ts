import { Either } from "effect"
import { ArchiveBomb, type ArchiveLimits, RefusedEntry } from "./Archive.ts"
import { bundlePath } from "./BundlePath.ts"

export type EntryKind = "file" | "folder" | "link" | "device" | "unknown"

/** What macOS adds to archives: its own copies of attributes, under the names of real files. */
const isLitter = (path: string) => /(^|\/)(__MACOSX(\/|$)|\.DS_Store$|\._[^/]*$)/.test(path)

const refusals = {
  link: "it is a link",
  device: "it is a device",
  unknown: "it is of a kind that is not known"
} as const

/** Lets an archive's entries in one by one: each kind, path and count by the rules. */
export class ArchiveEntries {
  readonly #limits: ArchiveLimits
  readonly #paths = new Set<string>()
  #count = 0

  constructor(limits: ArchiveLimits) {
    this.#limits = limits
  }

  /** The path of a file; undefined for an entry that is passed over. */
  admit(name: string, kind: EntryKind): Either.Either<string | undefined, ArchiveBomb | RefusedEntry> {
    if (++this.#count > this.#limits.max_entries) {
      return Either.left(new ArchiveBomb({ reason: `holds more than ${this.#limits.max_entries} entries` }))
    }
    // "./" itself, or the folder that was taken off.
    if (name === "" && kind === "folder") return Either.right(undefined)
    const refuse = (reason: string) => Either.left(new RefusedEntry({ entry: name, reason }))
    if (kind !== "file" && kind !== "folder") return refuse(refusals[kind])
    const path = bundlePath(kind === "folder" ? name.replace(/\/$/, "") : name)
    if (Either.isLeft(path)) return refuse(path.left)
    if (kind === "folder" || isLitter(path.right)) return Either.right(undefined)
    if (this.#paths.has(path.right)) return refuse("another entry has the same path")
    this.#paths.add(path.right)
    return Either.right(path.right)
  }
}

/** Folders of a bundle that mean something by their name. */
const bundleFolders: ReadonlySet<string> = new Set(["screenshots/", "resources/"])

/** The outermost folder of a path, with its slash, if it is one that may be taken off; else empty. */
export const wrapperFolder = (path: string): string => {
  const folder = path.slice(0, path.indexOf("/") + 1)
  return bundleFolders.has(folder) ? "" : folder
}

/** The {@link wrapperFolder} that all these paths share; empty where they share none. */
export const commonFolder = (paths: ReadonlyArray<string>): string => {
  const folder = wrapperFolder(paths[0] ?? "")
  return paths.every((path) => path.startsWith(folder)) ? folder : ""
}
