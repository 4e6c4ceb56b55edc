import { ClusterCron } from "@effect/cluster"
import { Cron, Duration, Effect } from "effect"
import { ClusterHistory } from "../platform/ClusterHistory.ts"

/** Long enough to look into what went wrong. */
const kept = Duration.hours(24)

/** Forgets how workflows went that ended a day ago: every ten minutes, on one runner. */
export const layer = ClusterCron.make({
  name: "forget-history",
  cron: Cron.unsafeParse("*/10 * * * *"),
  execute: Effect.gen(function* () {
    const { forget } = yield* ClusterHistory
    const forgotten = yield* forget(kept)
    if (forgotten > 0) yield* Effect.logInfo(`the history of ${forgotten} finished workflows was removed`)
  })
})
