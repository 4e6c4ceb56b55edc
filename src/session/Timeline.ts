import { Chunk, Effect, Option, type Scope, Stream } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import type { Tenant } from "../domain/Principal.ts"
import { type Session, SessionNotReady, sessionNotFound } from "../domain/session/Session.ts"
import type { DraftEvent, TimelineEvent, TimelineUnreadable } from "../domain/session/Timeline.ts"
import { ObjectStore, type ObjectStoreError } from "../platform/ObjectStore.ts"
import { makePace } from "../platform/Pace.ts"
import { Settings } from "../platform/Settings.ts"
import type { FileReader } from "./formats/Adapter.ts"
import { openTraceZip } from "./PlaywrightZip.ts"
import { Redactor } from "./Redaction.ts"
import { SessionsRepo } from "./SessionsRepo.ts"
import { TimelineMerge } from "./TimelineMerge.ts"
import { type TimelineSource, timelineSources } from "./TimelineSources.ts"

export type TimelineError = TimelineUnreadable | Unavailable

type Drafts = Stream.Stream<ReadonlyArray<DraftEvent>, TimelineError>
type Pull = Effect.Effect<Chunk.Chunk<ReadonlyArray<DraftEvent>>, Option.Option<TimelineError>>

/** Files that are read side by side; further ones are read one after the other. */
const MAX_SIDE_BY_SIDE = 32
const EVENTS_AT_ONCE = 64
/** Of a file, between two looks at what else there is to do. */
const BYTES_AT_ONCE = 64 * 1024
const FILES_AT_ONCE = 1000

const away = (error: ObjectStoreError) => new Unavailable({ detail: error.message, retry_after_s: 5 })

function* pieces(chunk: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < chunk.length; at += BYTES_AT_ONCE) yield chunk.subarray(at, at + BYTES_AT_ONCE)
}

/** The events of a file's bytes: those before its failure come before it. */
const read = <E>(bytes: Stream.Stream<Uint8Array, E>, open: () => FileReader) =>
  Stream.suspend(() => {
    const reader = open()
    const pace = makePace()
    return Stream.concat(
      bytes.pipe(
        Stream.flatMap((chunk) => Stream.fromIterable(pieces(chunk))),
        Stream.mapEffect((piece) => Effect.map(pace, () => reader.write(piece)))
      ),
      Stream.sync(() => reader.end())
    ).pipe(
      Stream.flatMap((events) =>
        reader.failure === undefined ? Stream.succeed(events) : Stream.concat(Stream.succeed(events), reader.failure)
      )
    )
  })

const pullFrom = (pull: Pull) =>
  Effect.catchAll(pull, (end) => (Option.isNone(end) ? Effect.succeed(undefined) : Effect.fail(Option.some(end.value))))

const merged = (sources: ReadonlyArray<Drafts>): Stream.Stream<DraftEvent, TimelineError> =>
  Stream.unwrapScoped(
    Effect.gen(function* () {
      const chained =
        sources.length <= MAX_SIDE_BY_SIDE
          ? sources
          : [
              ...sources.slice(0, MAX_SIDE_BY_SIDE - 1),
              Stream.concatAll(Chunk.fromIterable(sources.slice(MAX_SIDE_BY_SIDE - 1)))
            ]
      const pulls = yield* Effect.forEach(chained, (source) => Stream.toPull(source))
      const merge = new TimelineMerge(pulls.length)
      const pace = makePace()
      const next = Effect.gen(function* () {
        yield* pace
        for (let file = merge.wanted; file !== undefined; file = merge.wanted) {
          const pull = pulls[file]
          const chunk = pull === undefined ? undefined : yield* pullFrom(pull)
          merge.give(file, chunk === undefined ? undefined : Chunk.toReadonlyArray(chunk).flat())
        }
        const events = merge.take(EVENTS_AT_ONCE)
        return events.length === 0 ? yield* Effect.fail(Option.none()) : Chunk.unsafeFromArray(events)
      })
      return Stream.repeatEffectChunkOption(next)
    })
  )

