import { TaskState } from "@a2a-js/sdk"
import { expect, it } from "@effect/vitest"
import { Effect, Logger } from "effect"
import { a2aClient, message, text, ways } from "../support/A2aClient.ts"
import { echoAgent } from "../support/EchoAgent.ts"
import { eventually } from "../support/Eventually.ts"

const headers = { "content-type": "application/json", "a2a-version": "1.0" }

/** The answer to a JSON-RPC request, or to what is sent in the place of one. */
const posted = (base_url: string, body: unknown, more: Readonly<Record<string, string>> = {}) =>
  Effect.promise(async () => {
    const response = await fetch(`${base_url}/a2p`, {
      method: "POST",
      headers: { ...headers, ...more },
      body: typeof body === "string" ? body : JSON.stringify(body)
    })
    return { status: response.status, json: await response.json() }
  })

const rpc = (method: string, params: unknown, id: unknown = 1) => ({ jsonrpc: "2.0", id, method, params })

/** The answer to a request of the REST binding. */
const asked = (base_url: string, path: string, init: RequestInit = {}) =>
  Effect.promise(async () => {
    const response = await fetch(`${base_url}/a2p${path}`, { ...init, headers: { ...headers, ...init.headers } })
    const body = await response.text()
    return {
      status: response.status,
      type: response.headers.get("content-type"),
      allow: response.headers.get("allow"),
      json: body === "" ? undefined : JSON.parse(body)
    }
  })

const info = (reason: string) => ({
  "@type": "type.googleapis.com/google.rpc.ErrorInfo",
  reason,
  domain: "a2a-protocol.org"
})

