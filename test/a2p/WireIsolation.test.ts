import { expect, layer } from "@effect/vitest"
import { Effect, Runtime } from "effect"
import fc from "fast-check"
import { member, organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"
import { call } from "../support/Uploading.ts"

interface Request20 {
  readonly version: string
  readonly method: string
  readonly path: string
  readonly body?: object
}

const message = (taskId: string) => ({ messageId: "m", role: "ROLE_USER", taskId, parts: [{ text: "more" }] })
const compat = (taskId: string) => ({
  kind: "message",
  messageId: "m",
  role: "user",
  taskId,
  parts: [{ kind: "text", text: "more" }]
})
const config = { id: "mine", url: "http://127.0.0.1:65000/", token: "known" }

const rpc = (version: string, method: string, params: object): Request20 => ({
  version,
  method: "POST",
  path: "",
  body: { jsonrpc: "2.0", id: 1, method, params }
})

const rest = (prefix: string, version: string, id: string): ReadonlyArray<Request20> => {
  const task = `${prefix}/tasks/${id}`
  const sent =
    version === "1.0" ? { message: message(id) } : { message: { ...message(id), content: [{ text: "more" }] } }
  const push = version === "1.0" ? config : { pushNotificationConfig: config }
  return [
    { version, method: "POST", path: `${prefix}/message:send`, body: sent },
    { version, method: "POST", path: `${prefix}/message:stream`, body: sent },
    { version, method: "GET", path: task },
    { version, method: "POST", path: `${task}:cancel`, body: {} },
    { version, method: "POST", path: `${task}:subscribe`, body: {} },
    { version, method: "GET", path: `${task}:subscribe` },
    { version, method: "POST", path: `${task}/pushNotificationConfigs`, body: push },
    { version, method: "GET", path: `${task}/pushNotificationConfigs` },
    { version, method: "GET", path: `${task}/pushNotificationConfigs/mine` },
    { version, method: "DELETE", path: `${task}/pushNotificationConfigs/mine` }
  ]
}

/** Every request that names a task, by every way in. */
const naming = (id: string): ReadonlyArray<Request20> => [
  rpc("1.0", "SendMessage", { message: message(id) }),
  rpc("1.0", "SendStreamingMessage", { message: message(id) }),
  rpc("1.0", "GetTask", { id }),
  rpc("1.0", "CancelTask", { id }),
  rpc("1.0", "SubscribeToTask", { id }),
  rpc("1.0", "CreateTaskPushNotificationConfig", { taskId: id, ...config }),
  rpc("1.0", "GetTaskPushNotificationConfig", { taskId: id, id: "mine" }),
  rpc("1.0", "ListTaskPushNotificationConfigs", { taskId: id }),
  rpc("1.0", "DeleteTaskPushNotificationConfig", { taskId: id, id: "mine" }),
  rpc("0.3", "message/send", { message: compat(id) }),
  rpc("0.3", "message/stream", { message: compat(id) }),
  rpc("0.3", "tasks/get", { id }),
  rpc("0.3", "tasks/cancel", { id }),
  rpc("0.3", "tasks/resubscribe", { id }),
  rpc("0.3", "tasks/pushNotificationConfig/set", { taskId: id, pushNotificationConfig: config }),
  rpc("0.3", "tasks/pushNotificationConfig/get", { id, pushNotificationConfigId: "mine" }),
  rpc("0.3", "tasks/pushNotificationConfig/list", { id }),
  rpc("0.3", "tasks/pushNotificationConfig/delete", { id, pushNotificationConfigId: "mine" }),
  ...rest("", "1.0", id),
  ...rest("/v1", "0.3", id)
]

type Credentials = Readonly<Record<string, string>>

const answered = (credentials: Credentials, { version, method, path, body }: Request20) =>
  Effect.flatMap(TestServer, ({ base_url }) =>
    Effect.promise(async () => {
      const response = await fetch(`${base_url}/a2p${path}`, {
        method,
        headers: { ...credentials, "a2a-version": version, "content-type": "application/json" },
        body: body === undefined ? null : JSON.stringify(body)
      })
      return { status: response.status, text: await response.text() }
    })
  )

/** An agent of the organization, by its id and its secret. */
const agent = (owner: { readonly api_key: string }) =>
  Effect.gen(function* () {
    const server = yield* TestServer
    const { json } = yield* call({ ...server, api_key: owner.api_key }, "POST", "/v1/agents", {
      name: `agent ${crypto.randomUUID()}`,
      scopes: ["a2p:use", "examples:read", "examples:write"]
    })
    return { authorization: `Basic ${btoa(`${json["client_id"]}:${json["client_secret"]}`)}` }
  })

const at = (value: unknown, [name, ...rest]: ReadonlyArray<string | number>, put: unknown): unknown => {
  if (name === undefined) return put
  const copy: Record<string | number, unknown> | Array<unknown> = Array.isArray(value)
    ? [...value]
    : { ...Object(value) }
  return Object.assign(copy, { [name]: at(Object(value)[name], rest, put) })
}

/** Messages as each binding has them, whole: at any of their places something else can be put. */
const whole = {
  "1.0": {
    message: {
      messageId: "m",
      contextId: "c",
      role: "ROLE_USER",
      parts: [{ text: "a" }, { raw: "YQ==", filename: "a" }, { url: "https://a.test" }, { data: {} }],
      metadata: {},
      extensions: [],
      referenceTaskIds: []
    },
    configuration: {
      historyLength: 1,
      acceptedOutputModes: [],
      returnImmediately: true,
      taskPushNotificationConfig: { url: "http://127.0.0.1:65000/", token: "t", authentication: { scheme: "Bearer" } }
    },
    metadata: {}
  },
  "0.3": {
    message: {
      kind: "message",
      messageId: "m",
      contextId: "c",
      role: "user",
      parts: [
        { kind: "text", text: "a" },
        { kind: "file", file: { bytes: "YQ==", name: "a" } },
        { kind: "file", file: { uri: "https://a.test" } },
        { kind: "data", data: {} }
      ],
      metadata: {}
    },
    configuration: {
      historyLength: 1,
      blocking: false,
      pushNotificationConfig: { url: "http://127.0.0.1:65000/", token: "t", authentication: { schemes: ["Bearer"] } }
    },
    metadata: {}
  },
  "0.3 REST": {
    message: {
      messageId: "m",
      contextId: "c",
      role: "ROLE_USER",
      content: [
        { text: "a" },
        { file: { fileWithBytes: "YQ==" } },
        { file: { fileWithUri: "https://a.test" } },
        { data: { data: {} } }
      ],
      metadata: {}
    },
    configuration: {
      historyLength: 1,
      pushNotification: { url: "http://127.0.0.1:65000/", token: "t", authentication: { schemes: ["Bearer"] } }
    },
    metadata: {}
  }
}

/** Every place within a value. */
const places = (value: unknown): ReadonlyArray<ReadonlyArray<string | number>> =>
  typeof value !== "object" || value === null
    ? [[]]
    : [[], ...Object.entries(value).flatMap(([name, one]) => places(one).map((rest) => [name, ...rest]))]

const nasty = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.constantFrom(null, 5, "", {}, [], [null], [5], { toString: 1 }, { length: -1 }, true, -1, 1.5)
)