/** Numbers the events, and takes note of how many there are and when they happened. */
const numbered = (drafts: Stream.Stream<DraftEvent, TimelineError>, redactor: Redactor) => {
  const seen = { event_count: 0, started_at: null as string | null, ended_at: null as string | null }
  const events = Stream.map(drafts, (draft): TimelineEvent => {
    const { at } = draft
    // All of one form: their order as texts is their order in time.
    if (at !== null && (seen.started_at === null || at < seen.started_at)) seen.started_at = at
    if (at !== null && (seen.ended_at === null || at > seen.ended_at)) seen.ended_at = at
    return { seq: seen.event_count++, ...redactor.event(draft) }
  })
  return { events, seen }
}

/** Makes the timelines of sessions from their files, which stay as they are. */
export class Timeline extends Effect.Service<Timeline>()("session/Timeline", {
  dependencies: [SessionsRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* SessionsRepo
    const store = yield* ObjectStore
    const { data, ingest, redaction } = yield* Settings
    const limits = { max_bytes: ingest.max_session_bytes, max_entries: ingest.max_files_per_session }

    const bytesOf = (key: string): Stream.Stream<Uint8Array, Unavailable> =>
      // The row says that the object is there: its absence is a fault of ours.
      Stream.unwrap(Effect.catchTag(store.read(key), "ObjectNotFound", Effect.die)).pipe(Stream.mapError(away))

    const draftsOf = (
      prefix: string,
      source: TimelineSource
    ): Effect.Effect<ReadonlyArray<Drafts>, TimelineError, Scope.Scope> => {
      switch (source.from) {
        case "names":
          return Effect.succeed([Stream.succeed(source.events)])
        case "file":
          return Effect.succeed([read(bytesOf(prefix + source.path), source.open)])
        case "zip":
          return openTraceZip({
            path: source.path,
            bytes: bytesOf(prefix + source.path),
            data_dir: data.data_dir,
            limits
          }).pipe(
            Effect.map((entries) =>
              entries.map(({ bytes, open }) =>
                Stream.mapError(read(bytes, open), (error) =>
                  error._tag === "TimelineUnreadable" ? error : away(error)
                )
              )
            )
          )
      }
    }

    const allFiles = (tenant: Tenant, session: Session) =>
      Stream.runCollect(
        Stream.paginateChunkEffect(undefined as string | undefined, (last) =>
          Effect.map(repo.files(tenant, session.id, last, FILES_AT_ONCE), (rows) => [
            Chunk.fromIterable(rows.slice(0, FILES_AT_ONCE)),
            rows.length > FILES_AT_ONCE ? Option.some(rows[FILES_AT_ONCE - 1]?.path) : Option.none()
          ])
        )
      )

    /**
     * The session's events in the order of their time, numbered and without secrets, made as they are
     * asked for: no more than a part of each file is in memory. The same files give the same events.
     * A file that is not what its format says ends the stream with {@link TimelineUnreadable}. The
     * first time that all was read, the session is told how many events it has, and from when to when.
     * @returns the events, and how many secrets of each kind were taken out of those that were read
     */
    const open = Effect.fn("Timeline.open")(function* (tenant: Tenant, session: Session) {
      const { format, status } = session
      if (status !== "READY" || format === null) {
        return yield* new SessionNotReady({ id: session.id, session_status: status })
      }
      const prefix = yield* repo.storagePath(tenant, session.id)
      if (prefix === undefined) return yield* sessionNotFound(session.id)
      const files = Chunk.toReadonlyArray(yield* allFiles(tenant, session))
      const redactor = new Redactor(redaction.patterns)
      const drafts = Stream.unwrapScoped(
        Effect.map(
          Effect.forEach(timelineSources(format, files), (source) => draftsOf(prefix, source)),
          (sources) => merged(sources.flat())
        )
      )
      const { events, seen } = numbered(drafts, redactor)
      const told = Stream.suspend(() => Stream.drain(Stream.fromEffect(repo.recordTimeline(tenant, session.id, seen))))
      return {
        events: session.event_count === null ? Stream.concat(events, told) : events,
        redacted: () => redactor.counts
      }
    })

    return { open } as const
  })
}) {}
