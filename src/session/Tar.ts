import { Effect, Predicate, type Scope, Stream } from "effect"
import { type Extract, extract } from "tar-stream"
import {
  type ArchiveBomb,
  type ArchiveError,
  type ArchiveLimits,
  BombMeter,
  BrokenArchive,
  type OnEntry
} from "./Archive.ts"
import { ArchiveEntries, type EntryKind, wrapperFolder } from "./ArchiveEntries.ts"

const BLOCK_BYTES = 512

const kinds: ReadonlyMap<string | null, EntryKind> = new Map([
  ["file", "file"],
  ["contiguous-file", "file"],
  ["directory", "folder"],
  ["link", "link"],
  ["symlink", "link"],
  ["character-device", "device"],
  ["block-device", "device"],
  ["fifo", "device"]
])

const broken = (cause: unknown) => new BrokenArchive({ reason: cause instanceof Error ? cause.message : String(cause) })

/** The last block's worth of a stream: a whole tar ends in blocks of zeros. */
class Tail {
  #last: Buffer = Buffer.alloc(0)

  add(chunk: Uint8Array): void {
    const kept = chunk.length >= BLOCK_BYTES ? [chunk.subarray(-BLOCK_BYTES)] : [this.#last, chunk]
    this.#last = Buffer.from(Buffer.concat(kept).subarray(-BLOCK_BYTES))
  }

  get zeros(): boolean {
    return this.#last.length === BLOCK_BYTES && this.#last.every((byte) => byte === 0)
  }
}

const openExtract: Effect.Effect<Extract, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => {
    const tar = extract()
    // Its iterator reports every error; this keeps one that comes after the last read from being thrown.
    tar.on("error", () => {})
    return tar
  }),
  (tar) => Effect.sync(() => tar.destroy())
)

const write = (tar: Extract, chunk: Uint8Array): Effect.Effect<void> =>
  Effect.async((resume) => {
    if (tar.write(chunk)) resume(Effect.void)
    else tar.once("drain", () => resume(Effect.void))
  })

/** Puts the stream into the tar reader, whose errors come out with the entries. */
const feed = <E, R>(tar: Extract, stream: Stream.Stream<Uint8Array, E, R>, meter: BombMeter) =>
  Effect.gen(function* () {
    const tail = new Tail()
    yield* Stream.runForEach(stream, (chunk) => {
      tail.add(chunk)
      meter.packed(chunk.length)
      return write(tar, chunk)
    })
    if (!tail.zeros) return yield* new BrokenArchive({ reason: "unexpected end of file" })
    tar.end(undefined)
  })

/** Takes off the folder that the archive's first entry is, if it is one. */
class TopFolder {
  #folder: string | undefined

  strip(name: string, kind: EntryKind): string {
    const path = name.replace(/^(\.\/)+/, "")
    this.#folder ??= kind === "folder" ? wrapperFolder(path) : ""
    return path.startsWith(this.#folder) ? path.slice(this.#folder.length) : path
  }
}

const expandEntries = <E, R>(tar: Extract, limits: ArchiveLimits, meter: BombMeter, onEntry: OnEntry<E, R>) =>
  Effect.gen(function* () {
    const entries = new ArchiveEntries(limits)
    const top = new TopFolder()
    const reader = tar[Symbol.asyncIterator]()
    for (;;) {
      const next = yield* Effect.tryPromise({ try: () => reader.next(), catch: broken })
      if (next.done === true) return
      const { header } = next.value
      const kind = kinds.get(header.type) ?? "unknown"
      const path = yield* entries.admit(top.strip(header.name, kind), kind)
      const bytes = Stream.filter(Stream.fromAsyncIterable(next.value, broken), Predicate.isUint8Array)
      if (path === undefined) yield* Stream.runDrain(bytes)
      else {
        const sink = yield* onEntry(path, header.size)
        yield* Stream.runForEach(
          bytes,
          (chunk): Effect.Effect<void, ArchiveBomb | E, R> => meter.unpacked(chunk.length) ?? sink.write(chunk)
        )
        yield* sink.end
      }
    }
  })

/**
 * Unpacks a tar stream (ustar, pax and GNU), entry by entry and at the pace of the sinks, with a few
 * chunks of memory. As nobody knows what is still to come, a folder is taken off the paths only if
 * the archive's first entry is that folder, as `tar -c run` makes it; what lies outside of it keeps
 * its path. On failure the sink that is open is not ended: the caller removes what was written.
 */
export const expandTar = <E, R, E2, R2>(
  stream: Stream.Stream<Uint8Array, E, R>,
  limits: ArchiveLimits,
  onEntry: OnEntry<E2, R2>
): Effect.Effect<void, ArchiveError | E | E2, R | R2> =>
  Effect.gen(function* () {
    const tar = yield* openExtract
    const meter = new BombMeter(limits)
    yield* Effect.all([feed(tar, stream, meter), expandEntries(tar, limits, meter, onEntry)], {
      concurrency: "unbounded",
      discard: true
    })
  }).pipe(Effect.scoped)
