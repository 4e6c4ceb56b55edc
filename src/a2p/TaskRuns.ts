import { Duration, Effect } from "effect"
import { isTerminal, type Task } from "../domain/a2p/Task.ts"
import { type Issue, Unavailable } from "../domain/Errors.ts"
import type { A2pTaskId } from "../domain/Ids.ts"
import { CurrentPrincipal, holds } from "../domain/Principal.ts"
import { describe } from "../domain/Problem.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Standing } from "../identity/Standing.ts"
import { Settings } from "../platform/Settings.ts"
import type { Failure, FilePart, Later, Outcome } from "./Skill.ts"
import { filesOf, Skills } from "./Skills.ts"
import { type Happening, TaskLog } from "./TaskLog.ts"
import { TaskSignals } from "./TaskSignals.ts"
import { TasksRepo } from "./TasksRepo.ts"
import { dataPart, messageOf, textPart } from "./Wire.ts"

/** So many tasks one statement removes. */
const atOnce = 500

const broken = (detail: string): Happening => ({
  _tag: "status",
  state: "TASK_STATE_FAILED",
  parts: [textPart(detail)]
})

const stopped = broken("the service was stopped while it worked on this: send it again, as a new message")

const outlawed = broken("who asked for this may not do so any more")

const issuesOf = (failure: Failure): ReadonlyArray<Issue> =>
  "errors" in failure && Array.isArray(failure.errors) ? failure.errors : []

/** What is told of something that is not valid: a sentence for people, and the fields for programs. */
export const refusal = (reason: string, errors: ReadonlyArray<Pick<Issue, "path" | "message">>) => [
  textPart(reason),
  ...(errors.length === 0 ? [] : [dataPart({ errors: errors.map(({ path, message }) => ({ path, message })) })])
]

/** What the caller can mend is a rejection, the rest a failure; what is no error of the contract says nothing. */
const failed = (failure: Failure): Effect.Effect<Outcome> => {
  const known = describe(failure)
  if (known === undefined) return Effect.die(failure)
  const state = known.status < 500 && known.status !== 429 ? "TASK_STATE_REJECTED" : "TASK_STATE_FAILED"
  return Effect.succeed({ _tag: "Outcome", state, parts: refusal(failure.message, issuesOf(failure)) })
}

const happenings = ({ state, parts, artifacts = [] }: Outcome): ReadonlyArray<Happening> => [
  ...artifacts.map((artifact): Happening => ({ _tag: "artifact", artifact })),
  { _tag: "status", state, ...(parts === undefined ? {} : { parts }) }
]

