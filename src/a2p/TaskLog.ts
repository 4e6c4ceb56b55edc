import type { Artifact, Part } from "@a2a-js/sdk"
import { SqlClient } from "@effect/sql"
import { DateTime, Effect } from "effect"
import { isTerminal, type Task, type TaskEvent, type TaskState } from "../domain/a2p/Task.ts"
import type { A2pTaskId, JobId } from "../domain/Ids.ts"
import { Id } from "../platform/Id.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { PushConfigs } from "./PushConfigs.ts"
import { TaskSignals } from "./TaskSignals.ts"
import { type NewTask, TasksRepo } from "./TasksRepo.ts"
import { agentMessage, artifactEvent, artifactJson, type Json, statusEvent, taskEvent } from "./Wire.ts"

/** One thing that happens to a task. */
export type Happening =
  | { readonly _tag: "status"; readonly state: TaskState; readonly parts?: ReadonlyArray<Part> }
  | { readonly _tag: "artifact"; readonly artifact: Artifact }

/** What is noted with it, and is no event. */
interface Noted {
  readonly job_id?: JobId
  /** A message of the caller's that the task goes on with. */
  readonly message?: Json
  /** So long the run that begins in this process is believed to be alive. */
  readonly lease_ms?: number
}

/** The one place where what happens to tasks is written: their rows and their events change together. */
export class TaskLog extends Effect.Service<TaskLog>()("a2p/TaskLog", {
  dependencies: [TasksRepo.Default, TaskSignals.Default, PushConfigs.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const newId = yield* Id
    const repo = yield* TasksRepo
    const signals = yield* TaskSignals
    const configs = yield* PushConfigs

    /** Every event of every task passes here, in the transaction of what it tells of. */
    const record = ({ id, last_seq }: Task, events: ReadonlyArray<TaskEvent>) =>
      Effect.zipRight(repo.insertEvents(id, events), configs.enqueue(id, last_seq))

    /** After the transaction: who waits here is woken, and what is to be pushed goes out. */
    const wake = (id: A2pTaskId) => Effect.zipRight(signals.wake(id), configs.wake)

    const applied = (task: Task, happenings: ReadonlyArray<Happening>, noted: Noted, now: Date) => {
      let { state, status_message, last_seq } = task
      let status_at = DateTime.toDate(task.status_at)
      const artifacts = [...task.artifacts]
      const history = [...task.history]
      if (noted.message !== undefined) {
        if (status_message !== null) history.push(status_message)
        history.push(noted.message)
      }
      const events: Array<TaskEvent> = []
      for (const happening of happenings) {
        last_seq += 1
        if (happening._tag === "artifact") {
          artifacts.push(artifactJson(happening.artifact))
          events.push({ seq: last_seq, event: artifactEvent(task, happening.artifact) })
        } else {
          const { parts } = happening
          state = happening.state
          status_message = parts === undefined ? null : agentMessage(task, parts, newId.next())
          status_at = now
          events.push({ seq: last_seq, event: statusEvent(task, { state, status_message, status_at }) })
        }
      }
      const job_id = noted.job_id ?? task.job_id
      const { lease_ms } = noted
      return { events, change: { state, status_message, status_at, artifacts, history, job_id, last_seq, lease_ms } }
    }

    const write = (task: Task, happenings: ReadonlyArray<Happening>, noted: Noted) =>
      Effect.gen(function* () {
        const { events, change } = applied(task, happenings, noted, yield* DateTime.nowAsDate)
        const after = yield* repo.change(task.id, change)
        yield* record(after, events)
        return after
      })

    /** Makes a task and writes what happens to it at once; call it in a transaction. */
    const create = (
      task: Omit<NewTask, "last_seq">,
      happenings: ReadonlyArray<Happening>,
      noted: Pick<Noted, "lease_ms"> = {}
    ) =>
      Effect.gen(function* () {
        const made = yield* repo.insert({ ...task, last_seq: 1 })
        yield* record(made, [{ seq: 1, event: taskEvent(made) }])
        return happenings.length === 0 ? made : yield* write(made, happenings, noted)
      })

    /**
     * Writes what happened to a task, and wakes who waits for it here. Undefined: it has ended, or is
     * gone, and nothing was written.
     */
    const append = (id: A2pTaskId, happenings: ReadonlyArray<Happening>, noted: Noted = {}) =>
      Effect.gen(function* () {
        const task = yield* repo.lock(id)
        return task === undefined || isTerminal(task.state) ? undefined : yield* write(task, happenings, noted)
      }).pipe(sql.withTransaction, orDefect, Effect.zipLeft(wake(id)))

    return { create, append, wake } as const
  })
}) {}
