import { Duration, Effect } from "effect"
import type { TaskState } from "../domain/a2p/Task.ts"
import type { A2pTaskId } from "../domain/Ids.ts"
import { TasksRepo } from "./TasksRepo.ts"

/** So often a node looks for what others did to the tasks that somebody waits for here. */
const interval = Duration.millis(500)

/** Somebody who waits for a task. */
interface Watcher {
  readonly latch: Effect.Latch
  last_seq: number | undefined
}

/**
 * Wakes who waits for a task. What this process does to it is told at once; what another does is found in
 * the rows, with one query for all that are waited for. Waking up for nothing is harmless: who is woken
 * looks at the rows.
 */
export class TaskSignals extends Effect.Service<TaskSignals>()("a2p/TaskSignals", {
  dependencies: [TasksRepo.Default],
  scoped: Effect.gen(function* () {
    const repo = yield* TasksRepo
    const watchers = new Map<A2pTaskId, Set<Watcher>>()
    const anybody = yield* Effect.makeLatch(false)

    const wake = (id: A2pTaskId) => Effect.forEach(watchers.get(id) ?? [], ({ latch }) => latch.open, { discard: true })

    const look = Effect.gen(function* () {
      const heads = yield* repo.heads([...watchers.keys()])
      const seqs = new Map(heads.map(({ id, last_seq }) => [id, last_seq]))
      for (const [id, all] of watchers) {
        for (const watcher of all) {
          const last_seq = seqs.get(id)
          // A task that is gone is news, too.
          if (last_seq !== undefined && last_seq === watcher.last_seq) continue
          watcher.last_seq = last_seq
          yield* watcher.latch.open
        }
      }
    })

    yield* anybody.await.pipe(
      Effect.zipRight(Effect.sleep(interval)),
      Effect.zipRight(
        Effect.catchAllDefect(look, (defect) => Effect.logWarning("tasks could not be looked at", defect))
      ),
      Effect.forever,
      Effect.forkScoped
    )

    /**
     * Until the scope ends, a latch that opens when the task may have changed. Close it, look at the
     * rows, then wait: so nothing is missed.
     */
    const watch = (id: A2pTaskId) =>
      Effect.acquireRelease(
        Effect.gen(function* () {
          const watcher: Watcher = { latch: yield* Effect.makeLatch(false), last_seq: undefined }
          const others = watchers.get(id)
          if (others === undefined) watchers.set(id, new Set([watcher]))
          else others.add(watcher)
          yield* anybody.open
          return watcher
        }),
        (watcher) =>
          Effect.suspend(() => {
            const all = watchers.get(id)
            all?.delete(watcher)
            if (all?.size === 0) watchers.delete(id)
            return watchers.size === 0 ? anybody.close : Effect.void
          })
      ).pipe(Effect.map(({ latch }) => latch))

    /** Waits until the task is in such a state; undefined: it is gone. */
    const until = (id: A2pTaskId, holds: (state: TaskState) => boolean) =>
      Effect.gen(function* () {
        const latch = yield* watch(id)
        for (;;) {
          yield* latch.close
          const task = yield* repo.load(id)
          if (task === undefined || holds(task.state)) return task
          yield* latch.await
        }
      }).pipe(Effect.scoped)

    return { watch, wake, until } as const
  })
}) {}
