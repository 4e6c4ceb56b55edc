import { Clock, Duration, Effect, Option, Schedule, Stream } from "effect"
import { firstIdAt, idTime } from "../platform/Id.ts"
import { ObjectStore } from "../platform/ObjectStore.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { IdempotencyRepo } from "./IdempotencyRepo.ts"
import { Removals } from "./Removals.ts"
import { clearSpool } from "./Spool.ts"
import { UploadLeases } from "./UploadLeases.ts"
import { UploadTimes } from "./UploadTimes.ts"

/** How often the whole store is looked at. */
const wholeEvery = Duration.hours(24)
/** Between two looks at the whole store, only what began within this span is looked at. */
const recent = Duration.hours(25)
const batchSize = 500

const isId = (name: string) => /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(name)
const examplePrefix = /^orgs\/[^/]+\/examples\//
const sessionPrefix = /^orgs\/([^/]+)\/sessions\/([^/]+)\/$/

/**
 * Removes what cut-off uploads and deletions left in the object store: session folders, temp
 * folders and open multipart uploads that no row and no live lease speaks for, and what killed
 * writes of examples left. Runs on every node;
 * two at once do no harm.
 */
export class Collector extends Effect.Service<Collector>()("session/Collector", {
  dependencies: [UploadLeases.Default, Removals.Default, IdempotencyRepo.Default, Metrics.Default],
  effect: Effect.gen(function* () {
    const store = yield* ObjectStore
    const leases = yield* UploadLeases
    const removals = yield* Removals
    const keys = yield* IdempotencyRepo
    const metrics = yield* Metrics
    const { data, ingest } = yield* Settings
    const times = yield* UploadTimes
    const grace_ms = Duration.toMillis(Duration.sum(times.lease, times.margin))

    const prefixes = (since: number) =>
      store.folders("orgs/").pipe(
        Stream.filter(isId),
        Stream.flatMap((org) => {
          const folder = `orgs/${org}/sessions/`
          return Stream.map(store.folders(folder, firstIdAt(since)), (session) => `${folder}${session}/`)
        }),
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

    /** Removes the remains of sessions that began long enough ago; answers their prefixes. */
    const sweep = (since: number, now: number, dry_run: boolean) =>
      prefixes(since).pipe(
        Stream.filterMap((prefix) => {
          const id = sessionPrefix.exec(prefix)?.[2]
          const old = id !== undefined && isId(id) && idTime(id) < now - grace_ms
          return old ? Option.some({ prefix, id }) : Option.none()
        }),
        Stream.grouped(batchSize),
        Stream.mapEffect((group) =>
          Effect.gen(function* () {
            const found = new Set(yield* leases.orphans([...group].map(({ id }) => id)))
            const remains = [...new Set([...group].filter(({ id }) => found.has(id)).map(({ prefix }) => prefix))]
            if (dry_run) return remains
            const removed = (yield* Effect.forEach(remains, remove)).flat()
            metrics.collected.inc(removed.length)
            return removed
          })
        ),
        Stream.runCollect,
        Effect.map((groups) => [...groups].flat())
      )

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
      const removed = yield* sweep(options.whole ? 0 : now - Duration.toMillis(recent), now, options.dry_run)
      if (!options.dry_run) {
        yield* Effect.forEach(yield* removals.noted, removals.carryOut, { discard: true })
        yield* forgetWrites(now)
        yield* leases.forgetEnded
        yield* keys.forgetAllExpired
        yield* clearSpool(data.data_dir)
      }
      if (removed.length > 0)
        yield* Effect.logInfo(`${removed.length} remains of cut-off uploads ${options.dry_run ? "found" : "removed"}`)
      return removed
    })

    let whole_at: number | undefined

    const guarded = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const whole = whole_at === undefined || now - whole_at >= Duration.toMillis(wholeEvery)
      yield* collect({ whole, dry_run: false })
      if (whole) whole_at = now
    }).pipe(Effect.catchAllCause((cause) => Effect.logWarning("a collection failed; the next one goes on", cause)))

    /** Collects over everything at first and once a day, and on and on over what is recent. */
    const run = Effect.repeat(guarded, Schedule.spaced(ingest.upload_gc_interval))

    return { collect, run } as const
  })
}) {}
