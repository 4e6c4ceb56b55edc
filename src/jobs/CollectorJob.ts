import { ClusterCron } from "@effect/cluster"
import { Cron, Duration, Effect, Layer } from "effect"
import { Collector } from "../session/Collector.ts"

/**
 * The schedule that comes nearest to an interval: whole seconds below a minute, whole minutes below an
 * hour, whole hours below a day, and at most a day.
 */
export const every = (interval: Duration.Duration): Cron.Cron => {
  const seconds = Math.max(1, Math.round(Duration.toSeconds(interval)))
  if (seconds < 60) return Cron.unsafeParse(`*/${seconds} * * * * *`)
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return Cron.unsafeParse(`0 */${minutes} * * * *`)
  const hours = Math.round(minutes / 60)
  return Cron.unsafeParse(hours < 24 ? `0 0 */${hours} * * *` : "0 0 0 * * *")
}

/** Collects what uploads left, on one node of all. */
export const layer = Layer.unwrapEffect(
  Effect.map(Collector, (collector) =>
    ClusterCron.make({
      name: "UploadCollector",
      cron: every(collector.interval),
      execute: collector.round(),
      // After a stop one collection is as good as many.
      skipIfOlderThan: Duration.hours(1)
    })
  )
)
