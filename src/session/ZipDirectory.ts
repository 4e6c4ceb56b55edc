import { type FileHandle, open } from "node:fs/promises"
import { Effect, type Scope } from "effect"
import yauzl from "yauzl"
import { ArchiveBomb, type ArchiveError, type ArchiveLimits, BrokenArchive, RefusedEntry } from "./Archive.ts"
import { ArchiveEntries, commonFolder, type EntryKind } from "./ArchiveEntries.ts"

/** Bytes of the header before each entry, without the name. */
export const LOCAL_HEADER_BYTES = 30
const STORED = 0
const DEFLATED = 8

/** The file type of a Unix mode, which sits in the upper half of the external attributes. */
const unixKinds: ReadonlyMap<number, EntryKind> = new Map([
  [0, "file"],
  [0o100000, "file"],
  [0o040000, "folder"],
  [0o120000, "link"],
  [0o020000, "device"],
  [0o060000, "device"]
])

/** One file of a zip, as its central directory tells. */
export interface ZipEntry {
  readonly path: string
  readonly size_bytes: number
  readonly packed_bytes: number
  readonly offset: number
  readonly deflated: boolean
  readonly crc32: number
}

/** What yauzl finds wrong is the archive's fault; what the system refuses is ours. */
const fromYauzl = <A>(evaluate: () => Promise<A>): Effect.Effect<A, BrokenArchive> =>
  Effect.promise(evaluate).pipe(
    Effect.catchAllDefect((cause) =>
      cause instanceof Error && !("syscall" in cause)
        ? Effect.fail(new BrokenArchive({ reason: cause.message }))
        : Effect.die(cause)
    )
  )

/**
 * Gives yauzl the file's bytes. Its own readers pass on any 64-bit offset that an archive names, and
 * the system call throws at one above 2^53, where nothing can catch it.
 */
class BoundedReader extends yauzl.RandomAccessReader {
  readonly #handle: FileHandle
  readonly #size: number

  constructor(handle: FileHandle, size: number) {
    super()
    this.#handle = handle
    this.#size = size
  }

  override read(buffer: Buffer, offset: number, length: number, at: number, callback: (error: Error | null) => void) {
    const ended = new Error("unexpected end of file")
    if (at + length > this.#size) setImmediate(callback, ended)
    else {
      this.#handle
        .read(buffer, offset, length, at)
        .then(({ bytesRead }) => callback(bytesRead < length ? ended : null), callback)
    }
  }

  override close(callback: (error: Error | null) => void) {
    callback(null)
  }
}

const openDirectory = (handle: FileHandle): Effect.Effect<yauzl.ZipFile, BrokenArchive> =>
  fromYauzl(async () => {
    const { size } = await handle.stat()
    // Names are decoded here, so that a bad one is refused by its name.
    const options = { autoClose: false, decodeStrings: false, validateEntrySizes: true }
    return yauzl.fromRandomAccessReaderPromise(new BoundedReader(handle, size), size, options)
  })

const kindOf = (entry: yauzl.Entry, name: string): EntryKind => {
  const kind = unixKinds.get((entry.externalFileAttributes >>> 16) & 0o170000) ?? "unknown"
  return kind === "file" && name.endsWith("/") ? "folder" : kind
}

const readEntry = (entry: yauzl.Entry, entries: ArchiveEntries) =>
  Effect.gen(function* () {
    const name = yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, entry.fileNameRaw, entry.extraFields, true)
    const path = yield* entries.admit(name, kindOf(entry, name))
    if (path === undefined) return undefined
    if (entry.isEncrypted()) return yield* new RefusedEntry({ entry: name, reason: "it is encrypted" })
    const method = entry.compressionMethod
    if (method !== STORED && method !== DEFLATED) {
      return yield* new RefusedEntry({ entry: name, reason: `its compression method ${method} is not supported` })
    }
    const { uncompressedSize, compressedSize, relativeOffsetOfLocalHeader } = entry
    return {
      path,
      size_bytes: uncompressedSize,
      packed_bytes: compressedSize,
      offset: relativeOffsetOfLocalHeader,
      deflated: method === DEFLATED,
      crc32: entry.crc32
    } satisfies ZipEntry
  })

const broken = (entry: ZipEntry, what: string) =>
  new BrokenArchive({ reason: `the entry ${JSON.stringify(entry.path)} ${what}` })

/** Entries that share bytes are how a small file declares petabytes. */
const checkPlaces = (entries: ReadonlyArray<ZipEntry>, fileSize: number): Effect.Effect<void, BrokenArchive> => {
  let end = 0
  for (const entry of entries.toSorted((one, other) => one.offset - other.offset)) {
    if (entry.offset < end) return broken(entry, "overlaps another")
    end = entry.offset + LOCAL_HEADER_BYTES + entry.packed_bytes
    if (end > fileSize) return broken(entry, "lies beyond the end of the file")
  }
  return Effect.void
}

/** Opens a file of the local disk for as long as the scope is; that it cannot be is a defect. */
export const openFile = (file: string): Effect.Effect<FileHandle, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => open(file, "r")),
    (handle) => Effect.promise(() => handle.close())
  )

/**
 * The files of a zip archive, all checked by what the central directory says of them, before any byte
 * is unpacked. Folders and what macOS adds are left out; a single folder around everything is
 * taken off the paths.
 */
export const readDirectory = (
  handle: FileHandle,
  limits: ArchiveLimits
): Effect.Effect<ReadonlyArray<ZipEntry>, ArchiveError> =>
  Effect.gen(function* () {
    const zip = yield* openDirectory(handle)
    if (zip.entryCount > limits.max_entries) {
      return yield* new ArchiveBomb({ reason: `holds more than ${limits.max_entries} entries` })
    }
    const names = new ArchiveEntries(limits)
    const directory = zip.eachEntry()
    const entries: Array<ZipEntry> = []
    for (;;) {
      const next = yield* fromYauzl(() => directory.next())
      if (next.done === true) break
      const entry = yield* readEntry(next.value, names)
      if (entry !== undefined) entries.push(entry)
    }
    const declared = entries.reduce((sum, entry) => sum + entry.size_bytes, 0)
    if (declared > limits.max_bytes) {
      return yield* new ArchiveBomb({ reason: `unpacks to more than ${limits.max_bytes} bytes` })
    }
    yield* checkPlaces(entries, zip.fileSize)
    const folder = commonFolder(entries.map((entry) => entry.path))
    return entries.map((entry) => ({ ...entry, path: entry.path.slice(folder.length) }))
  })

/** {@link readDirectory} of a file by its local path. */
export const zipEntries = (file: string, limits: ArchiveLimits): Effect.Effect<ReadonlyArray<ZipEntry>, ArchiveError> =>
  Effect.scoped(Effect.flatMap(openFile(file), (handle) => readDirectory(handle, limits)))
