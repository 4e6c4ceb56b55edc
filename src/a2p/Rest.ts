import {
  A2A_CONTENT_TYPE,
  AgentCard,
  HTTP_EXTENSION_HEADER,
  ListTaskPushNotificationConfigsResponse,
  ListTasksRequest,
  type ListTasksResponse,
  Message,
  SendMessageRequest,
  StreamResponse,
  Task,
  TaskPushNotificationConfig
} from "@a2a-js/sdk"
import { LEGACY_HTTP_EXTENSION_HEADER } from "@a2a-js/sdk/compat/v0_3"
import { toLegacyHTTPError } from "@a2a-js/sdk/compat/v0_3/server"
import {
  ContentTypeNotSupportedError,
  RequestMalformedError,
  restStatusFor,
  toRestErrorBody,
  UnsupportedOperationError,
  VersionNotSupportedError
} from "@a2a-js/sdk/errors"
import { Effect } from "effect"
import { MethodNotAllowed, NotFound } from "../domain/Errors.ts"
import type { Admitted } from "../platform/Protocols.ts"
import * as Body from "./Body.ts"
import { type Answering, Call, loggedLate } from "./Call.ts"
import { buffered03 } from "./CardForms.ts"
import { countIn } from "./Checks.ts"
import { faultOf } from "./Faults.ts"
import { isObject, parsed } from "./Json.ts"
import { type Operation, route } from "./RestRoutes.ts"
import { asking10, decoded, sending10 } from "./Shapes.ts"
import { type Events, eventStream } from "./Streams.ts"
import * as V03 from "./V03Json.ts"
import { requestedVersion, type Version } from "./Versions.ts"

/** What a request comes down to. */
interface Wanted {
  readonly call: Call
  readonly operation: Operation
  readonly query: URLSearchParams
  readonly body: unknown
}

/** What an operation answers: one value, nothing, or events. */
type Answer =
  | { readonly status: number; readonly value?: unknown }
  | { readonly events: Events<StreamResponse>; readonly shown: (event: StreamResponse) => unknown }

const objectOf = (body: unknown) => {
  if (isObject(body)) return body
  throw new RequestMalformedError("the body is no JSON object")
}

const sendingOf = (body: unknown) => {
  const sending = objectOf(body)
  sending10(sending, "")
  return decoded(SendMessageRequest.fromJSON, sending)
}

const configOf = (body: unknown, taskId: string) => {
  const config = objectOf(body)
  asking10(config, "")
  return decoded(TaskPushNotificationConfig.fromJSON, { ...config, taskId })
}

const materialized = (task: unknown, { includeArtifacts }: ListTasksRequest) =>
  includeArtifacts && isObject(task) ? { artifacts: [], ...task } : task

const listed = (answer: ListTasksResponse, asked: ListTasksRequest) => ({
  tasks: answer.tasks.map((task) => materialized(Task.toJSON(task), asked)),
  nextPageToken: answer.nextPageToken,
  pageSize: answer.pageSize,
  totalSize: answer.totalSize
})

const listOf = (query: URLSearchParams): ListTasksRequest => {
  const pageSize = countIn(query, "pageSize")
  if (pageSize !== undefined && (pageSize < 1 || pageSize > 100))
    throw new RequestMalformedError({
      message: "pageSize is not from 1 to 100",
      metadata: { pageSize: "is not from 1 to 100" }
    })
  return ListTasksRequest.fromJSON({
    contextId: query.get("contextId") ?? undefined,
    status: query.get("status") || undefined,
    pageSize,
    pageToken: query.get("pageToken") ?? undefined,
    historyLength: countIn(query, "historyLength"),
    statusTimestampAfter: query.get("statusTimestampAfter") || undefined,
    includeArtifacts: query.get("includeArtifacts") === "true" || undefined
  })
}

const taskParams = (id: string, query: URLSearchParams) => {
  const historyLength = countIn(query, "historyLength")
  return { tenant: "", id, ...(historyLength === undefined ? {} : { historyLength }) }
}

