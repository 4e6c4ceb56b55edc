import { ClusterCron } from "@effect/cluster"
import { DurableClock } from "@effect/workflow"
import { Cron, Duration, Effect, Layer, Schema } from "effect"
import { TaskRuns } from "../a2p/TaskRuns.ts"
import { TaskWorkflow } from "../domain/a2p/TaskWorkflow.ts"
import { insisting } from "./Insisting.ts"
import { stages } from "./Stages.ts"

/** How long it is waited before a look at what goes on by itself: longer, the longer that has taken. */
const pause = (turn: number) => Duration.seconds(Math.min(10, 1 + Math.floor(turn / 5)))

/** Carries out {@link TaskWorkflow}; a killed one goes on with the step that it was at. */
const workflow = TaskWorkflow.toLayer(({ task_id }) =>
  Effect.gen(function* () {
    const runs = yield* TaskRuns
    const stage = yield* stages(TaskWorkflow)

    const done = Effect.gen(function* () {
      for (let turn = 0; yield* stage(`advance ${turn}`, Schema.Boolean, runs.advance(task_id)); turn++) {
        yield* DurableClock.sleep({ name: `wait ${turn}`, duration: pause(turn) })
      }
    })
    yield* Effect.catchTag(done, "StageFailed", ({ detail }) =>
      Effect.catchTag(stage("fail", Schema.Void, insisting(runs.fail(task_id, detail))), "StageFailed", (failure) =>
        Effect.logError(`task ${task_id} could not be ended: ${failure.detail}`)
      )
    )
  })
)

/** Ends what dead processes left and forgets what is old: every minute, on one runner. */
const sweeping = ClusterCron.make({
  name: "sweep-tasks",
  cron: Cron.unsafeParse("30 * * * * *"),
  execute: Effect.gen(function* () {
    const runs = yield* TaskRuns
    const { stopped, removed } = yield* runs.sweep()
    if (stopped > 0) yield* Effect.logWarning(`${stopped} tasks were ended whose process was gone`)
    if (removed > 0) yield* Effect.logInfo(`${removed} old tasks were removed`)
  }),
  // After a stop one round is as good as many.
  skipIfOlderThan: Duration.minutes(10)
})

/** Long tasks, and the sweep of all: what a worker runs of A2P. */
export const layer = Layer.merge(workflow, sweeping)
