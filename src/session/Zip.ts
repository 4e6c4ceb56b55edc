import type { FileHandle } from "node:fs/promises"
import { crc32, inflateRawSync } from "node:zlib"
import { Effect, Option, Stream } from "effect"
import {
  type ArchiveBomb,
  type ArchiveError,
  type ArchiveLimits,
  BombMeter,
  BrokenArchive,
  type OnEntry
} from "./Archive.ts"
import { decode } from "./Decompress.ts"
import { LOCAL_HEADER_BYTES, openFile, readDirectory, type ZipEntry } from "./ZipDirectory.ts"

const CHUNK_BYTES = 128 * 1024
/** Up to this size an entry is inflated at once: to set up a stream takes a hundred times longer. */
const SMALL_BYTES = 64 * 1024
const TOO_LONG = "is longer than it says"

const LOCAL_HEADER_SIGNATURE = 0x04034b50
const NAME_LENGTH_AT = 26
const EXTRA_LENGTH_AT = 28

/** At most `length` bytes of the file from `at` on; at least one. */
const readAt = (handle: FileHandle, at: number, length: number): Effect.Effect<Buffer, BrokenArchive> =>
  Effect.gen(function* () {
    const buffer = Buffer.allocUnsafe(length)
    const { bytesRead } = yield* Effect.promise(() => handle.read(buffer, 0, length, at))
    if (bytesRead === 0 && length > 0) return yield* new BrokenArchive({ reason: "unexpected end of file" })
    return buffer.subarray(0, bytesRead)
  })

const bytesOf = (handle: FileHandle, start: number, length: number): Stream.Stream<Uint8Array, BrokenArchive> =>
  Stream.unfoldEffect(0, (done) =>
    done === length
      ? Effect.succeedNone
      : Effect.map(readAt(handle, start + done, Math.min(CHUNK_BYTES, length - done)), (chunk) =>
          Option.some([chunk, done + chunk.length] as const)
        )
  )

/** Where an entry's bytes begin: its own header repeats the name, with another length of extra fields. */
const dataStart = (handle: FileHandle, entry: ZipEntry): Effect.Effect<number, BrokenArchive> =>
  Effect.gen(function* () {
    const header = yield* readAt(handle, entry.offset, LOCAL_HEADER_BYTES)
    if (header.length < LOCAL_HEADER_BYTES || header.readUInt32LE(0) !== LOCAL_HEADER_SIGNATURE) {
      return yield* damaged(entry, "has no header")
    }
    const variable = header.readUInt16LE(NAME_LENGTH_AT) + header.readUInt16LE(EXTRA_LENGTH_AT)
    return entry.offset + LOCAL_HEADER_BYTES + variable
  })

const damaged = (entry: ZipEntry, what: string) =>
  new BrokenArchive({ reason: `the entry ${JSON.stringify(entry.path)} ${what}` })

const inflateSmall = (entry: ZipEntry, packed: Buffer): Effect.Effect<Uint8Array, BrokenArchive> =>
  Effect.try({
    // One byte more than it should have shows that it has more.
    try: () => inflateRawSync(packed, { maxOutputLength: entry.size_bytes + 1 }),
    catch: (cause) =>
      cause instanceof RangeError ? damaged(entry, TOO_LONG) : damaged(entry, `cannot be inflated: ${String(cause)}`)
  })

/** Hands an entry's bytes over, and compares them with what the directory says of them. */
const expandEntry = <E, R>(handle: FileHandle, entry: ZipEntry, meter: BombMeter, onEntry: OnEntry<E, R>) =>
  Effect.gen(function* () {
    const start = yield* dataStart(handle, entry)
    const sink = yield* onEntry(entry.path, entry.size_bytes)
    let size = 0
    let checksum = 0
    const take = (chunk: Uint8Array): Effect.Effect<void, ArchiveBomb | BrokenArchive | E, R> => {
      size += chunk.length
      checksum = crc32(chunk, checksum)
      if (size > entry.size_bytes) return damaged(entry, TOO_LONG)
      return meter.unpacked(chunk.length) ?? sink.write(chunk)
    }
    meter.packed(entry.packed_bytes)
    if (entry.deflated && entry.packed_bytes <= SMALL_BYTES && entry.size_bytes <= SMALL_BYTES) {
      const packed = yield* readAt(handle, start, entry.packed_bytes)
      yield* take(yield* inflateSmall(entry, packed))
    } else {
      const bytes = bytesOf(handle, start, entry.packed_bytes)
      yield* Stream.runForEach(entry.deflated ? decode(bytes, "deflate") : bytes, take)
    }
    if (size < entry.size_bytes) return yield* damaged(entry, "is shorter than it says")
    if (checksum !== entry.crc32) return yield* damaged(entry, "does not match its checksum")
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
    const handle = yield* openFile(file)
    const entries = yield* readDirectory(handle, limits)
    const meter = new BombMeter(limits)
    yield* Effect.forEach(entries, (entry) => expandEntry(handle, entry, meter, onEntry), { discard: true })
  }).pipe(Effect.scoped)