layer(TestServer.layer({ ROLE: "api" }), { excludeTestServices: true })("over the wire", (it) => {
  it.effect("a task of somebody else is answered as one that does not exist", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const mine = yield* agent(owner)
      const made = yield* answered(
        mine,
        rpc("1.0", "SendMessage", {
          message: {
            messageId: "m",
            role: "ROLE_USER",
            parts: [
              {
                data: {
                  skill: "create_examples",
                  input: { session_ids: [Bun.randomUUIDv7()], model_id: Bun.randomUUIDv7() }
                }
              }
            ]
          },
          configuration: { returnImmediately: true, taskPushNotificationConfig: config }
        })
      )
      const { id } = JSON.parse(made.text).result.task
      const nothing = Bun.randomUUIDv7()
      const before = yield* answered(mine, rpc("1.0", "GetTask", { id }))
      const strangers = {
        "another organization": { "x-api-key": (yield* organization()).api_key },
        "another agent": yield* agent(owner),
        "a person of the agent's organization": { "x-api-key": owner.api_key },
        "another person of it": { "x-api-key": (yield* member(owner.org_id)).api_key }
      }
      const missing = naming(nothing)
      for (const [who, credentials] of Object.entries(strangers))
        for (const [index, request] of naming(id).entries()) {
          const name = `${who}: ${request.method} ${request.path} ${JSON.stringify(request.body)}`
          const found = yield* answered(credentials, request)
          const expected = yield* answered(credentials, missing[index] ?? request)
          expect(expected.text, name).toMatch(/TASK_NOT_FOUND|-32001/)
          expect({ ...found, text: found.text.replaceAll(id, "ID") }, name).toEqual({
            ...expected,
            text: expected.text.replaceAll(nothing, "ID")
          })
        }
      expect(yield* answered(mine, rpc("1.0", "GetTask", { id }))).toEqual(before)
      const configs = yield* answered(mine, rpc("1.0", "ListTaskPushNotificationConfigs", { taskId: id }))
      expect(JSON.parse(configs.text).result.configs).toHaveLength(1)
    })
  )

  it.effect("nothing that a message holds is a fault of the service", () =>
    Effect.gen(function* () {
      const credentials = { "x-api-key": (yield* organization()).api_key }
      const runtime = yield* Effect.runtime<TestServer>()
      const posted = (version: string, path: string) => (body: object) => ({ version, method: "POST", path, body })
      const ways = [
        { form: whole["1.0"], ask: (body: object) => rpc("1.0", "SendMessage", body) },
        { form: whole["0.3"], ask: (body: object) => rpc("0.3", "message/send", body) },
        { form: whole["1.0"], ask: posted("1.0", "/message:send") },
        { form: whole["0.3 REST"], ask: posted("0.3", "/v1/message:send") }
      ]
      for (const { form, ask } of ways) {
        const fresh = () => at(form, ["message", "messageId"], crypto.randomUUID())
        const good = yield* answered(credentials, ask(Object(fresh())))
        expect(good.text).toMatch(/"task"/)
        const all = fc.asyncProperty(fc.constantFrom(...places(form)), nasty, async (place, put) => {
          const { status, text } = await Runtime.runPromise(runtime)(
            answered(credentials, ask(Object(at(fresh(), place, put))))
          )
          expect(status, text).toBeLessThan(500)
          expect(text).not.toContain("-32603")
        })
        yield* Effect.promise(() => fc.assert(all, { numRuns: 80 }))
      }
    })
  )
})
