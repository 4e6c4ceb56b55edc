import {
  type ListTasksRequest,
  type Message,
  type Part,
  Role,
  type SendMessageRequest,
  type StreamResponse,
  type Task,
  TaskState
} from "@a2a-js/sdk"
import { ServerCallContext } from "@a2a-js/sdk/server"
import { Effect } from "effect"
import { Caller } from "../../src/a2p/Caller.ts"
import { RequestHandler } from "../../src/a2p/RequestHandler.ts"
import { AgentId, OrganizationId, SuiteId, UserId } from "../../src/domain/Ids.ts"
import { Principal, type Scope } from "../../src/domain/Principal.ts"
import type { Caller as Person } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

interface Limits {
  readonly scopes?: ReadonlyArray<Scope>
  readonly suite_ids?: ReadonlyArray<string>
}

/** A person of an organization as a principal: an owner with every scope, unless less is said. */
export const person = ({ org_id, user_id }: Pick<Person, "org_id" | "user_id">, { scopes, suite_ids }: Limits = {}) =>
  Principal.make({
    org_id: OrganizationId.make(org_id),
    user_id: UserId.make(user_id),
    agent_id: null,
    role: "owner",
    scopes: scopes ?? ["*"],
    suite_ids: suite_ids?.map((id) => SuiteId.make(id)) ?? null,
    key_id: null,
    auth_method: "api_key"
  })

/** A new agent of an organization. */
export const agent = (org_id: string, scopes: ReadonlyArray<Scope> = ["*"]) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const id = Bun.randomUUIDv7()
    yield* sql`insert into agents ${sql.insert({
      id,
      org_id,
      name: `agent ${id}`,
      client_id: `agent_${id.replaceAll("-", "").slice(0, 22)}`,
      secret_hash: "0".repeat(64),
      scopes
    })}`
    return Principal.make({
      org_id: OrganizationId.make(org_id),
      user_id: null,
      agent_id: AgentId.make(id),
      role: null,
      scopes,
      suite_ids: null,
      key_id: null,
      auth_method: "client_secret"
    })
  }).pipe(Effect.orDie)

/** What a transport hands over with a call. */
export const context = (principal: Principal, signal?: AbortSignal) =>
  new ServerCallContext({
    user: new Caller(principal, { request_id: "test", ip: null }, signal),
    requestedVersion: "1.0"
  })

const part = (content: NonNullable<Part["content"]>, filename = ""): Part => ({
  content,
  filename,
  mediaType: "",
  metadata: undefined
})

export const text = (value: string) => part({ $case: "text", value })
export const data = (value: unknown) => part({ $case: "data", value })
export const bytes = (value: string | Uint8Array, filename: string) =>
  part({ $case: "raw", value: Buffer.from(value as Uint8Array) }, filename)
export const url = (value: string, filename = "") => part({ $case: "url", value }, filename)

interface Wanted extends Partial<Pick<Message, "messageId" | "contextId" | "taskId">> {
  readonly at_once?: boolean
  readonly history?: number
}

/** A message of these parts. */
export const message = (
  parts: ReadonlyArray<Part>,
  { at_once = false, history, ...more }: Wanted = {}
): SendMessageRequest => ({
  tenant: "",
  message: {
    messageId: crypto.randomUUID(),
    contextId: "",
    taskId: "",
    role: Role.ROLE_USER,
    parts: [...parts],
    metadata: undefined,
    extensions: [],
    referenceTaskIds: [],
    ...more
  },
  configuration: {
    acceptedOutputModes: [],
    taskPushNotificationConfig: undefined,
    historyLength: history,
    returnImmediately: at_once
  },
  metadata: undefined
})

/** A message that asks for a skill. */
export const asking = (skill: string, input: unknown, files: ReadonlyArray<Part> = [], more: Wanted = {}) =>
  message([data({ skill, input }), ...files], more)

/** The task that comes of it. */
export const sent = (principal: Principal, request: SendMessageRequest) =>
  Effect.flatMap(RequestHandler, (handler) => Effect.promise(() => handler.sendMessage(request, context(principal))))

/** What the handler rejects with, as `name: message`; "answered" where it does not. */
export const refusal = (call: Promise<unknown>) =>
  Effect.promise(() =>
    call.then(
      () => "answered",
      (error: Error) => `${error.name}: ${error.message}`
    )
  )

export const stateOf = (task: Pick<Task, "status">) => TaskState[task.status?.state ?? 0]

/** The data of a task's answer. */
export const answerOf = ({ artifacts }: Task): Record<string, unknown> => {
  const content = artifacts[0]?.parts[0]?.content
  return content?.$case === "data" ? content.value : {}
}

/** The text of a task's status. */
export const saidOf = ({ status }: Pick<Task, "status">): string =>
  (status?.message?.parts ?? []).flatMap(({ content }) => (content?.$case === "text" ? [content.value] : [])).join(" ")

/** The fields that a task's status finds wrong. */
export const errorsOf = ({ status }: Pick<Task, "status">): ReadonlyArray<{ readonly path: string }> =>
  (status?.message?.parts ?? []).flatMap(({ content }) => (content?.$case === "data" ? content.value.errors : []))

/** One line for each event of a stream. */
export const line = ({ payload }: StreamResponse): string => {
  switch (payload?.$case) {
    case "task":
      return `task ${stateOf(payload.value)}`
    case "statusUpdate":
      return stateOf(payload.value) ?? ""
    case "artifactUpdate":
      return `artifact ${payload.value.artifact?.name}`
    default:
      return "nothing"
  }
}

/** Everything that a stream tells until its end. */
export const all = async (events: AsyncIterable<StreamResponse>) => {
  const found: Array<StreamResponse> = []
  for await (const event of events) found.push(event)
  return found
}

/** A request for the caller's tasks. */
export const listing = (more: Partial<ListTasksRequest> = {}): ListTasksRequest => ({
  tenant: "",
  contextId: "",
  status: TaskState.TASK_STATE_UNSPECIFIED,
  pageToken: "",
  statusTimestampAfter: undefined,
  ...more
})