for (const way of ways)
  it.scoped(`${way.binding} ${way.version} takes the official client through the life of a task`, () =>
    Effect.gen(function* () {
      const { base_url } = yield* echoAgent()
      const client = yield* a2aClient(base_url, way)
      const done = yield* Effect.promise(() => client.sendMessage(message([text("hello")])))
      expect(done).toMatchObject({
        status: { state: TaskState.TASK_STATE_COMPLETED },
        artifacts: [{ parts: [{ content: { $case: "text", value: "hello" } }] }]
      })
      const events = yield* Effect.promise(() => Array.fromAsync(client.sendMessageStream(message([text("hello")]))))
      expect(events.map(({ payload }) => payload?.$case)).toEqual(["task", "artifactUpdate", "statusUpdate"])

      const waiting = yield* Effect.promise(() =>
        client.sendMessage(message([text("wait")], { returnImmediately: true }))
      )
      const id = "id" in waiting ? waiting.id : ""
      const params = { tenant: "", id }
      const followed = client.resubscribeTask(params)
      const first = yield* Effect.promise(() => followed.next())
      expect(first.value?.payload).toMatchObject({ $case: "task", value: { id } })
      const canceled = yield* Effect.promise(() => client.cancelTask({ ...params, metadata: undefined }))
      expect(canceled.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
      const rest = yield* Effect.promise(() => Array.fromAsync(followed))
      expect(rest.at(-1)?.payload).toMatchObject({
        $case: "statusUpdate",
        value: { status: { state: TaskState.TASK_STATE_CANCELED } }
      })
      const got = yield* Effect.promise(() => client.getTask(params))
      expect(got).toMatchObject({ id, history: [{ parts: [{ content: { value: "wait" } }] }] })
    })
  )

for (const way of ways)
  it.scoped(`${way.binding} ${way.version} takes the official client through push configurations and the card`, () =>
    Effect.gen(function* () {
      const { base_url } = yield* echoAgent()
      const client = yield* a2aClient(base_url, way)
      const task = yield* Effect.promise(() => client.sendMessage(message([text("hello")])))
      const taskId = "id" in task ? task.id : ""
      const wanted = {
        tenant: "",
        taskId,
        id: "mine",
        url: "https://receiver.test/hook",
        token: "known",
        authentication: { scheme: "Bearer", credentials: "abc" }
      }
      const made = yield* Effect.promise(() => client.createTaskPushNotificationConfig(wanted))
      expect(made).toEqual(wanted)
      const one = { tenant: "", taskId, id: "mine" }
      expect(yield* Effect.promise(() => client.getTaskPushNotificationConfig(one))).toEqual(wanted)
      const all = { tenant: "", taskId, pageSize: 0, pageToken: "" }
      expect((yield* Effect.promise(() => client.listTaskPushNotificationConfig(all))).configs).toEqual([wanted])
      yield* Effect.promise(() => client.deleteTaskPushNotificationConfig(one))
      expect((yield* Effect.promise(() => client.listTaskPushNotificationConfig(all))).configs).toEqual([])

      const card = yield* Effect.promise(() => client.getAgentCard())
      expect(card.skills.map(({ id }) => id)).toEqual(["echo"])
      expect(Object.keys(card.securitySchemes)).toEqual(["apiKey", "bearer", "oauth2"])
      expect(card.capabilities).toMatchObject({ streaming: true, pushNotifications: true, extendedAgentCard: true })
      const extensions = card.capabilities?.extensions ?? []
      expect(extensions.find(({ uri }) => uri === "urn:tracepipe:a2a:skill-schemas:1")?.params).toEqual({
        echo: { input: { type: "object" }, output: { type: "object" } }
      })
    })
  )

it.scoped("a stream ends with its reader, though nothing happens", () =>
  Effect.gen(function* () {
    const { base_url, streams } = yield* echoAgent()
    const client = yield* a2aClient(base_url, ways[0])
    const waiting = yield* Effect.promise(() =>
      client.sendMessage(message([text("wait")], { returnImmediately: true }))
    )
    const id = "id" in waiting ? waiting.id : ""
    for (const [path, body] of [
      [`/tasks/${id}:subscribe`, "{}"],
      ["", JSON.stringify(rpc("SubscribeToTask", { id }))]
    ] as const) {
      const gone = new AbortController()
      const response = yield* Effect.promise(() =>
        fetch(`${base_url}/a2p${path}`, { method: "POST", headers, body, signal: gone.signal })
      )
      expect(response.headers.get("content-type")).toBe("text/event-stream")
      yield* Effect.promise(async () => response.body?.getReader().read())
      const before = streams.left
      gone.abort()
      const left = Effect.sync(() => streams.left)
      expect(yield* eventually(left, (count) => count > before)).toBe(before + 1)
    }
  })
)

it.scoped("JSON-RPC tells what is wrong with a request by its codes", () =>
  Effect.gen(function* () {
    const { base_url } = yield* echoAgent({ A2P_MAX_REQUEST_BYTES: "2000" })
    const code = (body: unknown, more: Readonly<Record<string, string>> = {}) =>
      Effect.map(posted(base_url, body, more), ({ status, json }) => [status, json.id, json.error?.code])
    expect(yield* code("{")).toEqual([200, null, -32700])
    expect(yield* code([rpc("GetTask", { id: "x" })])).toEqual([200, null, -32600])
    expect(yield* code({ id: 1, method: "GetTask", params: {} })).toEqual([200, 1, -32600])
    expect(yield* code({ jsonrpc: "2.0", id: { a: 1 }, method: "GetTask", params: {} })).toEqual([200, null, -32600])
    expect(yield* code(rpc("MakeCoffee", {}, "a"))).toEqual([200, "a", -32601])
    expect(yield* code(rpc("message/send", {}))).toEqual([200, 1, -32601])
    expect(yield* code(rpc("GetTask", [1]))).toEqual([200, 1, -32602])
    expect(yield* code(rpc("SendMessage", {}))).toEqual([200, 1, -32602])
    expect(yield* code(rpc("GetTask", { id: "no such" }))).toEqual([200, 1, -32001])
    expect(yield* code(rpc("GetTask", { id: "x" }), { "content-type": "text/xml" })).toEqual([200, null, -32005])
    expect(yield* code(rpc("GetTask", { id: "x" }), { "a2a-version": "2.0" })).toEqual([200, 1, -32009])
    const large = rpc("SendMessage", { message: { parts: [{ text: "x".repeat(3000) }] } })
    expect((yield* posted(base_url, large)).status).toBe(413)

    const { json } = yield* posted(base_url, rpc("SendMessage", { message: { messageId: "m", role: "ROLE_USER" } }))
    expect(json.error).toEqual({
      code: -32602,
      message: "message.parts at least one part is needed",
      data: [{ ...info("INVALID_PARAMS"), metadata: { "message.parts": "at least one part is needed" } }]
    })
    const unversioned = { "a2a-version": "" }
    expect(yield* code(rpc("GetTask", { id: "no such" }), unversioned)).toEqual([200, 1, -32001])
    expect(yield* code(rpc("tasks/get", { id: "no such" }), unversioned)).toEqual([200, 1, -32001])
    expect((yield* Effect.promise(() => fetch(`${base_url}/a2p`))).status).toBe(405)
  })
)

it.scoped("REST tells what is wrong with a request by status and reason", () =>
  Effect.gen(function* () {
    const { base_url } = yield* echoAgent({ A2P_MAX_REQUEST_BYTES: "2000" })
    const post = (path: string, body: unknown, more: Readonly<Record<string, string>> = {}) =>
      asked(base_url, path, {
        method: "POST",
        headers: more,
        body: typeof body === "string" ? body : JSON.stringify(body)
      })
    expect(yield* asked(base_url, "/tasks/nothing")).toEqual({
      status: 404,
      type: "application/a2a+json",
      allow: null,
      json: {
        error: {
          code: 404,
          status: "NOT_FOUND",
          message: expect.stringContaining("nothing"),
          details: [expect.objectContaining(info("TASK_NOT_FOUND"))]
        }
      }
    })
    const reason = ({
      status,
      json
    }: {
      readonly status: number
      readonly json?: { error?: { details?: unknown } }
    }) => [status, json?.error?.details]
    const told = (name: string) => [expect.objectContaining(info(name))]
    expect(reason(yield* post("/message:send", "{"))).toEqual([400, told("INVALID_PARAMS")])
    expect(reason(yield* post("/message:send", {}))).toEqual([400, told("INVALID_PARAMS")])
    expect(reason(yield* asked(base_url, "/tasks?pageSize=0"))).toEqual([400, told("INVALID_PARAMS")])
    expect(reason(yield* asked(base_url, "/tasks/x?historyLength=-1"))).toEqual([400, told("INVALID_PARAMS")])
    expect(reason(yield* post("/message:send", "x", { "content-type": "text/plain" }))).toEqual([
      400,
      told("CONTENT_TYPE_NOT_SUPPORTED")
    ])
    const version = (value: string) => ({ headers: { "a2a-version": value } })
    expect(reason(yield* asked(base_url, "/tasks/x", version("9.9")))).toEqual([400, told("VERSION_NOT_SUPPORTED")])
    expect(reason(yield* asked(base_url, "/tasks/x", version("0.3")))).toEqual([400, told("VERSION_NOT_SUPPORTED")])
    expect(reason(yield* asked(base_url, "/tasks?A2A-Version=9.9", version("")))).toEqual([
      400,
      told("VERSION_NOT_SUPPORTED")
    ])
    expect((yield* asked(base_url, "/v1/tasks/x", version(""))).json).toMatchObject({ code: -32001 })
    expect((yield* post("/message:send", "x".repeat(3000))).status).toBe(413)
    expect((yield* asked(base_url, "/coffee")).status).toBe(404)
    expect((yield* asked(base_url, "/message:send")).status).toBe(405)
  })
)

it.scoped("what is of another type than it has to be is told by its field", () =>
  Effect.gen(function* () {
    const { base_url } = yield* echoAgent()
    const v03 = { "a2a-version": "0.3" }
    const told = (body: unknown) => Effect.map(posted(base_url, rpc("SendMessage", body)), ({ json }) => json.error)
    expect(yield* told({ message: { messageId: "m", role: "ROLE_USER", parts: [null] } })).toMatchObject({
      code: -32602,
      message: "message.parts[0] is no object"
    })
    const rest = (path: string, body: unknown) =>
      asked(base_url, path, { method: "POST", headers: { "a2a-version": "" }, body: JSON.stringify(body) })
    const raw = yield* rest("/message:send", { message: { messageId: "m", role: "ROLE_USER", parts: [{ raw: 5 }] } })
    expect([raw.status, raw.json.error.message]).toEqual([400, "message.parts[0].raw is no string"])
    const file = { message: { messageId: "m", role: "ROLE_USER", content: [{ file: { fileWithBytes: 5 } }] } }
    const old = yield* rest("/v1/message:send", file)
    expect([old.status, old.json.message]).toEqual([400, "message.content[0].file.fileWithBytes is no string"])
    const config = { taskId: "x", pushNotificationConfig: { url: { toString: 1 } } }
    const set = yield* posted(base_url, rpc("tasks/pushNotificationConfig/set", config), v03)
    expect(set.json.error).toMatchObject({ code: -32602, message: "pushNotificationConfig.url is no string" })
  })
)

it.scoped("what fails inside is told to nobody, and what is refused is refused as everywhere", () =>
  Effect.gen(function* () {
    const { base_url } = yield* echoAgent()
    const { json } = yield* posted(base_url, rpc("GetTask", { id: "broken" }))
    expect(json.error).toEqual({ code: -32603, message: "the service failed; the request id is test" })
    const rest = yield* asked(base_url, "/tasks/broken")
    expect([rest.status, rest.json.error.status, rest.json.error.message]).toEqual([
      500,
      "INTERNAL",
      "the service failed; the request id is test"
    ])
    expect((yield* posted(base_url, rpc("GetTask", { id: "forbidden" }))).status).toBe(403)
    expect((yield* asked(base_url, "/tasks/forbidden")).status).toBe(403)
  })
)

it.scoped("what fails within a stream is told to nobody, and is in the log", () => {
  const logged: Array<string> = []
  const logger = Logger.make(({ message, cause }) => logged.push(`${message} ${cause}`))
  return Effect.gen(function* () {
    const { base_url } = yield* echoAgent()
    for (const [path, body] of [
      ["/tasks/broken:subscribe", "{}"],
      ["", JSON.stringify(rpc("SubscribeToTask", { id: "broken" }))]
    ] as const) {
      logged.length = 0
      const text = yield* Effect.promise(async () =>
        (await fetch(`${base_url}/a2p${path}`, { method: "POST", headers, body })).text()
      )
      expect(text).toContain("TASK_STATE_WORKING")
      expect(text).toContain("the service failed; the request id is test")
      expect(text).not.toContain("what nobody is to read")
      const said = yield* eventually(
        Effect.sync(() => logged.join()),
        (all) => all !== ""
      )
      expect(said).toMatch(/a stream by A2P failed.*what nobody is to read/)
    }
  }).pipe(Effect.provide(Logger.replace(Logger.defaultLogger, logger)))
})

it.scoped("the agent card is for everybody, in the form that each version reads", () =>
  Effect.gen(function* () {
    const { base_url } = yield* echoAgent({ OIDC_DISCOVERY_URL: "https://login.test", OIDC_CLIENT_ID: "x" })
    const card = (init: RequestInit = {}) =>
      Effect.promise(() => fetch(`${base_url}/.well-known/agent-card.json`, init))
    const newest = yield* card({ headers: { "a2a-version": "1.0" } })
    const json = yield* Effect.promise(() => newest.json())
    expect(json.supportedInterfaces).toEqual(
      ["1.0", "0.3"].flatMap((protocolVersion) =>
        ["JSONRPC", "HTTP+JSON"].map((protocolBinding) => ({
          url: "http://agent.test/a2p",
          protocolBinding,
          protocolVersion
        }))
      )
    )
    expect(json.securitySchemes).toEqual({
      apiKey: { apiKeySecurityScheme: expect.objectContaining({ location: "header", name: "X-API-Key" }) },
      bearer: { httpAuthSecurityScheme: expect.objectContaining({ scheme: "Bearer" }) },
      oauth2: {
        oauth2SecurityScheme: expect.objectContaining({
          flows: {
            clientCredentials: expect.objectContaining({ tokenUrl: "http://agent.test/auth/token" })
          }
        })
      },
      openIdConnect: {
        openIdConnectSecurityScheme: expect.objectContaining({
          openIdConnectUrl: "https://login.test/.well-known/openid-configuration"
        })
      }
    })
    expect(json.url).toBeUndefined()
    expect(JSON.stringify(json)).not.toContain("skill-schemas")

    const both = yield* Effect.flatMap(card(), (response) => Effect.promise(() => response.json()))
    expect(both).toMatchObject({
      url: "http://agent.test/a2p",
      preferredTransport: "JSONRPC",
      protocolVersion: "0.3",
      additionalInterfaces: [{ url: "http://agent.test/a2p", transport: "HTTP+JSON" }],
      supportsAuthenticatedExtendedCard: true,
      supportedInterfaces: json.supportedInterfaces,
      capabilities: json.capabilities,
      security: [{ apiKey: [] }, { bearer: [] }, { oauth2: [] }, { openIdConnect: [] }],
      securitySchemes: { apiKey: { type: "apiKey", in: "header", name: "X-API-Key", ...json.securitySchemes.apiKey } }
    })

    const etag = newest.headers.get("etag") ?? ""
    expect(newest.headers.get("cache-control")).toMatch(/^public, max-age=\d+$/)
    const fresh = yield* card({ headers: { "a2a-version": "1.0", "if-none-match": etag } })
    expect([fresh.status, yield* Effect.promise(() => fresh.text())]).toEqual([304, ""])
    const other = yield* card({ headers: { "if-none-match": etag } })
    expect([other.status, other.headers.get("vary")]).toEqual([200, "A2A-Version"])
    expect((yield* card({ method: "POST" })).status).toBe(405)
  })
)
