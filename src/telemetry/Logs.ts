import { SqlClient } from "@effect/sql"
import { DateTime, Duration, Effect, Either, ParseResult, Schema } from "effect"
import { ValidationError } from "../domain/Errors.ts"
import type { OrganizationId } from "../domain/Ids.ts"
import { issuesOf, issuesText, short } from "../domain/Issues.ts"
import { AuditTrail } from "../domain/identity/AuditTrail.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { type LogQuery, type LogReport, maxLogEntries, NewLogEntry } from "../domain/telemetry/LogEntry.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import { makePace } from "../platform/Pace.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { LogsRepo } from "./LogsRepo.ts"

const decode = Schema.decodeUnknownEither(NewLogEntry)

/** Clocks go wrong, but not so far. */
const ahead = Duration.days(1)
const earliest = DateTime.unsafeMake("2000-01-01T00:00:00Z")

/** Text is looked for in every entry of a time: without its begin, of so much. */
const searched = Duration.days(7)

/** Partitions are there so long before anything falls into them. */
const monthsAhead = 3

/** Short: there may be as many as entries. */
const reasonOf = (error: ParseResult.ParseError) =>
  short(issuesText(issuesOf(ParseResult.ArrayFormatter.formatErrorSync(error), "the entry")))

/** What agents and other systems say of what they do. */
export class Logs extends Effect.Service<Logs>()("telemetry/Logs", {
  dependencies: [LogsRepo.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const repo = yield* LogsRepo
    const trail = yield* AuditTrail

    const checked = (entry: unknown, latest: DateTime.Utc): Either.Either<NewLogEntry, string> =>
      Either.flatMap(Either.mapLeft(decode(entry), reasonOf), (decoded) => {
        const { timestamp } = decoded
        if (timestamp === undefined) return Either.right(decoded)
        return DateTime.between(timestamp, { minimum: earliest, maximum: latest })
          ? Either.right(decoded)
          : Either.left("timestamp: must lie between 2000 and tomorrow")
      })

    const store = (org_id: OrganizationId, entries: ReadonlyArray<NewLogEntry>) =>
      repo
        .insert(org_id, entries)
        .pipe(
          Effect.zipRight(trail.record({ action: "log.report", resource: `log_batch/${id.next()}` })),
          sql.withTransaction,
          orDefect
        )

    /**
     * Stores what is right of up to 10,000 entries, and says what is wrong with the others: all that is
     * right is there when it answers, or nothing.
     */
    const report = Effect.fn("Logs.report")(
      function* (entries: ReadonlyArray<unknown>) {
        if (entries.length > maxLogEntries) {
          return yield* new ValidationError({ detail: `at most ${maxLogEntries} entries are taken at once` })
        }
        const { org_id } = yield* CurrentPrincipal
        const latest = DateTime.addDuration(yield* DateTime.now, ahead)
        const accepted: Array<NewLogEntry> = []
        const refused: Array<LogReport["refused"][number]> = []
        const pace = makePace()
        for (const [index, entry] of entries.entries()) {
          yield* pace
          const found = checked(entry, latest)
          if (Either.isRight(found)) accepted.push(found.right)
          else refused.push({ index, reason: found.left })
        }
        if (accepted.length > 0) yield* store(org_id, accepted)
        return { accepted: accepted.length, refused } satisfies LogReport
      },
      withPolicy(scope("logs:write"))
    )

    const bounded = (query: LogQuery) =>
      Effect.map(DateTime.now, (now): LogQuery => {
        if (query.q === undefined || query.q === "" || query.from !== undefined) return query
        const end = query.to === undefined ? now : DateTime.min(query.to, now)
        return { ...query, from: DateTime.max(DateTime.subtractDuration(end, searched), earliest) }
      })

    const list = Effect.fn("Logs.list")(
      function* (query: LogQuery) {
        const { org_id } = yield* CurrentPrincipal
        const keyset = yield* Keyset.position(query.cursor)
        return Keyset.page(yield* repo.list(org_id, yield* bounded(query), keyset), query.limit)
      },
      withPolicy(scope("logs:read"))
    )

    /** Makes room for what will come: for a cron, and for nobody in particular. */
    const prepare = Effect.fn("Logs.prepare")(() => repo.makePartitions(monthsAhead))

    return { report, list, prepare } as const
  })
}) {}
