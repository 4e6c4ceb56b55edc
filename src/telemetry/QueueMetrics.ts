import { Duration, Effect, Schedule } from "effect"
import { ClusterHistory } from "../platform/ClusterHistory.ts"
import { Metrics } from "./Metrics.ts"

const every = Duration.seconds(5)

/** Keeps the measures of what waits up to date: they are the database's, the same on every process. */
export class QueueMetrics extends Effect.Service<QueueMetrics>()("telemetry/QueueMetrics", {
  dependencies: [Metrics.Default, ClusterHistory.Default],
  effect: Effect.gen(function* () {
    const { queueDepth, queueOldest } = yield* Metrics
    const history = yield* ClusterHistory

    const measure = Effect.map(history.unfinished, (kinds) => {
      // A kind of which none is left says so.
      queueDepth.reset()
      queueOldest.reset()
      for (const { kind, count, oldest_s } of kinds) {
        queueDepth.set({ kind }, count)
        queueOldest.set({ kind }, oldest_s)
      }
    })

    /** Measures on and on; a database that is away leaves the last measures. */
    const run = measure.pipe(
      Effect.catchAllDefect((defect) => Effect.logDebug("the queue could not be measured", defect)),
      Effect.repeat(Schedule.spaced(every))
    )

    return { measure, run } as const
  })
}) {}
