import { Clock, Duration, Effect, Option, Stream } from "effect"
import { firstIdAt, idTime } from "../platform/Id.ts"
import { ObjectStore } from "../platform/ObjectStore.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { IdempotencyRepo } from "./IdempotencyRepo.ts"
import { Removals } from "./Removals.ts"
import { clearSpool } from "./Spool.ts"
import { UploadLeases } from "./UploadLeases.ts"
import { DIRECT_OBJECT, type Ended, UploadsRepo, uploadPrefix } from "./UploadsRepo.ts"
import { UploadTimes } from "./UploadTimes.ts"

/** How often the whole store is looked at. */
const wholeEvery = Duration.hours(24)
/** Between two looks at the whole store, only what began within this span is looked at. */
const recent = Duration.hours(25)
const batchSize = 500
/** A part of a living upload that got no byte for so long was written by a process that is no more. */
const abandoned_ms = Duration.toMillis(Duration.hours(1))

const kinds = ["sessions", "uploads"] as const
type Kind = (typeof kinds)[number]

/** A folder of the store that somebody may still ask for, or nobody. */
interface Candidate {
  readonly prefix: string
  readonly kind: Kind
  readonly id: string
}

const isId = (name: string) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(name)
const examplePrefix = /^orgs\/[^/]+\/examples\//
const entityPrefix = /^(orgs\/[^/]+\/(sessions|uploads)\/([^/]+)\/)/

/** The session or upload that a prefix belongs to. */
const candidateOf = (prefix: string): Candidate | undefined => {
  const [, own = "", kind, id = ""] = entityPrefix.exec(prefix) ?? []
  return (kind === "sessions" || kind === "uploads") && isId(id) ? { prefix: own, kind, id } : undefined
}

/**
 * Removes what cut-off uploads and deletions left in the object store: folders of sessions and uploads,
 * temp folders and open multipart uploads that no row and no live lease speaks for, and what killed
 * writes of examples left; and ends uploads that nobody came back for. Two at once do no harm.
 */
