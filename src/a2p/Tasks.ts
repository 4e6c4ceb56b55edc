import { type Message, Role, type TaskPushNotificationConfig } from "@a2a-js/sdk"
import { Sharding } from "@effect/cluster"
import { SqlClient } from "@effect/sql"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import canonicalize from "canonicalize"
import { Duration, Effect, Schema } from "effect"
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
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { PushConfigs } from "./PushConfigs.ts"
import type { FilePart } from "./Skill.ts"
import { type Choice, filesOf, Skills } from "./Skills.ts"
import { type Happening, TaskLog } from "./TaskLog.ts"
import { refusal, TaskRuns } from "./TaskRuns.ts"
import { TaskSignals } from "./TaskSignals.ts"
import { type TaskFilter, TasksRepo } from "./TasksRepo.ts"
import type { Version } from "./Versions.ts"
import { dataPart, type Json, messageJson } from "./Wire.ts"

/** What a message may hold besides the bytes of its files. */
const maxMessageBytes = 1024 * 1024
/** As long as a run within a request may take; after the margin, its process is held to be gone. */
const patience = Duration.seconds(60)
const margin = Duration.seconds(30)

const isName = Schema.is(Text(1, 255))
const isStorable = Schema.is(JsonObject(maxMessageBytes))
const isTaskId = Schema.is(A2pTaskId)

const isSettled = (state: TaskState) => state !== "TASK_STATE_SUBMITTED" && state !== "TASK_STATE_WORKING"

const leaseEnd = () => new Date(Date.now() + Duration.toMillis(Duration.sum(patience, margin)))

interface ListQuery extends TaskFilter {
  readonly limit: number
  readonly cursor?: string | undefined
}

/** What came of a message: its task, and what is to be done for it now. */
interface Sent {
  readonly task: Task
  /** Begins the run within this request, where there is one. */
  readonly begun: Effect.Effect<void>
  readonly is_new: boolean
}

/** Where the caller wants the task's events pushed to, and in the words of which version. */
interface Push {
  readonly config: TaskPushNotificationConfig
  readonly wire_version: Version
}

