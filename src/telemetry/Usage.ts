import { DateTime, Duration, Effect } from "effect"
import { BadRequest, Issue } from "../domain/Errors.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import type { UsageGrouping, UsageQuery, UsageReport } from "../domain/telemetry/Usage.ts"
import { UsageRepo } from "./UsageRepo.ts"

const maxGroups = 366
/** A time that begins within a day or hour touches one more than it is long. */
const maxLength = maxGroups - 1

const spans = (group_by: UsageGrouping) =>
  group_by === "hour"
    ? { usual: Duration.days(7), longest: Duration.hours(maxLength) }
    : { usual: Duration.days(31), longest: Duration.days(maxLength) }

/** What can be told begins there. */
const earliest = DateTime.unsafeMake("0001-01-01T00:00:00Z")

const invalid = (message: string) =>
  new BadRequest({ detail: `from ${message}`, errors: [new Issue({ path: "from", message })] })

/** What an organization recorded and made of it, over time. */
export class Usage extends Effect.Service<Usage>()("telemetry/Usage", {
  dependencies: [UsageRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* UsageRepo

    /** Counts of sessions and examples, bytes, tokens and cost, by what `group_by` says; 366 groups at most. */
    const read = Effect.fn("Usage.read")(
      function* (query: UsageQuery) {
        const principal = yield* CurrentPrincipal
        const { group_by } = query
        const { usual, longest } = spans(group_by)
        const to = query.to ?? (yield* DateTime.now)
        const from = query.from ?? DateTime.max(DateTime.subtractDuration(to, usual), earliest)
        const span = DateTime.distance(from, to)
        if (span < 0) return yield* invalid("must not be after to")
        if (span > Duration.toMillis(longest)) {
          return yield* invalid(`must lie at most ${Duration.format(longest)} before \`to\`, by ${group_by}`)
        }
        const range = { from: DateTime.toDate(from), to: DateTime.toDate(to) }
        const [totals, ...rest] = yield* repo.read(principal, group_by, range, maxGroups + 1)
        if (totals === undefined) return yield* Effect.dieMessage("there is always a total")
        const groups = rest.slice(0, maxGroups).map(({ is_total: _is_total, ...group }) => group)
        const { is_total: _is_total, key: _key, name: _name, ...total } = totals
        return { group_by, from, to, groups, truncated: rest.length > groups.length, total } satisfies UsageReport
      },
      withPolicy(scope("system:read"))
    )

    return { read } as const
  })
}) {}
