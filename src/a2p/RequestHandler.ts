import type { ListTasksResponse, Task as SdkTask, SendMessageRequest, StreamResponse } from "@a2a-js/sdk"
import {
  RequestMalformedError,
  TaskNotCancelableError,
  TaskNotFoundError,
  UnsupportedOperationError
} from "@a2a-js/sdk/errors"
import type { A2ARequestHandler, ServerCallContext } from "@a2a-js/sdk/server"
import { Cause, DateTime, Effect, Option, Runtime, Schema, type Scope, Stream } from "effect"
import { isTerminal, MessageMalformed, type Task, TaskClosed, TaskEnded, TaskState } from "../domain/a2p/Task.ts"
import { BadRequest, Issue, NotFound, Unauthorized, ValidationError } from "../domain/Errors.ts"
import { TimestampText } from "../domain/Json.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import { RequestInfo } from "../domain/RequestInfo.ts"
import { generator } from "./AsyncEvents.ts"
import { Caller } from "./Caller.ts"
import { PushConfigs } from "./PushConfigs.ts"
import { TaskStreams } from "./TaskStreams.ts"
import { Tasks } from "./Tasks.ts"
import type { Version } from "./Versions.ts"
import { stateName, taskOf } from "./Wire.ts"

const defaultPageSize = 50
const maxPageSize = 100

const isState = Schema.is(TaskState)
const timestamp = Schema.decodeUnknownOption(TimestampText)