const malformed = (path: string, message: string) =>
  new MessageMalformed({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

const digest = (bytes: Uint8Array | string) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex")

/** A message as its task keeps it: of files that came with it, what they were. */
const kept = (message: Message): Message => ({
  ...message,
  parts: message.parts.map((part) =>
    part.content?.$case === "raw"
      ? {
          ...part,
          content: dataPart({ size_bytes: part.content.value.length, sha256: digest(part.content.value) }).content
        }
      : part
  )
})

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
    const stored = messageJson(kept(message))
    if (!isStorable(stored)) {
      return yield* malformed(
        "message",
        `must be at most ${maxMessageBytes} bytes of JSON without its files' bytes, with no NUL and no unpaired surrogate`
      )
    }
    return { message, stored }
  })

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

    const start = (id: A2pTaskId) =>
      TaskWorkflow.execute({ task_id: id }, { discard: true }).pipe(Effect.provideService(WorkflowEngine, engine))

    /** Runs in this process, beyond the request if need be. */
    const runHere = (id: A2pTaskId, files: ReadonlyArray<FilePart>) =>
      runs.advance(id, files).pipe(
        Effect.asVoid,
        Effect.timeoutTo({
          duration: patience,
          onSuccess: () => Effect.void,
          onTimeout: () => runs.fail(id, `it was not done within ${Duration.toSeconds(patience)} s`)
        }),
        Effect.flatten,
        Effect.catchAllCause((cause) =>
          Effect.zipRight(
            Effect.logError(`the run of task ${id} failed`, cause),
            runs.fail(id, "the service failed; its log says how. Send it again, as a new message")
          )
        ),
        Effect.interruptible,
        Effect.forkIn(process),
        Effect.asVoid
      )

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
    const made = (message: Message, stored: Json, request_hash: string, choice: Choice) =>
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
            status_at: new Date(),
            history: [{ ...stored, taskId: id, contextId: context_id }],
            lease_until: isHere ? leaseEnd() : null
          },
          first
        )
        const after = { id, context_id, skill: task.skill, input: task.input, state: task.state }
        yield* audit.record({ action: "a2p_task.create", resource: `a2p_task/${id}`, after })
        if (isLong) yield* start(id)
        const begun = isHere ? runHere(id, choice.files) : isLong ? sharding.pollStorage : Effect.void
        return { task, begun, is_new: true } satisfies Sent
      })

    /** The task that the same message made before. */
    const again = (message: Message, request_hash: string) =>
      Effect.gen(function* () {
        const before = yield* repo.sent(yield* CurrentPrincipal, message.contextId, message.messageId)
        if (before === undefined) return undefined
        if (before.request_hash === request_hash)
          return { task: before, begun: Effect.void, is_new: false } satisfies Sent
        return yield* malformed("message.messageId", "was used before, with other content")
      })

    /** A message for a task that waits for one. */
    const continued = (message: Message, stored: Json) =>
      Effect.gen(function* () {
        const found = yield* existing(message.taskId)
        const { id, context_id, state } = found
        if (message.contextId !== "" && message.contextId !== context_id) {
          return yield* malformed("message.contextId", "is not that of the task")
        }
        const needed = isTerminal(state) ? "it takes no further message" : "it does not wait for a message"
        if (state !== "TASK_STATE_INPUT_REQUIRED") return yield* new TaskClosed({ id, state, needed })
        const task = yield* log.append(id, [{ _tag: "status", state: "TASK_STATE_WORKING" }], {
          message: { ...stored, taskId: id, contextId: context_id },
          lease_until: leaseEnd()
        })
        if (task === undefined) return yield* new TaskClosed({ id, state, needed: "it has ended meanwhile" })
        return { task, begun: runHere(id, filesOf(message)), is_new: false } satisfies Sent
      })

    /**
     * Makes a task of a message, and begins it. The same message in the same context answers the same
     * task; a message that names a task goes to that.
     */
    const send = Effect.fn("Tasks.send")(function* (given: Message | undefined, push?: Push) {
      const { message, stored } = yield* checked(given)
      const principal = yield* CurrentPrincipal
      if (message.taskId !== "") {
        if (push !== undefined) yield* configs.set(yield* existing(message.taskId), push.config, push.wire_version)
        const sent = yield* Effect.uninterruptible(Effect.tap(continued(message, stored), ({ begun }) => begun))
        return sent.task
      }
      const request_hash = digest(String(canonicalize(JSON.parse(JSON.stringify(stored)))))
      const choice = skills.choose(message)
      yield* allowed(choice)
      const prepared = push && (yield* configs.prepare(principal.org_id, push.config, push.wire_version))
      const abandoned = prepared === undefined ? Effect.void : configs.abandon(prepared)
      const written = Effect.gen(function* () {
        // One after the other: of two that say the same, the second finds the first.
        yield* repo.lockOwner(principal)
        const before = yield* again(message, request_hash)
        if (before !== undefined) return before
        const fresh = yield* made(message, stored, request_hash, choice)
        if (prepared !== undefined) yield* configs.insert(fresh.task.id, prepared, 0)
        return fresh
      }).pipe(
        sql.withTransaction,
        orDefect,
        Effect.tapErrorCause(() => abandoned)
      )
      return yield* Effect.gen(function* () {
        const sent = yield* written
        // The same message again: its task has the configuration that it came with first.
        if (!sent.is_new) yield* abandoned
        yield* sent.begun
        yield* log.wake(sent.task.id)
        return sent.task
        // What is written begins, even when the caller hangs up in between.
      }).pipe(Effect.uninterruptible)
    }, use)

    const get = Effect.fn("Tasks.get")(existing, use)

    /** Those that changed last first, and how many there are in all. */
    const list = Effect.fn("Tasks.list")(function* ({ limit, cursor, ...filter }: ListQuery) {
      const principal = yield* CurrentPrincipal
      const keyset = yield* Keyset.position(cursor)
      const total = yield* repo.count(principal, filter)
      return { ...Keyset.page(yield* repo.list(principal, filter, keyset, limit), limit), total }
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
      return after
    }, use)

    /** What a task of the caller came to, as soon as it has ended or waits for something. */
    const settled = Effect.fn("Tasks.settled")(function* ({ id }: Task) {
      return (yield* signals.until(id, isSettled)) ?? (yield* taskNotFound(id))
    }, use)

    return { send, get, list, cancel, settled } as const
  })
}) {}