/** Carries tasks out; each step can be done again with the same outcome. */
export class TaskRuns extends Effect.Service<TaskRuns>()("a2p/TaskRuns", {
  dependencies: [TasksRepo.Default, TaskLog.Default, TaskSignals.Default, Skills.Default, Standing.Default],
  effect: Effect.gen(function* () {
    const repo = yield* TasksRepo
    const log = yield* TaskLog
    const signals = yield* TaskSignals
    const skills = yield* Skills
    const standing = yield* Standing
    const { a2p } = yield* Settings

    const asOwner =
      ({ principal, request_id }: Task) =>
      <A, E, R>(self: Effect.Effect<A, E, R>) =>
        self.pipe(
          Effect.provideService(CurrentPrincipal, principal),
          Effect.provideService(RequestInfo, { request_id, ip: null })
        )

    const carriedOut = (task: Task, given: ReadonlyArray<FilePart> | undefined) =>
      Effect.gen(function* () {
        const skill = task.skill === null ? undefined : skills.find(task.skill)
        if (skill === undefined) return yield* Effect.dieMessage(`no skill ${task.skill} of task ${task.id}`)
        const message = messageOf(task.history.at(-1) ?? {})
        const { id, input, job_id } = task
        return yield* skill.run({ id, input: input ?? {}, message, files: given ?? filesOf(message), job_id })
      }).pipe(asOwner(task))

    /** Ends what the task began, which nobody waits for any more, be it noted or not. */
    const abandon = (task: Task) =>
      Effect.gen(function* () {
        const skill = task.skill === null ? undefined : skills.find(task.skill)
        if (skill === undefined) return
        yield* asOwner(task)(skill.cancel(task)).pipe(
          Effect.catchAll((failure) => Effect.logWarning(`the job of a canceled task goes on: ${failure.message}`))
        )
      })

    /** Notes that what was begun goes on; true: it is to be looked at again. */
    const noted = (task: Task, { job_id, progress }: Later) =>
      Effect.gen(function* () {
        const parts = task.status_message === null ? [] : messageOf(task.status_message).parts
        const told = parts.some(({ content }) => content?.$case === "text" && content.value === progress)
        if (told && task.job_id === job_id) return true
        const working: Happening = { _tag: "status", state: "TASK_STATE_WORKING", parts: [textPart(progress)] }
        if ((yield* log.append(task.id, [working], { job_id })) !== undefined) return true
        yield* abandon({ ...task, job_id })
        return false
      })

    /**
     * Does what can be done now for a task, and nothing for one that has ended; true: there is more to
     * do later. Ends early when the task is canceled meanwhile. A durable one is done with what its owner
     * still may, and fails when that is nothing.
     * @param given the files of the message, where they are not on its row
     */
    const advance = Effect.fn("TaskRuns.advance")(function* (id: A2pTaskId, given?: ReadonlyArray<FilePart>) {
      const found = yield* repo.load(id)
      if (found === undefined) return false
      if (isTerminal(found.state)) {
        // Who canceled it may have died before its job was told.
        if (found.state === "TASK_STATE_CANCELED") yield* abandon(found)
        return false
      }
      // Within its request, it was asked for just now; else that may be long ago.
      const principal = given === undefined ? yield* standing.now(found.principal) : found.principal
      if (principal === undefined || !holds(principal, "a2p:use")) {
        yield* log.append(id, [outlawed])
        yield* abandon(found)
        return false
      }
      const task =
        found.state === "TASK_STATE_WORKING"
          ? found
          : yield* log.append(id, [{ _tag: "status", state: "TASK_STATE_WORKING" }])
      if (task === undefined) return false
      const ended = signals.until(id, isTerminal)
      const came = yield* Effect.raceFirst(Effect.either(carriedOut({ ...task, principal }, given)), ended)
      if (came === undefined) return false
      if (!("_tag" in came)) {
        // What it had begun, who canceled it may not have seen yet.
        if (came.state === "TASK_STATE_CANCELED") yield* abandon(came)
        return false
      }
      // Of a durable job it is tried again, by who carries that out.
      if (came._tag === "Left" && came.left instanceof Unavailable && given === undefined) return yield* came.left
      const outcome = came._tag === "Left" ? yield* failed(came.left) : came.right
      if (outcome._tag === "Later") return yield* noted(task, outcome)
      yield* log.append(id, happenings(outcome))
      return false
    })

    /** Ends a task that cannot be carried out: none stays open for ever. */
    const fail = Effect.fn("TaskRuns.fail")((id: A2pTaskId, detail: string) =>
      Effect.asVoid(log.append(id, [broken(detail)]))
    )

    /** Ends a task whose run in this process is cut off by a stop. */
    const stop = Effect.fn("TaskRuns.stop")((id: A2pTaskId) => Effect.asVoid(log.append(id, [stopped])))

    /** Ends tasks whose process died, and forgets those that ended long ago; answers how many of each. */
    const sweep = Effect.fn("TaskRuns.sweep")(function* () {
      const left = yield* repo.abandoned(atOnce)
      yield* Effect.forEach(left, (id) => log.append(id, [stopped]), { discard: true })
      let removed = 0
      for (;;) {
        const some = yield* repo.removeEnded(Duration.toMillis(a2p.task_ttl), atOnce)
        removed += some
        if (some < atOnce) return { stopped: left.length, removed }
      }
    })

    return { advance, abandon, fail, stop, sweep } as const
  })
}) {}
