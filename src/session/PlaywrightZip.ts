import { Effect, Scope, Stream } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import { TimelineUnreadable } from "../domain/session/Timeline.ts"
import type { ObjectStoreError, ObjectStoreUnavailable } from "../platform/ObjectStore.ts"
import type { ArchiveError, ArchiveLimits, Sink } from "./Archive.ts"
import type { FileReader } from "./formats/Adapter.ts"
import { readSpooled, spoolFile } from "./Spool.ts"
import { playwrightSources } from "./TimelineSources.ts"
import { expandZip } from "./Zip.ts"

/** A report holds a trace for each failed test. Each file is open while the timeline is read. */
const MAX_TRACE_FILES = 256
/** A report's zip holds zips of traces. */
const MAX_NESTING = 2

interface TraceZip {
  readonly path: string
  readonly bytes: Stream.Stream<Uint8Array, Unavailable>
  readonly data_dir: string
  readonly limits: ArchiveLimits
}

interface Spooled {
  /** The zip's path in the bundle, and the entry's in the zip: `trace.zip/0-trace.trace`. */
  readonly path: string
  readonly file: string
}

interface TraceEntry {
  readonly bytes: Stream.Stream<Uint8Array, ObjectStoreUnavailable>
  readonly open: () => FileReader
}

const discard: Sink = { write: () => Effect.void, end: Effect.void }

const toTimelineError =
  (path: string) => (error: ArchiveError | ObjectStoreError | TimelineUnreadable | Unavailable) => {
    switch (error._tag) {
      case "TimelineUnreadable":
      case "Unavailable":
        return error
      case "ObjectStoreFull":
      case "ObjectStoreUnavailable":
        return new Unavailable({ detail: error.message, retry_after_s: 5 })
      default:
        return new TimelineUnreadable({ file: path, line: null, reason: error.message })
    }
  }

type SpoolError = ArchiveError | ObjectStoreError | TimelineUnreadable

/** Spools the files of the zip that a timeline is made of, and of the zips in it, for as long as the scope is. */
const spoolEntries = (
  zip: Spooled,
  options: TraceZip,
  nesting: number
): Effect.Effect<ReadonlyArray<Spooled>, SpoolError, Scope.Scope> =>
  Effect.gen(function* () {
    const found: Array<Spooled> = []
    const sink = (entry: string): Effect.Effect<Sink<SpoolError>, SpoolError, Scope.Scope> => {
      if (!/\.(trace|network)$/.test(entry) && !(entry.endsWith(".zip") && nesting < MAX_NESTING)) {
        return Effect.succeed(discard)
      }
      if (found.length >= MAX_TRACE_FILES) {
        return new TimelineUnreadable({
          file: zip.path,
          line: null,
          reason: `holds more than ${MAX_TRACE_FILES} traces`
        })
      }
      return Effect.map(spoolFile(options.data_dir), ({ path, write }) => {
        found.push({ path: `${zip.path}/${entry}`, file: path })
        return { write, end: Effect.void }
      })
    }
    const scope = yield* Effect.scope
    yield* expandZip(zip.file, options.limits, (entry) => Scope.extend(sink(entry), scope))
    const all = yield* Effect.forEach(found, (each) =>
      each.path.endsWith(".zip") ? spoolEntries(each, options, nesting + 1) : Effect.succeed([each])
    )
    return all.flat()
  })

/** The trace files in a Playwright `trace.zip`, or in a report's zip: a zip is read from its end, so it is spooled first. */
export const openTraceZip = (
  options: TraceZip
): Effect.Effect<ReadonlyArray<TraceEntry>, TimelineUnreadable | Unavailable, Scope.Scope> =>
  Effect.gen(function* () {
    const { path: file, write } = yield* spoolFile(options.data_dir)
    yield* Stream.runForEach(options.bytes, write)
    const spooled = yield* spoolEntries({ path: options.path, file }, options, 0)
    const folders = Map.groupBy(spooled, ({ path }) => path.slice(0, path.lastIndexOf("/")))
    return [...folders.values()].flatMap((files) =>
      playwrightSources(files).map((each) => ({ bytes: readSpooled(each.file), open: each.open }))
    )
  }).pipe(Effect.mapError(toTimelineError(options.path)))