const malformed = (path: string, message: string) =>
  new MessageMalformed({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

/** Failures that A2A has a name for; all others are told as they are, for the transports to name. */
const inWords = (failure: unknown): unknown => {
  if (failure instanceof NotFound) return new TaskNotFoundError(failure.message)
  if (failure instanceof TaskEnded) return new TaskNotCancelableError(failure.message)
  if (failure instanceof TaskClosed) return new UnsupportedOperationError(failure.message)
  if (failure instanceof MessageMalformed || failure instanceof BadRequest || failure instanceof ValidationError) {
    return new RequestMalformedError({
      message: failure.message,
      metadata: Object.fromEntries((failure.errors ?? []).map(({ path, message }) => [path, message]))
    })
  }
  return failure
}

const caller = ({ user }: ServerCallContext) =>
  user instanceof Caller ? Effect.succeed(user) : new Unauthorized({ detail: "the caller is not known" })

const historyLength = (length: number | undefined) =>
  length === undefined || (Number.isInteger(length) && length >= 0)
    ? Effect.succeed(length)
    : malformed("historyLength", "must be a whole number from 0 on")

/** What a page of tasks is to hold, checked. */
const page = (size: number | undefined) =>
  size === undefined
    ? Effect.succeed(defaultPageSize)
    : Number.isInteger(size) && size >= 1 && size <= maxPageSize
      ? Effect.succeed(size)
      : malformed("pageSize", `must be a whole number from 1 to ${maxPageSize}`)

/** A filter that is not set arrives as the state that no task is in. */
const stateFilter = (state: number) => {
  const name = stateName(state)
  if (state === undefined || name === "TASK_STATE_UNSPECIFIED") return Effect.succeed(undefined)
  return isState(name) ? Effect.succeed(name) : malformed("status", "is not a state of tasks")
}

const since = (text: string | undefined) => {
  if (text === undefined || text === "") return Effect.succeed(undefined)
  return Option.match(timestamp(text), {
    onNone: () => malformed("statusTimestampAfter", "must be a point in time such as 2026-01-31T12:00:00Z"),
    onSome: (at) => Effect.succeed(DateTime.toDate(at))
  })
}

/** The task that a stream begins with, with no more of its history than is wanted. */
const cut = (response: StreamResponse, history_length: number | undefined): StreamResponse => {
  const { payload } = response
  if (payload?.$case !== "task" || history_length === undefined) return response
  const { history } = payload.value
  const value = { ...payload.value, history: history.slice(Math.max(0, history.length - history_length)) }
  return { payload: { $case: "task", value } }
}

/** The card is made of the configuration, not of tasks: who mounts the handler answers it. */
const noCard = async (): Promise<never> => {
  throw new UnsupportedOperationError("this handler has no agent card")
}

const versionOf = ({ requestedVersion }: ServerCallContext): Version => (requestedVersion === "0.3" ? "0.3" : "1.0")

const holdOf = ({ user }: ServerCallContext) => (user instanceof Caller ? user.hold : undefined)

/** What the transports of A2A call: each method on behalf of the {@link Caller} in its context. */
export class RequestHandler extends Effect.Service<RequestHandler>()("a2p/RequestHandler", {
  dependencies: [Tasks.Default, TaskStreams.Default, PushConfigs.Default],
  effect: Effect.gen(function* () {
    const tasks = yield* Tasks
    const streams = yield* TaskStreams
    const configs = yield* PushConfigs
    const runtime = yield* Effect.runtime<never>()

    type Needs = CurrentPrincipal

    const as =
      ({ principal, info }: Caller) =>
      <A, E>(self: Effect.Effect<A, E, Needs>): Effect.Effect<A, unknown> =>
        self.pipe(
          Effect.mapError(inWords),
          Effect.provideService(CurrentPrincipal, principal),
          Effect.provideService(RequestInfo, info)
        )

    const answered = async <A, E>(context: ServerCallContext, self: Effect.Effect<A, E, Needs>): Promise<A> => {
      const given = await Runtime.runPromise(runtime)(Effect.either(caller(context)))
      if (given._tag === "Left") throw given.left
      const { signal } = given.right
      const exit = await Runtime.runPromiseExit(runtime)(as(given.right)(self), signal === undefined ? {} : { signal })
      if (exit._tag === "Success") return exit.value
      throw Cause.squash(exit.cause)
    }

    const streamed = <E>(
      context: ServerCallContext,
      open: Effect.Effect<Stream.Stream<StreamResponse>, E, Needs | Scope.Scope>
    ) =>
      generator(
        Stream.unwrapScoped(
          Effect.flatMap(caller(context), ({ principal, info }) =>
            open.pipe(
              Effect.mapError(inWords),
              Effect.map(Stream.interruptWhen(streams.outlawed(principal))),
              Effect.provideService(CurrentPrincipal, principal),
              Effect.provideService(RequestInfo, info)
            )
          )
        ),
        runtime,
        context.user instanceof Caller ? context.user.signal : undefined
      )

    const pushTo = ({ configuration }: SendMessageRequest, wire_version: Version) => {
      const config = configuration?.taskPushNotificationConfig
      return config === undefined ? undefined : { config, wire_version }
    }

    /** How a task ends, for who may follow it until then. */
    const settled = (task: Task) =>
      Effect.flatMap(CurrentPrincipal, (principal) =>
        Effect.raceFirst(
          tasks.settled(task),
          Effect.zipRight(
            streams.outlawed(principal),
            new Unauthorized({ detail: `the caller may not act any more; the task ${task.id} is not waited for` })
          )
        )
      )

    /** A shutdown waits for a stream as long as what it tells of runs here. */
    const held = ({ is_here }: Task, context: ServerCallContext) =>
      is_here && context.user instanceof Caller
        ? Effect.acquireRelease(Effect.sync(context.user.hold), (release) => Effect.sync(release))
        : Effect.void

    const send = (params: SendMessageRequest, context: ServerCallContext) =>
      Effect.gen(function* () {
        const { message, configuration } = params
        const isAnsweredAtOnce = configuration?.returnImmediately === true
        const history_length = yield* historyLength(configuration?.historyLength)
        // Before there is a task that nobody would be told of.
        if (!isAnsweredAtOnce) yield* streams.place
        const begun = yield* tasks.send(message, pushTo(params, versionOf(context)), holdOf(context))
        const task = isAnsweredAtOnce || isTerminal(begun.state) ? begun : yield* settled(begun)
        return taskOf(task, { history_length })
      }).pipe(Effect.scoped)

    const sendStreaming = (params: SendMessageRequest, context: ServerCallContext) =>
      Effect.gen(function* () {
        const { message, configuration } = params
        const history_length = yield* historyLength(configuration?.historyLength)
        yield* streams.place
        const task = yield* tasks.send(message, pushTo(params, versionOf(context)), holdOf(context))
        yield* held(task, context)
        // Of a new task everything is told; of one that goes on, how it is and what follows.
        const events =
          message?.taskId === ""
            ? streams.after(task, 0)
            : Stream.concat(Stream.make(snapshot(task)), streams.after(task, task.last_seq))
        return Stream.map(events, (event) => cut(event, history_length))
      })

    const subscribe = (id: string, context: ServerCallContext) =>
      Effect.gen(function* () {
        yield* streams.place
        const task = yield* tasks.followed(id)
        if (isTerminal(task.state)) {
          return yield* new TaskClosed({ id: task.id, state: task.state, needed: "there is nothing to subscribe to" })
        }
        yield* held(task, context)
        return Stream.concat(Stream.make(snapshot(task)), streams.after(task, task.last_seq))
      })

    const listed = (params: Parameters<A2ARequestHandler["listTasks"]>[0]) =>
      Effect.gen(function* () {
        const limit = yield* page(params.pageSize)
        const history_length = yield* historyLength(params.historyLength)
        const shown = { history_length, artifacts: params.includeArtifacts === true }
        const { items, next_cursor, total } = yield* tasks.list({
          limit,
          history: history_length !== 0,
          artifacts: shown.artifacts,
          cursor: params.pageToken === "" ? undefined : params.pageToken,
          context_id: params.contextId === "" ? undefined : params.contextId,
          state: yield* stateFilter(params.status),
          status_from: yield* since(params.statusTimestampAfter)
        })
        return {
          tasks: items.map((task) => taskOf(task, shown)),
          nextPageToken: next_cursor ?? "",
          pageSize: limit,
          totalSize: total
        } satisfies ListTasksResponse
      })

    const handler = {
      getAgentCard: noCard,
      getAuthenticatedExtendedAgentCard: noCard,
      sendMessage: (params, context): Promise<SdkTask> => answered(context, send(params, context)),
      sendMessageStream: (params, context) => streamed(context, sendStreaming(params, context)),
      resubscribe: ({ id }, context) => streamed(context, subscribe(id, context)),
      getTask: ({ id, historyLength: length }, context) =>
        answered(
          context,
          Effect.flatMap(historyLength(length), (history_length) =>
            Effect.map(tasks.get(id), (task) => taskOf(task, { history_length }))
          )
        ),
      listTasks: (params, context) => answered(context, listed(params)),
      cancelTask: ({ id }, context) =>
        answered(
          context,
          Effect.map(tasks.cancel(id), (task) => taskOf(task))
        ),
      createTaskPushNotificationConfig: (config, context) =>
        answered(
          context,
          Effect.flatMap(tasks.followed(config.taskId), (task) => configs.set(task, config, versionOf(context)))
        ),
      getTaskPushNotificationConfig: ({ taskId, id }, context) =>
        answered(
          context,
          Effect.flatMap(tasks.get(taskId), (task) => configs.get(task.id, id))
        ),
      // A task has so few of them that they are one page.
      listTaskPushNotificationConfigs: ({ taskId }, context) =>
        answered(
          context,
          Effect.map(
            Effect.flatMap(tasks.get(taskId), (task) => configs.list(task.id)),
            (found) => ({ configs: found, nextPageToken: "" })
          )
        ),
      deleteTaskPushNotificationConfig: ({ taskId, id }, context) =>
        answered(
          context,
          Effect.flatMap(tasks.get(taskId), (task) => configs.remove(task, id))
        )
    } satisfies A2ARequestHandler

    return handler
  })
}) {}

/** How a task is now, as the first of a stream. */
const snapshot = (task: Task): StreamResponse => ({ payload: { $case: "task", value: taskOf(task) } })