export class Collector extends Effect.Service<Collector>()("session/Collector", {
  dependencies: [UploadLeases.Default, UploadsRepo.Default, Removals.Default, IdempotencyRepo.Default, Metrics.Default],
  effect: Effect.gen(function* () {
    const store = yield* ObjectStore
    const leases = yield* UploadLeases
    const uploads = yield* UploadsRepo
    const removals = yield* Removals
    const keys = yield* IdempotencyRepo
    const metrics = yield* Metrics
    const { data, ingest } = yield* Settings
    const times = yield* UploadTimes
    const grace_ms = Duration.toMillis(Duration.sum(times.lease, times.margin))

    const prefixes = (since: number) =>
      store.folders("orgs/").pipe(
        Stream.filter(isId),
        Stream.flatMap((org) =>
          Stream.flatMap(Stream.fromIterable(kinds), (kind) => {
            const folder = `orgs/${org}/${kind}/`
            return Stream.map(store.folders(folder, firstIdAt(since)), (id) => `${folder}${id}/`)
          })
        ),
        Stream.concat(Stream.map(store.pending("orgs/"), ({ prefix }) => prefix))
      )

    /** One that cannot be removed must not keep the others: it is met again at the next collection. */
    const remove = (prefix: string) =>
      store.removePrefix(prefix).pipe(
        Effect.as([prefix]),
        Effect.catchAll((error) =>
          Effect.as(Effect.logWarning(`remains below ${prefix} could not be removed`, error), [])
        )
      )

    const removeAll = (kind: string, found: ReadonlyArray<string>) =>
      Effect.map(Effect.forEach(found, remove), (removed) => {
        metrics.collected.inc({ kind }, removed.flat().length)
        return removed.flat()
      })

    /** Those that no row speaks for. */
    const orphans = (kind: Kind, group: ReadonlyArray<Candidate>) =>
      Effect.gen(function* () {
        const ids = group.flatMap((one) => (one.kind === kind ? [one.id] : []))
        if (ids.length === 0) return []
        const found = new Set(yield* kind === "sessions" ? leases.orphans(ids) : uploads.orphans(ids))
        return [...new Set(group.flatMap((one) => (one.kind === kind && found.has(one.id) ? [one.prefix] : [])))]
      })

    /** Removes the remains of what began long enough ago; answers their prefixes. */
    const sweep = (since: number, now: number, dry_run: boolean) =>
      prefixes(since).pipe(
        Stream.filterMap((prefix) => {
          const candidate = candidateOf(prefix)
          const old = candidate !== undefined && idTime(candidate.id) < now - grace_ms
          return old ? Option.some(candidate) : Option.none()
        }),
        Stream.grouped(batchSize),
        Stream.mapEffect((group) =>
          Effect.forEach(kinds, (kind) =>
            Effect.flatMap(orphans(kind, [...group]), (remains) =>
              dry_run ? Effect.succeed(remains) : removeAll(kind, remains)
            )
          )
        ),
        Stream.runCollect,
        Effect.map((groups) => [...groups].flat(2))
      )

    /** Temp folders of single parts, whose writers were killed: their upload may live on for long. */
    const staleParts = (now: number) =>
      store.pending("orgs/").pipe(
        Stream.filter(
          ({ prefix, modified_at }) =>
            candidateOf(prefix)?.kind === "uploads" &&
            candidateOf(prefix)?.prefix !== prefix &&
            modified_at.getTime() < now - abandoned_ms
        ),
        Stream.map(({ prefix }) => prefix),
        Stream.runCollect,
        Effect.map((found) => [...found])
      )

    /** Not every store can list what is open below a prefix: what is known by its id is aborted by it. */
    const abort = ({ org_id, id, store_upload_id }: Ended) =>
      store_upload_id === null || store.direct === undefined
        ? Effect.void
        : Effect.catchAll(store.direct.abort(uploadPrefix(org_id, id) + DIRECT_OBJECT, store_upload_id), (error) =>
            Effect.logWarning(`the parts of the upload ${id} could not be removed`, error)
          )

    /** Ends uploads whose time is over; answers the prefixes of their bytes, which are noted to be removed. */
    const expire = (dry_run: boolean) =>
      Effect.gen(function* () {
        const ended = yield* dry_run ? uploads.overdue : uploads.expire
        if (!dry_run) {
          metrics.collected.inc({ kind: "expired_uploads" }, ended.length)
          yield* Effect.forEach(ended, abort, { discard: true })
        }
        return ended.map(({ org_id, id }) => uploadPrefix(org_id, id))
      })

    /**
     * What killed writes of examples left: the next attempt writes anew, under the same prefix. The
     * examples themselves stay, for their rows speak for them.
     */
    const forgetWrites = (now: number) =>
      store.pending("orgs/").pipe(
        Stream.filter(
          ({ prefix, modified_at }) => examplePrefix.test(prefix) && modified_at.getTime() < now - grace_ms
        ),
        Stream.runForEach(({ prefix }) => store.removePending(prefix))
      )

    /**
     * One collection. With `whole` everything is looked at, otherwise what began lately.
     * A dry run removes nothing and answers what it would have removed.
     */
    const collect = Effect.fn("Collector.collect")(function* (options: {
      readonly whole: boolean
      readonly dry_run: boolean
    }) {
      const now = yield* Clock.currentTimeMillis
      const expired = yield* expire(options.dry_run)
      const stale = yield* staleParts(now)
      if (!options.dry_run) yield* removeAll("stale_parts", stale)
      const swept = yield* sweep(options.whole ? 0 : now - Duration.toMillis(recent), now, options.dry_run)
      if (!options.dry_run) {
        yield* Effect.forEach(yield* removals.noted, removals.carryOut, { discard: true })
        yield* forgetWrites(now)
        yield* leases.forgetEnded
        yield* uploads.forgetEnded
        yield* keys.forgetAllExpired
        yield* clearSpool(data.data_dir)
      }
      const found = [...new Set([...expired, ...stale, ...swept])]
      if (found.length > 0)
        yield* Effect.logInfo(`${found.length} remains of uploads ${options.dry_run ? "found" : "removed"}`)
      return found
    })

    let whole_at: number | undefined

    /** What is done again and again: over everything at first and once a day, and over what is recent. */
    const round = Effect.fn("Collector.round")(function* () {
      const now = yield* Clock.currentTimeMillis
      const whole = whole_at === undefined || now - whole_at >= Duration.toMillis(wholeEvery)
      yield* collect({ whole, dry_run: false })
      if (whole) whole_at = now
    })

    return { collect, round, interval: ingest.upload_gc_interval } as const
  })
}) {}
