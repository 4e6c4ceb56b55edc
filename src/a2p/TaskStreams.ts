import type { StreamResponse } from "@a2a-js/sdk"
import { Chunk, Duration, Effect, Option, Schedule, Stream } from "effect"
import { isTerminal, type Task } from "../domain/a2p/Task.ts"
import { RateLimited } from "../domain/Errors.ts"
import { CurrentPrincipal, holds, type Principal } from "../domain/Principal.ts"
import { Standing } from "../identity/Standing.ts"
import { Settings } from "../platform/Settings.ts"
import { TaskSignals } from "./TaskSignals.ts"
import { TasksRepo } from "./TasksRepo.ts"
import { eventOf } from "./Wire.ts"

/** So many events are read at a time. */
const atOnce = 100

/** So often it is looked whether who follows a task still may. */
const standingEvery = Duration.seconds(5)

/** What happens to tasks, as it is committed, on whichever node. */
export class TaskStreams extends Effect.Service<TaskStreams>()("a2p/TaskStreams", {
  dependencies: [TasksRepo.Default, TaskSignals.Default, Standing.Default],
  effect: Effect.gen(function* () {
    const repo = yield* TasksRepo
    const signals = yield* TaskSignals
    const standing = yield* Standing
    const { a2p } = yield* Settings
    const taken = new Map<string, number>()

    /** A place among those that wait for tasks, until the scope ends. */
    const place = Effect.flatMap(CurrentPrincipal, ({ org_id, user_id, agent_id }) => {
      const owner = `${org_id}/${user_id ?? agent_id}`
      return Effect.acquireRelease(
        Effect.suspend(() => {
          const count = taken.get(owner) ?? 0
          if (count >= a2p.max_streams) {
            return new RateLimited({
              detail: `at most ${a2p.max_streams} streams may be open at a time (A2P_MAX_STREAMS): end one`,
              limit: "streams",
              retry_after_s: 5
            })
          }
          taken.set(owner, count + 1)
          return Effect.void
        }),
        () =>
          Effect.sync(() => {
            const left = (taken.get(owner) ?? 0) - 1
            if (left > 0) taken.set(owner, left)
            else taken.delete(owner)
          })
      )
    })

    /** The events of a task after one of them; ends with the task. */
    const after = ({ id }: Pick<Task, "id">, seq: number): Stream.Stream<StreamResponse> =>
      Stream.unwrapScoped(
        Effect.map(signals.watch(id), (latch) => {
          /** What is new; the end of the stream where there will never be more. */
          const next = (last: number): Effect.Effect<readonly [Chunk.Chunk<StreamResponse>, Option.Option<number>]> =>
            Effect.gen(function* () {
              for (;;) {
                yield* latch.close
                // Before its events: what it has ended with is among them.
                const task = yield* repo.load(id)
                const events = yield* repo.eventsAfter(id, last, atOnce)
                const found = Chunk.fromIterable(events.map(({ event }) => eventOf(event)))
                const newest = events.at(-1)?.seq ?? last
                const isOver = task === undefined || (isTerminal(task.state) && newest >= task.last_seq)
                if (isOver) return [found, Option.none()] as const
                if (events.length > 0) return [found, Option.some(newest)] as const
                yield* latch.await
              }
            })
          return Stream.paginateChunkEffect(seq, next)
        })
      )

    const mayFollow = (principal: Principal) =>
      standing.now(principal).pipe(
        Effect.map((now) => now !== undefined && holds(now, "a2p:use")),
        // A database that is away for a moment takes nobody's rights.
        Effect.catchAllDefect((defect) =>
          Effect.as(Effect.logWarning("it could not be looked whether who follows a task still may", defect), true)
        )
      )

    /** Waits until the principal may not follow tasks any more, which is seen some seconds later. */
    const outlawed = (principal: Principal) =>
      Effect.sleep(standingEvery).pipe(
        Effect.zipRight(mayFollow(principal)),
        Effect.repeat({ schedule: Schedule.forever, while: (may) => may }),
        Effect.asVoid
      )

    return { place, after, outlawed } as const
  })
}) {}
