import { SqlClient, type SqlError } from "@effect/sql"
import { Duration, Effect, Layer, Schedule, Schema } from "effect"
import { type SharedStore, StoreAway, withFallback } from "./limits/SharedStore.ts"
import { RateLimitStore } from "./RateLimitStore.ts"

const collectEvery = Duration.minutes(1)
/** Rows that one statement of the collector removes. */
const BATCH = 5000

const TakenRow = Schema.Struct({
  admitted: Schema.Boolean,
  now_ms: Schema.Number,
  tats: Schema.Array(Schema.Number)
})
const WaitRow = Schema.Struct({ key: Schema.String, wait_ms: Schema.Number })

const decodeTaken = Schema.decodeUnknownSync(Schema.Tuple(TakenRow))
const decodeWaits = Schema.decodeUnknownSync(Schema.Array(WaitRow))

const orAway = <A>(query: Effect.Effect<A, SqlError.SqlError>) =>
  Effect.mapError(
    query,
    ({ cause }) => new StoreAway({ reason: cause instanceof Error ? cause.message : String(cause) })
  )

/** Counts in the table `rate_limits`, by the database's clock: one statement each time, exact among all nodes. */
const make = Effect.map(
  SqlClient.SqlClient,
  (sql): SharedStore & { readonly collect: Effect.Effect<number, StoreAway> } => {
    const now = sql`(extract(epoch from clock_timestamp()) * 1000)::float8`

    const take: SharedStore["take"] = (limits) =>
      Effect.map(
        orAway(sql`select * from take_rate_limits(${limits.map(({ key }) => key)}::text[],
        ${limits.map(({ interval_ms }) => interval_ms)}::float8[], ${limits.map(({ burst }) => burst)}::float8[])`),
        (rows) => {
          const [{ admitted, now_ms, tats }] = decodeTaken(rows)
          return { admitted, now: now_ms, tats }
        }
      )

    const fail: SharedStore["fail"] = (keys, { after, first_ms, longest_ms, window_ms }) =>
      Effect.map(
        orAway(sql`
        insert into rate_limits as l (key, failures, tat)
        select key, 1, ${now} + ${window_ms}::float8 + case when ${after}::int <= 1 then ${first_ms}::float8 else 0 end
          from unnest(${keys}::text[]) as k(key) order by key
        on conflict (key) do update set (failures, tat) = (
          select n, ${now} + ${window_ms}::float8 + case when n < ${after}::int then 0
              else least(${longest_ms}::float8, ${first_ms}::float8 * power(2::float8, least(n - ${after}::int, 30))) end
            from (select case when l.tat > ${now} then least(l.failures, 1000000) + 1 else 1 end as n) as counted)
        returning key, case when failures < ${after}::int then 0
          else least(${longest_ms}::float8, ${first_ms}::float8 * power(2::float8, least(failures - ${after}::int, 30))) end as wait_ms`),
        (rows) => {
          const waits = new Map(decodeWaits(rows).map(({ key, wait_ms }) => [key, wait_ms]))
          return keys.map((key) => waits.get(key) ?? 0)
        }
      )

    const forget: SharedStore["forget"] = (keys) =>
      Effect.asVoid(orAway(sql`delete from rate_limits where key = any(${keys}::text[])`))

    /** Removes some of what is full again; answers how many. */
    const collect = Effect.map(
      orAway(sql`delete from rate_limits where key in (
      select key from rate_limits where tat < ${now} limit ${BATCH} for update skip locked) returning 1`),
      (rows) => rows.length
    )

    return { kind: "PostgreSQL", take, fail, forget, collect }
  }
)

/** The shared store over PostgreSQL, with its collector of what is full again. */
export const layer = Layer.scoped(
  RateLimitStore,
  Effect.gen(function* () {
    const { collect, ...store } = yield* make
    yield* collect.pipe(
      Effect.repeat({ while: (removed) => removed === BATCH }),
      Effect.catchAll((error) => Effect.logDebug("limits that are full again could not be removed", error)),
      Effect.repeat(Schedule.spaced(collectEvery)),
      Effect.forkScoped
    )
    return yield* withFallback(store)
  })
)