const answer10 = async ({ call, operation, query, body }: Wanted): Promise<Answer> => {
  const { context } = call
  const shown = StreamResponse.toJSON
  switch (operation.name) {
    case "send": {
      const sent = await call.sendMessage(sendingOf(body), context)
      return {
        status: 200,
        value: "messageId" in sent ? { message: Message.toJSON(sent) } : { task: Task.toJSON(sent) }
      }
    }
    case "stream":
      return { events: call.sendMessageStream(sendingOf(body), context), shown }
    case "subscribe":
      return { events: call.resubscribe({ tenant: "", id: operation.task_id }, context), shown }
    case "list": {
      const asked = listOf(query)
      return { status: 200, value: listed(await call.listTasks(asked, context), asked) }
    }
    case "get":
      return { status: 200, value: Task.toJSON(await call.getTask(taskParams(operation.task_id, query), context)) }
    case "cancel": {
      const metadata = isObject(body) && isObject(body["metadata"]) ? body["metadata"] : undefined
      return {
        status: 200,
        value: Task.toJSON(await call.cancelTask({ tenant: "", id: operation.task_id, metadata }, context))
      }
    }
    case "set_push": {
      const config = configOf(body, operation.task_id)
      return {
        status: 200,
        value: TaskPushNotificationConfig.toJSON(await call.createTaskPushNotificationConfig(config, context))
      }
    }
    case "list_push": {
      const asked = {
        tenant: "",
        taskId: operation.task_id,
        pageSize: countIn(query, "pageSize") ?? 0,
        pageToken: query.get("pageToken") ?? ""
      }
      return {
        status: 200,
        value: ListTaskPushNotificationConfigsResponse.toJSON(
          await call.listTaskPushNotificationConfigs(asked, context)
        )
      }
    }
    case "get_push": {
      const asked = { tenant: "", taskId: operation.task_id, id: operation.config_id }
      return {
        status: 200,
        value: TaskPushNotificationConfig.toJSON(await call.getTaskPushNotificationConfig(asked, context))
      }
    }
    case "delete_push":
      await call.deleteTaskPushNotificationConfig(
        { tenant: "", taskId: operation.task_id, id: operation.config_id },
        context
      )
      return { status: 204 }
    case "card":
      return {
        status: 200,
        value: AgentCard.toJSON(await call.getAuthenticatedExtendedAgentCard())
      }
  }
}

/** Status codes as the 0.3 servers of the library give them: what is made is 201. */
const answer03 = async ({ call, operation, query, body }: Wanted): Promise<Answer> => {
  const { context } = call
  const shown = V03.ofEvent
  switch (operation.name) {
    case "send":
      return { status: 201, value: V03.ofAnswer(await call.sendMessage(V03.toSendRequest(body), context)) }
    case "stream":
      return { events: call.sendMessageStream(V03.toSendRequest(body), context), shown }
    case "subscribe":
      return { events: call.resubscribe({ tenant: "", id: operation.task_id }, context), shown }
    case "get":
      return { status: 200, value: V03.ofTask(await call.getTask(taskParams(operation.task_id, query), context)) }
    case "cancel":
      return {
        status: 200,
        value: V03.ofTask(await call.cancelTask({ tenant: "", id: operation.task_id, metadata: undefined }, context))
      }
    case "set_push": {
      const config = decoded(TaskPushNotificationConfig.fromJSON, V03.toPushRequest(body, operation.task_id))
      return { status: 201, value: V03.ofPushConfig(await call.createTaskPushNotificationConfig(config, context)) }
    }
    case "list_push": {
      const asked = { tenant: "", taskId: operation.task_id, pageSize: 0, pageToken: "" }
      const { configs } = await call.listTaskPushNotificationConfigs(asked, context)
      return { status: 200, value: { configs: configs.map(V03.ofPushConfig) } }
    }
    case "get_push": {
      const asked = { tenant: "", taskId: operation.task_id, id: operation.config_id }
      return { status: 200, value: V03.ofPushConfig(await call.getTaskPushNotificationConfig(asked, context)) }
    }
    case "delete_push":
      await call.deleteTaskPushNotificationConfig(
        { tenant: "", taskId: operation.task_id, id: operation.config_id },
        context
      )
      return { status: 204 }
    case "card":
      return {
        status: 200,
        value: await buffered03(await call.getAuthenticatedExtendedAgentCard())
      }
    case "list":
      throw new UnsupportedOperationError("A2A 0.3 has no list of tasks by REST")
  }
}

const answers: Readonly<Record<Version, (wanted: Wanted) => Promise<Answer>>> = { "1.0": answer10, "0.3": answer03 }

const typeOf: Readonly<Record<Version, string>> = { "1.0": A2A_CONTENT_TYPE, "0.3": "application/json" }

