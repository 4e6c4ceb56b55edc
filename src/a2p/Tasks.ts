import { type Message, Role, type TaskPushNotificationConfig } from "@a2a-js/sdk"
import { Sharding } from "@effect/cluster"
import { SqlClient } from "@effect/sql"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import canonicalize from "canonicalize"
import { Cause, Chunk, DateTime, Duration, Effect, Schedule, Schema } from "effect"
import {
  isTerminal,
  MessageMalformed,
  type Task,
  TaskClosed,
  TaskEnded,
  type TaskState,
  taskNotFound
} from "../domain/a2p/Task.ts"
import { TaskWorkflow } from "../domain/a2p/TaskWorkflow.ts"
import { Issue, RateLimited } from "../domain/Errors.ts"
import { A2pTaskId } from "../domain/Ids.ts"
import { JsonObject, Text } from "../domain/Json.ts"
import { CurrentPrincipal, holds, type Principal, scope, withPolicy } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import type { Admitted } from "../platform/Protocols.ts"
import { Settings } from "../platform/Settings.ts"
import { isPassingFailure, orDefect } from "../platform/SqlFailure.ts"
import { brief, digest, shortened, withoutBytes } from "./KeptMessages.ts"
import { type Prepared, PushConfigs } from "./PushConfigs.ts"
import type { FilePart } from "./Skill.ts"
import { type Choice, filesOf, Skills } from "./Skills.ts"
import { type Happening, TaskLog } from "./TaskLog.ts"
import { refusal, TaskRuns } from "./TaskRuns.ts"
import { TaskSignals } from "./TaskSignals.ts"
import { type TaskFilter, TasksRepo } from "./TasksRepo.ts"
import type { Version } from "./Versions.ts"
import { messageJson } from "./Wire.ts"

/** What a message may hold besides the bytes of its files. */
const maxMessageBytes = 1024 * 1024
/** Bytes of a message's text and data that its task keeps, and of one that nothing is done for. */
const maxKeptBytes = 64 * 1024
const maxRefusedBytes = 4 * 1024
/** As long as a run within a request may take; after the margin, its process is held to be gone. */
const patience = Duration.seconds(60)
const margin = Duration.seconds(30)

const isName = Schema.is(Text(1, 255))
const isStorable = Schema.is(JsonObject(maxMessageBytes))
const isTaskId = Schema.is(A2pTaskId)

const isSettled = (state: TaskState) => state !== "TASK_STATE_SUBMITTED" && state !== "TASK_STATE_WORKING"

const lease = { lease_ms: Duration.toMillis(Duration.sum(patience, margin)) }

/** A database that was too busy for a moment, or chose to end this of two that waited for each other. */
const passing = Schedule.exponential("50 millis").pipe(Schedule.intersect(Schedule.recurs(6)))

const isPassing = (cause: Cause.Cause<unknown>) => Chunk.some(Cause.defects(cause), isPassingFailure)

const insisting = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  self.pipe(Effect.sandbox, Effect.retry({ schedule: passing, while: isPassing }), Effect.unsandbox)

interface ListQuery extends TaskFilter {
  readonly limit: number
  readonly cursor?: string | undefined
  /** Whether the tasks are to have their messages, and their artifacts. */
  readonly history: boolean
  readonly artifacts: boolean
}

type Hold = Admitted["hold"]

const unheld: Hold = () => () => undefined

/** What came of a message: its task, and what is to be done for it now. */
interface Sent {
  readonly task: Task
  /** Begins the run within this request, where there is one. */
  readonly begun: Effect.Effect<void>
  /** False: it was sent before, and nothing was written. */
  readonly is_new: boolean
}

/** Where the caller wants the task's events pushed to, and in the words of which version. */
interface Push {
  readonly config: TaskPushNotificationConfig
  readonly wire_version: Version
}

