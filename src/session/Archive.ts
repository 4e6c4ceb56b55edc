import { type Effect, Schema } from "effect"

/** Unpacked, the archive is out of all proportion or above a limit. */
export class ArchiveBomb extends Schema.TaggedError<ArchiveBomb>("session/ArchiveBomb")("ArchiveBomb", {
  reason: Schema.String
}) {
  override get message() {
    return `the archive ${this.reason}`
  }
}

/** The archive is damaged, cut off, or not an archive. */
export class BrokenArchive extends Schema.TaggedError<BrokenArchive>("session/BrokenArchive")("BrokenArchive", {
  reason: Schema.String
}) {
  override get message() {
    return `the archive is broken: ${this.reason}`
  }
}

/** The archive holds something that is never unpacked: a link, an encrypted file, a path that leads elsewhere. */
export class RefusedEntry extends Schema.TaggedError<RefusedEntry>("session/RefusedEntry")("RefusedEntry", {
  entry: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the archive's entry ${JSON.stringify(this.entry)} is refused: ${this.reason}`
  }
}

export type ArchiveError = ArchiveBomb | BrokenArchive | RefusedEntry

export interface ArchiveLimits {
  /** Bytes of all files together, unpacked. */
  readonly max_bytes: number
  /** Entries of any kind, folders too. */
  readonly max_entries: number
}

/** Takes the bytes of one file. A chunk belongs to the sink until `write` returns. */
export interface Sink<E = never, R = never> {
  readonly write: (chunk: Uint8Array) => Effect.Effect<void, E, R>
  /** Called once, when the whole file came and is sound. */
  readonly end: Effect.Effect<void, E, R>
}

/**
 * Opens a sink for the next file; the one before has ended.
 * @param path as `bundlePath` gives it, unique within the archive
 * @param size_hint bytes, as the archive declares them
 */
export type OnEntry<E, R> = (path: string, size_hint: number | undefined) => Effect.Effect<Sink<E, R>, E, R>

export type ArchiveKind = "zip" | "gzip" | "zstd" | "tar"

/** How much of a file's beginning {@link sniffArchive} wants to see. */
export const SNIFF_BYTES = 512

const TAR_MAGIC_AT = 257

const magics: ReadonlyArray<readonly [ArchiveKind, at: number, magic: Buffer]> = [
  ["zip", 0, Buffer.from([0x50, 0x4b, 0x03, 0x04])],
  // An empty zip is its end record alone.
  ["zip", 0, Buffer.from([0x50, 0x4b, 0x05, 0x06])],
  ["gzip", 0, Buffer.from([0x1f, 0x8b])],
  ["zstd", 0, Buffer.from([0x28, 0xb5, 0x2f, 0xfd])],
  ["tar", TAR_MAGIC_AT, Buffer.from("ustar")]
]

/** The kind of archive that begins with these bytes, by their magic numbers. */
export const sniffArchive = (first: Uint8Array): ArchiveKind | undefined =>
  magics.find(([, at, magic]) => magic.equals(first.subarray(at, at + magic.length)))?.[0]

const MAX_RATIO = 100
/** Below this any ratio is harmless. */
const RATIO_FROM_BYTES = 64 * 1024 * 1024

/** Compares what an archive becomes with what it was, as both go by. */
export class BombMeter {
  readonly #maxBytes: number
  #packed = 0
  #unpacked = 0

  constructor(limits: ArchiveLimits) {
    this.#maxBytes = limits.max_bytes
  }

  packed(bytes: number): void {
    this.#packed += bytes
  }

  unpacked(bytes: number): ArchiveBomb | undefined {
    this.#unpacked += bytes
    if (this.#unpacked > this.#maxBytes)
      return new ArchiveBomb({ reason: `unpacks to more than ${this.#maxBytes} bytes` })
    return this.#unpacked > RATIO_FROM_BYTES && this.#unpacked > MAX_RATIO * this.#packed
      ? new ArchiveBomb({ reason: `unpacks to more than ${MAX_RATIO} times its size` })
      : undefined
  }
}