const errorBody = (error: unknown, version: Version) =>
  version === "0.3" ? toLegacyHTTPError(error) : toRestErrorBody(error, restStatusFor(error))

const json = (value: unknown, status: number, version: Version, headers: Readonly<Record<string, string>> = {}) =>
  new Response(JSON.stringify(value), { status, headers: { "content-type": typeOf[version], ...headers } })

const refused = (error: unknown, version: Version) => json(errorBody(error, version), restStatusFor(error), version)

const extensions = ({ context }: Call, version: Version): Record<string, string> =>
  context.activatedExtensions === undefined
    ? {}
    : {
        [version === "0.3" ? LEGACY_HTTP_EXTENSION_HEADER : HTTP_EXTENSION_HEADER]:
          context.activatedExtensions.join(",")
      }

/** The failure of a call: as A2A tells it, or, where the service tells it by any protocol in the same way, the effect's. */
const told = (call: Call, error: unknown, version: Version) =>
  Effect.gen(function* () {
    const { fault } = call
    if (fault?.kind === "problem") return yield* Effect.fail(fault.error)
    if (fault?.kind === "internal") yield* Effect.logError("a call by A2P failed", fault.error)
    // What no call failed with is of the parsing of the request, or a fault of this module.
    const other = fault === undefined ? faultOf(error) : undefined
    if (other?.kind === "internal") return yield* Effect.die(other.error)
    return refused(other?.error ?? error, version)
  })

const attempt = <A>(run: () => Promise<A>) =>
  Effect.promise(() =>
    Promise.resolve()
      .then(run)
      .then(
        (value) => ({ value }),
        (error: unknown) => ({ error })
      )
  )

const answered = (wanted: Wanted, version: Version) =>
  Effect.gen(function* () {
    const { call } = wanted
    const outcome = yield* attempt(() => answers[version](wanted))
    if ("error" in outcome) return yield* told(call, outcome.error, version)
    const answer = outcome.value
    const headers = extensions(call, version)
    if ("status" in answer)
      return answer.status === 204
        ? new Response(null, { status: 204, headers })
        : json(answer.value, answer.status, version, headers)
    const { events, shown } = answer
    const late = yield* loggedLate(call)
    const first = yield* attempt(() => events.next())
    if ("error" in first) return yield* told(call, first.error, version)
    return eventStream(events, {
      first: first.value,
      shown,
      failed: (error) => {
        late()
        return errorBody(error, version)
      },
      left: call.hangUp,
      headers: extensions(call, version)
    })
  })

/** Both versions have paths of their own: the version that is named must be that of the path. */
const assertVersion = (request: Request, version: Version) => {
  const asked = requestedVersion(request) ?? version
  if (asked !== version)
    throw new VersionNotSupportedError(
      `A2A ${asked} is not spoken under this path: 0.3 is under /a2p/v1/, 1.0 under /a2p/`
    )
}

const readable: ReadonlyArray<string | undefined> = ["application/json", A2A_CONTENT_TYPE, undefined]

const bodyOf = (text: string): unknown => {
  if (text === "") return undefined
  const found = parsed(text)
  if (found === undefined) throw new RequestMalformedError("Invalid JSON payload")
  return found.value
}

/** Everything under `/a2p/`: HTTP+JSON, of version 1.0, and of 0.3 under `/a2p/v1/`. */
export const handle = (answering: Answering, admitted: Admitted, limit: number) =>
  Effect.gen(function* () {
    const { request } = admitted
    const url = new URL(request.url)
    const found = route(request.method, url.pathname)
    if (found === undefined) return yield* new NotFound({ detail: `there is nothing at ${url.pathname.slice(0, 200)}` })
    const { version } = found
    if (found.operation === undefined)
      return yield* new MethodNotAllowed({
        detail: `${request.method} is not a method of ${url.pathname.slice(0, 200)}`,
        allow: found.allow
      })
    const type = Body.mediaType(request)
    if (request.method === "POST" && !readable.includes(type))
      return refused(new ContentTypeNotSupportedError(`${type} is not read here; send ${typeOf[version]}`), version)
    const text = request.method === "POST" ? yield* Body.text(request, limit) : ""
    const call = new Call(answering, admitted, version)
    const { operation } = found
    const body = yield* attempt(async () => {
      assertVersion(request, version)
      return bodyOf(text)
    })
    if ("error" in body) return refused(body.error, version)
    return yield* answered({ call, operation, query: url.searchParams, body: body.value }, version)
  })
