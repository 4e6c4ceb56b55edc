import { type FileHandle, open } from "node:fs/promises"
import { crc32 } from "node:zlib"
import { Effect, Option, type Scope, Stream } from "effect"
import yauzl from "yauzl"
import {
  ArchiveBomb,
  type ArchiveError,
  type ArchiveLimits,
  BombMeter,
  BrokenArchive,
  type OnEntry,
  RefusedEntry
} from "./Archive.ts"
import { ArchiveEntries, commonFolder, type EntryKind } from "./ArchiveEntries.ts"
import { decode } from "./Decompress.ts"

const CHUNK_BYTES = 128 * 1024

const LOCAL_HEADER_BYTES = 30
const LOCAL_HEADER_SIGNATURE = 0x04034b50
const NAME_LENGTH_AT = 26
const EXTRA_LENGTH_AT = 28
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
const broken = (cause: unknown): Effect.Effect<never, BrokenArchive> =>
  cause instanceof Error && !("syscall" in cause)
    ? Effect.fail(new BrokenArchive({ reason: cause.message }))
    : Effect.die(cause)

const fromYauzl = <A>(evaluate: () => Promise<A>): Effect.Effect<A, BrokenArchive> =>
  Effect.catchAll(Effect.tryPromise({ try: evaluate, catch: (cause) => cause }), broken)

const openDirectory = (file: string): Effect.Effect<yauzl.ZipFile, BrokenArchive, Scope.Scope> =>
  Effect.acquireRelease(
    // Names are decoded here, so that a bad one is refused by its name.
    fromYauzl(() => yauzl.openPromise(file, { autoClose: false, decodeStrings: false, validateEntrySizes: true })),
    (zip) => Effect.sync(() => zip.close())
  )

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

/** Entries that share bytes are how a small file declares petabytes. */
const checkOverlap = (entries: ReadonlyArray<ZipEntry>): Effect.Effect<void, BrokenArchive> => {
  let end = 0
  for (const entry of entries.toSorted((one, other) => one.offset - other.offset)) {
    if (entry.offset < end)
      return new BrokenArchive({ reason: `the entry ${JSON.stringify(entry.path)} overlaps another` })
    end = entry.offset + LOCAL_HEADER_BYTES + entry.packed_bytes
  }
  return Effect.void
}

/**
 * The files of a zip archive, all checked by what the central directory says of them, before any byte
 * is unpacked. Folders and what macOS adds are left out; a single folder around everything is
 * taken off the paths.
 */
export const zipEntries = (file: string, limits: ArchiveLimits): Effect.Effect<ReadonlyArray<ZipEntry>, ArchiveError> =>
  Effect.gen(function* () {
    const zip = yield* openDirectory(file)
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
    yield* checkOverlap(entries)
    const folder = commonFolder(entries.map((entry) => entry.path))
    return entries.map((entry) => ({ ...entry, path: entry.path.slice(folder.length) }))
  }).pipe(Effect.scoped)

/** `length` bytes of the file from `start` on. */
const bytesOf = (handle: FileHandle, start: number, length: number): Stream.Stream<Uint8Array, BrokenArchive> =>
  Stream.unfoldEffect(0, (done) =>
    Effect.gen(function* () {
      if (done === length) return Option.none()
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, length - done))
      const { bytesRead } = yield* Effect.promise(() => handle.read(buffer, 0, buffer.length, start + done))
      if (bytesRead === 0) return yield* new BrokenArchive({ reason: "unexpected end of file" })
      return Option.some([buffer.subarray(0, bytesRead), done + bytesRead] as const)
    })
  )

/** Where an entry's bytes begin: its own header repeats the name, with another length of extra fields. */
const dataStart = (handle: FileHandle, entry: ZipEntry): Effect.Effect<number, BrokenArchive> =>
  Effect.gen(function* () {
    const header = Buffer.alloc(LOCAL_HEADER_BYTES)
    yield* Effect.promise(() => handle.read(header, 0, header.length, entry.offset))
    if (header.readUInt32LE(0) !== LOCAL_HEADER_SIGNATURE) {
      return yield* new BrokenArchive({ reason: `the entry ${JSON.stringify(entry.path)} has no header` })
    }
    const { length } = header
    return entry.offset + length + header.readUInt16LE(NAME_LENGTH_AT) + header.readUInt16LE(EXTRA_LENGTH_AT)
  })

const expandEntry = <E, R>(handle: FileHandle, entry: ZipEntry, meter: BombMeter, onEntry: OnEntry<E, R>) =>
  Effect.gen(function* () {
    const damaged = (what: string) => new BrokenArchive({ reason: `the entry ${JSON.stringify(entry.path)} ${what}` })
    const start = yield* dataStart(handle, entry)
    const sink = yield* onEntry(entry.path, entry.size_bytes)
    const packed = bytesOf(handle, start, entry.packed_bytes)
    let size = 0
    let checksum = 0
    meter.packed(entry.packed_bytes)
    const bytes = entry.deflated ? decode(packed, "deflate") : packed
    yield* Stream.runForEach(bytes, (chunk): Effect.Effect<void, ArchiveBomb | BrokenArchive | E, R> => {
      size += chunk.length
      checksum = crc32(chunk, checksum)
      if (size > entry.size_bytes) return damaged("is longer than it says")
      return meter.unpacked(chunk.length) ?? sink.write(chunk)
    })
    if (size < entry.size_bytes) return yield* damaged("is shorter than it says")
    if (checksum !== entry.crc32) return yield* damaged("does not match its checksum")
    yield* sink.end
  })

/**
 * Unpacks a zip file from the local disk, entry by entry and at the pace of the sinks, with a few
 * chunks of memory. On failure the sink that is open is not ended: the caller removes what was written.
 */
export const expandZip = <E, R>(
  file: string,
  limits: ArchiveLimits,
  onEntry: OnEntry<E, R>
): Effect.Effect<void, ArchiveError | E, R> =>
  Effect.gen(function* () {
    const entries = yield* zipEntries(file, limits)
    const handle = yield* Effect.acquireRelease(
      Effect.promise(() => open(file, "r")),
      (opened) => Effect.promise(() => opened.close())
    )
    const meter = new BombMeter(limits)
    yield* Effect.forEach(entries, (entry) => expandEntry(handle, entry, meter, onEntry), { discard: true })
  }).pipe(Effect.scoped)