const malformed = (path: string, message: string) =>
  new MessageMalformed({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

/** What can be said of a message before anything of the database is asked. */
const checked = (message: Message | undefined) =>
  Effect.gen(function* () {
    if (message === undefined) return yield* malformed("message", "is missing")
    if (!isName(message.messageId)) return yield* malformed("message.messageId", "must be 1 to 255 characters long")
    if (message.contextId !== "" && !isName(message.contextId)) {
      return yield* malformed("message.contextId", "must be at most 255 characters long")
    }
    if (message.role !== Role.ROLE_USER) return yield* malformed("message.role", "must be ROLE_USER")
    if (message.parts.length === 0) return yield* malformed("message.parts", "at least one part is needed")
    const empty = message.parts.findIndex(({ content }) => content === undefined)
    if (empty >= 0) return yield* malformed(`message.parts.${empty}`, "must be one of text, raw, url and data")
    const bare = withoutBytes(message)
    const stored = messageJson(bare)
    if (!isStorable(stored)) {
      return yield* malformed(
        "message",
        `must be at most ${maxMessageBytes} bytes of JSON without its files' bytes, with no NUL and no unpaired surrogate`
      )
    }
    return { message, bare, request_hash: digest(String(canonicalize(JSON.parse(JSON.stringify(stored))))) }
  })

/** A message that can be understood: as it came, without the bytes of its files, and the digest of all of it. */
type Understood = Effect.Effect.Success<ReturnType<typeof checked>>

/** Tasks of the caller: asked for, read, listed, canceled. Nobody else's are ever told of. */
export class Tasks extends Effect.Service<Tasks>()("a2p/Tasks", {
  dependencies: [
    TasksRepo.Default,
    TaskLog.Default,
    TaskRuns.Default,
    TaskSignals.Default,
    Skills.Default,
    PushConfigs.Default,
    Audit.Default
  ],
  scoped: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const newId = yield* Id
    const repo = yield* TasksRepo
    const log = yield* TaskLog
    const runs = yield* TaskRuns
    const signals = yield* TaskSignals
    const configs = yield* PushConfigs
    const skills = yield* Skills
    const audit = yield* Audit
    const engine = yield* WorkflowEngine
    const sharding = yield* Sharding.Sharding
    const { a2p } = yield* Settings
    const process = yield* Effect.scope
    const use = withPolicy(scope("a2p:use"))

    const existing = (id: string) =>
      Effect.gen(function* () {
        const task = isTaskId(id) ? yield* repo.find(yield* CurrentPrincipal, id) : undefined
        return task ?? (yield* taskNotFound(id))
      })

    const scopesOf = ({ skill }: Pick<Task, "skill">) => (skill === null ? [] : (skills.find(skill)?.scopes ?? []))

    /** What a task came to is for those who could ask for it themselves, also among its owner's keys. */
    const allowedAllOf = (task: Task) => Effect.forEach(scopesOf(task), (needed) => scope(needed), { discard: true })

    const shownTo =
      (principal: Principal) =>
      <T extends Pick<Task, "skill" | "artifacts">>(task: T): T =>
        scopesOf(task).every((needed) => holds(principal, needed)) ? task : { ...task, artifacts: [] }

    const start = (id: A2pTaskId) =>
      TaskWorkflow.execute({ task_id: id }, { discard: true }).pipe(Effect.provideService(WorkflowEngine, engine))

    /** Runs in this process, beyond the request if need be; a shutdown waits for it as it does for a request. */
    const runHere = (id: A2pTaskId, files: ReadonlyArray<FilePart>, hold: Hold) => {
      const run = insisting(runs.advance(id, files)).pipe(
        Effect.asVoid,
        Effect.timeoutTo({
          duration: patience,
          onSuccess: () => Effect.void,
          onTimeout: () => insisting(runs.fail(id, `it was not done within ${Duration.toSeconds(patience)} s`))
        }),
        Effect.flatten,
        Effect.catchAllCause((cause) =>
          Effect.zipRight(
            Effect.logError(`the run of task ${id} failed`, cause),
            insisting(runs.fail(id, "the service failed; its log says how. Send it again, as a new message"))
          )
        ),
        Effect.interruptible,
        Effect.onInterrupt(() => insisting(runs.stop(id)))
      )
      return Effect.suspend(() => {
        // Before the request is answered, which holds it until then.
        const release = hold()
        return Effect.asVoid(Effect.forkIn(Effect.ensuring(run, Effect.sync(release)), process))
      })
    }

    const room = Effect.gen(function* () {
      const principal = yield* CurrentPrincipal
      yield* repo.lockOwner(principal)
      if ((yield* repo.countOpen(principal)) < a2p.max_open_tasks) return
      return yield* new RateLimited({
        detail: `at most ${a2p.max_open_tasks} tasks may be open at a time (A2P_MAX_OPEN_TASKS): wait for one to end, or cancel one`,
        limit: "tasks",
        retry_after_s: 5
      })
    })

    const allowed = (choice: Choice) =>
      choice._tag === "Refused"
        ? Effect.void
        : Effect.forEach(choice.skill.scopes, (needed) => scope(needed), { discard: true })

    /** A task of a new message, and what begins with it. */
    const made = ({ message, bare, request_hash }: Understood, choice: Choice, hold: Hold) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const { request_id } = yield* RequestInfo
        yield* room
        const id = A2pTaskId.make(newId.next())
        const context_id = message.contextId === "" ? newId.next() : message.contextId
        const isLong = choice._tag === "Chosen" && choice.skill.isLong(choice.files)
        const isHere = choice._tag === "Chosen" && !isLong
        const first: ReadonlyArray<Happening> =
          choice._tag === "Refused"
            ? [{ _tag: "status", state: "TASK_STATE_REJECTED", parts: refusal(choice.reason, choice.errors) }]
            : isHere
              ? [{ _tag: "status", state: "TASK_STATE_WORKING" }]
              : []
        const told = shortened(bare, choice._tag === "Refused" ? maxRefusedBytes : maxKeptBytes)
        const task = yield* log.create(
          {
            id,
            principal,
            request_id,
            context_id,
            given_context_id: message.contextId,
            message_id: message.messageId,
            request_hash,
            skill: choice._tag === "Chosen" ? choice.skill.id : choice.skill,
            input: choice._tag === "Chosen" ? choice.input : null,
            state: "TASK_STATE_SUBMITTED",
            status_message: null,
            status_at: yield* DateTime.nowAsDate,
            history: [{ ...told, taskId: id, contextId: context_id }]
          },
          first,
          isHere ? lease : {}
        )
        const input = task.input && brief(task.input, maxKeptBytes)
        const after = { id, context_id, skill: task.skill, input, state: task.state }
        yield* audit.record({ action: "a2p_task.create", resource: `a2p_task/${id}`, after })
        if (isLong) yield* start(id)
        const begun = isHere ? runHere(id, choice.files, hold) : isLong ? sharding.pollStorage : Effect.void
        return { task, begun, is_new: true } satisfies Sent
      })

    /** The task that the same message made before. */
    const again = ({ message, request_hash }: Understood) =>
      Effect.gen(function* () {
        const before = yield* repo.sent(yield* CurrentPrincipal, message.contextId, message.messageId)
        if (before === undefined) return undefined
        if (before.is_visible && before.request_hash === request_hash)
          return { task: before, begun: Effect.void, is_new: false } satisfies Sent
        // Of one that the caller may not see nothing more is told.
        return yield* malformed("message.messageId", "was used before, with other content")
      })

    /** The task that a message is for, if it waits for one. */
    const waiting = (message: Message) =>
      Effect.gen(function* () {
        const found = yield* existing(message.taskId)
        const { id, context_id, state } = found
        if (message.contextId !== "" && message.contextId !== context_id) {
          return yield* malformed("message.contextId", "is not that of the task")
        }
        const needed = isTerminal(state) ? "it takes no further message" : "it does not wait for a message"
        if (state !== "TASK_STATE_INPUT_REQUIRED") return yield* new TaskClosed({ id, state, needed })
        yield* allowedAllOf(found)
        return found
      })

    /** A task goes on with a message. */
    const continued = ({ id, context_id, state }: Task, { message, bare }: Understood, hold: Hold) =>
      Effect.gen(function* () {
        const task = yield* log.append(id, [{ _tag: "status", state: "TASK_STATE_WORKING" }], {
          message: { ...shortened(bare, maxKeptBytes), taskId: id, contextId: context_id },
          ...lease
        })
        if (task === undefined) return yield* new TaskClosed({ id, state, needed: "it has ended meanwhile" })
        return { task, begun: runHere(id, filesOf(message), hold), is_new: true } satisfies Sent
      })

    const preparedOf = (push: Push | undefined) =>
      Effect.gen(function* () {
        if (push === undefined) return undefined
        const { org_id } = yield* CurrentPrincipal
        return yield* configs.prepare(org_id, push.config, push.wire_version)
      })

    /** Writes all of it or nothing. What is written begins, even when the caller hangs up in between. */
    const carried = <E, R>(written: Effect.Effect<Sent, E, R>, prepared: Prepared | undefined) => {
      const abandoned = prepared === undefined ? Effect.void : configs.abandon(prepared)
      return Effect.gen(function* () {
        const { task, begun, is_new } = yield* written.pipe(
          sql.withTransaction,
          orDefect,
          Effect.tapErrorCause(() => abandoned)
        )
        // The same message again: its task has the configuration that it came with first.
        if (!is_new) yield* abandoned
        yield* begun
        yield* log.wake(task.id)
        return task
      }).pipe(Effect.uninterruptible)
    }

    /**
     * Makes a task of a message, and begins it. The same message in the same context answers the same
     * task; a message that names a task goes to that.
     * @param hold keeps a shutdown waiting while the task runs in this process
     */
    const send = Effect.fn("Tasks.send")(function* (given: Message | undefined, push?: Push, hold: Hold = unheld) {
      const understood = yield* checked(given)
      const { message } = understood
      if (message.taskId !== "") {
        const task = yield* waiting(message)
        const prepared = yield* preparedOf(push)
        // Before the event that it is told first.
        const configured = prepared === undefined ? Effect.void : configs.insert(task.id, prepared)
        return yield* carried(Effect.zipRight(configured, continued(task, understood, hold)), prepared)
      }
      const choice = skills.choose(message)
      yield* allowed(choice)
      const prepared = yield* preparedOf(push)
      const written = Effect.gen(function* () {
        // One after the other: of two that say the same, the second finds the first.
        yield* repo.lockOwner(yield* CurrentPrincipal)
        const before = yield* again(understood)
        if (before !== undefined) return before
        const fresh = yield* made(understood, choice, hold)
        if (prepared !== undefined) yield* configs.insert(fresh.task.id, prepared, 0)
        return fresh
      })
      return yield* carried(written, prepared)
    }, use)

    /** Without its artifacts for who does not hold the scopes of its skill. */
    const get = Effect.fn("Tasks.get")(function* (id: string) {
      return shownTo(yield* CurrentPrincipal)(yield* existing(id))
    }, use)

    /** A task whose every event may be told to the caller. */
    const followed = Effect.fn("Tasks.followed")((id: string) => Effect.tap(existing(id), allowedAllOf), use)

    /** Those that changed last first, and how many there are in all. A page is shorter where they are large. */
    const list = Effect.fn("Tasks.list")(function* ({ limit, cursor, history, artifacts, ...filter }: ListQuery) {
      const principal = yield* CurrentPrincipal
      const keyset = yield* Keyset.position(cursor)
      const total = yield* repo.count(principal, filter)
      const rows = yield* repo.list(principal, filter, keyset, { limit, history, artifacts })
      const isMore = (rows[0]?.found ?? 0) > Math.min(limit, rows.length)
      const { items, next_cursor } = Keyset.page(rows, limit, isMore)
      return { items: items.map(shownTo(principal)), next_cursor, total }
    }, use)

    /** Ends a task, and with it what it began. */
    const cancel = Effect.fn("Tasks.cancel")(function* (id: string) {
      const { before, after } = yield* Effect.gen(function* () {
        const before = yield* existing(id)
        const after = yield* log.append(before.id, [{ _tag: "status", state: "TASK_STATE_CANCELED" }])
        if (after === undefined) {
          const { state } = yield* existing(id)
          return yield* new TaskEnded({ id: before.id, state })
        }
        const { state, skill } = after
        yield* audit.record({
          action: "a2p_task.cancel",
          resource: `a2p_task/${before.id}`,
          before: { state: before.state, skill },
          after: { state, skill }
        })
        return { before, after }
      }).pipe(sql.withTransaction, orDefect)
      yield* log.wake(before.id)
      yield* runs.abandon(after)
      return shownTo(yield* CurrentPrincipal)(after)
    }, use)

    /** What a task of the caller came to, as soon as it has ended or waits for something. */
    const settled = Effect.fn("Tasks.settled")(function* ({ id }: Task) {
      return (yield* signals.until(id, isSettled)) ?? (yield* taskNotFound(id))
    }, use)

    return { send, get, followed, list, cancel, settled } as const
  })
}) {}
