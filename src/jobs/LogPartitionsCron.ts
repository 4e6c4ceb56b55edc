import { ClusterCron } from "@effect/cluster"
import { Cron, Effect } from "effect"
import { Logs } from "../telemetry/Logs.ts"

/** Makes the partitions that log entries of the next months go to: once a day, on one runner. */
export const layer = ClusterCron.make({
  name: "log-partitions",
  cron: Cron.unsafeParse("17 3 * * *"),
  execute: Effect.gen(function* () {
    const { made, skipped } = yield* (yield* Logs).prepare()
    if (made > 0) yield* Effect.logInfo(`partitions for the log entries of ${made} further months were made`)
    if (skipped.length > 0)
      yield* Effect.logWarning(
        `log entries of ${skipped.join(", ")} stay in the default partition, which held some before theirs could be made`
      )
  })
})
