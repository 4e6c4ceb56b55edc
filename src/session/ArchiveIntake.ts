import { Effect, Fiber, Queue, Scope, Stream, Take } from "effect"
import { Issue, PayloadTooLarge } from "../domain/Errors.ts"
import { SessionRejected } from "../domain/session/Session.ts"
import { type ArchiveError, SNIFF_BYTES, sniffArchive } from "./Archive.ts"
import { decompress } from "./Decompress.ts"
import { isPlaywrightTrace } from "./Format.ts"
import type { Intake, IntakeError, Limits, Sink } from "./Intake.ts"
import { readSpooled, spoolFile } from "./Spool.ts"
import { expandTar } from "./Tar.ts"
import { expandZip } from "./Zip.ts"
import { zipEntries } from "./ZipDirectory.ts"

export interface ArchiveOptions {
  readonly intake: Intake
  readonly limits: Limits
  /** Where archives are kept that have to be whole before they can be read. */
  readonly data_dir: string
  /** The name that the upload came with. */
  readonly name: string
  /** Where the files go in the bundle: empty, or ending in a slash. */
  readonly folder: string
}

/** Encodings of a single stream, as a file's content or as HTTP's Content-Encoding. */
export type Compression = "gzip" | "zstd"

type Chunks = Stream.Stream<Uint8Array, IntakeError | ArchiveError>
type Consumer = (chunks: Chunks) => Effect.Effect<void, IntakeError | ArchiveError, Scope.Scope>
type ScopedSink = Effect.Effect<Sink<IntakeError>, IntakeError, Scope.Scope>

/** A few chunks between the socket and the unpacking. */
const buffered = 4

const toIntakeError =
  (name: string, limit: number) =>
  (error: IntakeError | ArchiveError): IntakeError => {
    switch (error._tag) {
      case "ArchiveBomb":
        return new PayloadTooLarge({ detail: `${name}: ${error.message}`, limit })
      case "BrokenArchive":
      case "RefusedEntry":
        return new SessionRejected({
          detail: `${name}: ${error.message}`,
          errors: [new Issue({ path: name, message: error.message })]
        })
      default:
        return error
    }
  }

const bounds = ({ limits }: ArchiveOptions) => ({
  max_bytes: limits.max_session_bytes,
  max_entries: limits.max_files_per_session
})

/** A sink whose bytes a consumer of a stream takes, with back-pressure; the consumer's failure is the sink's. */
const piped = (options: ArchiveOptions, consume: Consumer): ScopedSink =>
  Effect.gen(function* () {
    const queue = yield* Queue.bounded<Take.Take<Uint8Array>>(buffered)
    const chunks = Stream.flattenTake(Stream.fromQueue(queue))
    const fiber = yield* consume(chunks).pipe(
      Effect.mapError(toIntakeError(options.name, options.limits.max_session_bytes)),
      Effect.forkScoped
    )
    // A consumer that ended well has seen the archive's end: what follows is not looked at.
    const offer = (take: Take.Take<Uint8Array>) => Effect.raceFirst(Queue.offer(queue, take), Fiber.join(fiber))
    return {
      write: (chunk) => Effect.asVoid(offer(Take.of(chunk))),
      end: Effect.zipRight(offer(Take.end), Fiber.join(fiber))
    }
  })

/** Holds back the first bytes until they tell what follows, then opens the sink for it. */
const sniffing = (open: (first: Uint8Array) => ScopedSink): Effect.Effect<Sink<IntakeError>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let first = new Uint8Array(0)
    let sink: Sink<IntakeError> | undefined
    const decide = Effect.gen(function* () {
      sink = yield* Scope.extend(open(first), scope)
      yield* sink.write(first)
      return sink
    })
    return {
      write: (chunk) => {
        if (sink !== undefined) return sink.write(chunk)
        first = Buffer.concat([first, chunk])
        return first.length < SNIFF_BYTES ? Effect.void : Effect.asVoid(decide)
      },
      end: Effect.suspend(() => (sink === undefined ? Effect.flatMap(decide, (made) => made.end) : sink.end))
    }
  })

/** The file is whole on the local disk: unpacks it, and keeps the archive too when it is itself a recording. */
const expandSpooledZip = (options: ArchiveOptions, path: string, size: number) =>
  Effect.gen(function* () {
    const { intake, folder, name } = options
    const entries = yield* zipEntries(path, bounds(options))
    if (isPlaywrightTrace(entries.map((entry) => entry.path))) {
      const whole = yield* intake.file(/\.zip$/i.test(name) ? name : "trace.zip", size)
      yield* Stream.runForEach(readSpooled(path), whole.write)
      yield* whole.end
    }
    yield* expandZip(path, bounds(options), (entry, size_hint) => intake.file(folder + entry, size_hint))
  })

/** A zip is read from its end: it waits on the local disk until it is whole. */
const zipSink = (options: ArchiveOptions): ScopedSink =>
  Effect.map(spoolFile(options.data_dir), ({ path, write }) => {
    let size = 0
    return {
      write: (chunk) => {
        size += chunk.length
        return size > options.limits.max_session_bytes
          ? new PayloadTooLarge({
              detail: `${options.name}: larger than a session may be`,
              limit: options.limits.max_session_bytes
            })
          : write(chunk)
      },
      end: Effect.mapError(
        Effect.suspend(() => expandSpooledZip(options, path, size)),
        toIntakeError(options.name, options.limits.max_session_bytes)
      )
    }
  })

const tarSink = (options: ArchiveOptions): ScopedSink =>
  piped(options, (chunks) =>
    expandTar(chunks, bounds(options), (entry, size_hint) => options.intake.file(options.folder + entry, size_hint))
  )

const decompressing = (options: ArchiveOptions, encoding: Compression, open: ScopedSink): ScopedSink =>
  piped(options, (chunks) =>
    Effect.gen(function* () {
      const inner = yield* open
      yield* Stream.runForEach(decompress(chunks, encoding, bounds(options)), inner.write)
      yield* inner.end
    })
  )

/** gzip and zstd hold one file: an archive or a recording. What they hold is not decompressed again. */
const compressedSink = (options: ArchiveOptions, encoding: Compression): ScopedSink => {
  const inner = { ...options, name: options.name.replace(/\.tgz$/i, ".tar").replace(/\.(gz|zst|zstd)$/i, "") }
  return decompressing(
    options,
    encoding,
    sniffing((first) => {
      const kind = sniffArchive(first)
      if (kind === "zip") return zipSink(inner)
      return kind === "tar" ? tarSink(inner) : options.intake.file(inner.folder + inner.name, undefined)
    })
  )
}

/** Takes one upload whose bytes say what it is: an archive, which is expanded, or a single file. */
export const archiveSink = (
  options: ArchiveOptions,
  size_hint?: number
): Effect.Effect<Sink<IntakeError>, never, Scope.Scope> =>
  sniffing((first) => {
    const kind = sniffArchive(first)
    if (kind === "zip") return zipSink(options)
    if (kind === "tar") return tarSink(options)
    if (kind === "gzip" || kind === "zstd") return compressedSink(options, kind)
    return options.intake.file(options.folder + options.name, size_hint)
  })

/** As {@link archiveSink}, for bytes that were compressed for the way only: what they were before is what was sent. */
export const encodedSink = (options: ArchiveOptions, encoding: Compression): ScopedSink =>
  decompressing(options, encoding, archiveSink(options))
