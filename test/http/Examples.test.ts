import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { CreateExample, Example } from "../../src/domain/example/Example.ts"
import type { ExampleId, SessionId, SuiteId } from "../../src/domain/Ids.ts"
import { ModelId } from "../../src/domain/Ids.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const lexical = ModelId.make("01980000-0000-7000-8000-000000000001")
const offline = ModelId.make("01980000-0000-7000-8000-000000000002")

const lines = (...events: ReadonlyArray<object>) => events.map((event) => `${JSON.stringify(event)}\n`).join("")

const at = (second: number) => `2026-03-01T10:00:${String(second).padStart(2, "0")}.000Z`
const page = "https://shop.example/customers/new"

const inputs = lines(
  { timestamp: at(0), type: "navigate", url: "https://shop.example/customers" },
  {
    timestamp: at(1),
    type: "click",
    target: { role: "link", name: "New customer" },
    url: "https://shop.example/customers"
  },
  { timestamp: at(2), type: "navigate", url: page },
  {
    timestamp: at(3),
    type: "change",
    target: { role: "textbox", name: "Full name", tag: "input" },
    value: "Ada Lovelace",
    url: page
  },
  {
    timestamp: at(4),
    type: "change",
    target: { role: "textbox", name: "E-mail", tag: "input" },
    value: "ada@example.org",
    url: page
  },
  {
    timestamp: at(5),
    type: "change",
    target: { role: "spinbutton", name: "Age", tag: "input" },
    value: "36",
    url: page
  },
  { timestamp: at(6), type: "click", target: { role: "button", name: "Create customer", tag: "button" }, url: page }
)
const network = lines({
  timestamp: at(7),
  method: "POST",
  url: "https://shop.example/api/customers",
  status: 201,
  request_headers: { "content-type": "application/json" },
  request_body: JSON.stringify({ name: "Ada Lovelace", email: "ada@example.org", age: 36 }),
  response_headers: { "content-type": "application/json" },
  response_body: JSON.stringify({ id: "c-1" })
})

const conversation = lines(
  { role: "system", content: "You are a clerk." },
  { role: "user", content: "Add Ada to the customers" },
  {
    role: "assistant",
    content: null,
    tool_calls: [
      { id: "x1", type: "function", function: { name: "create_customer", arguments: '{"full_name":"Ada"}' } }
    ]
  },
  { role: "tool", tool_call_id: "x1", content: '{"id":"c-1"}' },
  { role: "assistant", content: "Ada is a customer now." }
)

/** Uploads a bundle and answers its session. */
const upload = (suite_id: SuiteId, description: string, files: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const form = new FormData()
    form.set("suite_id", suite_id)
    form.set("description", description)
    for (const [name, text] of Object.entries(files)) form.set(name, new Blob([text]), name)
    const response = yield* request("/v1/sessions", { method: "POST", body: form })
    const body: { readonly id: SessionId } = yield* Effect.promise(() => response.json())
    expect(response.status, JSON.stringify(body)).toBe(201)
    return body.id
  })

/** A suite with two actions, and a server whose tools do them. */
const surface = (name: string) =>
  Effect.gen(function* () {
    const api = yield* client()
    const suite = yield* api.suites.create({
      payload: { name, description: "Keeps customers.", version: "", base_url: "https://shop.example" }
    })
    const parameter = (name: string, type: "STRING" | "NUMBER", required: boolean) => ({
      name,
      type,
      required,
      description: ""
    })
    for (const [action, parameters] of [
      [
        "create_customer",
        [parameter("full_name", "STRING", true), parameter("email", "STRING", true), parameter("age", "NUMBER", false)]
      ],
      ["delete_invoice", [parameter("invoice_id", "STRING", true)]]
    ] as const) {
      yield* api.actions.create({
        path: { suite_id: suite.id },
        payload: { name: action, description: "", parameters }
      })
    }
    const response = yield* request("/v1/mcp/servers", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        name: `${name} server`,
        transport: "streamable-http",
        url: "https://mcp.example/mcp",
        environment: "development"
      })
    })
    const server = yield* Effect.promise(() => response.json())
    expect(response.status, JSON.stringify(server)).toBe(201)
    const schema = {
      type: "object",
      properties: {
        full_name: { type: "string" },
        contact: { type: "object", properties: { email: { type: "string" } } },
        age: { type: "number" }
      }
    }
    yield* api.tools.create({
      path: { server_id: server.id },
      payload: {
        name: "create_customer",
        title: null,
        description: "Makes a customer",
        input_schema: schema,
        output_schema: null,
        annotations: null
      }
    })
    return { suite_id: suite.id, server_id: server.id }
  })

const mapped = (name: string) =>
  Effect.gen(function* () {
    const { suite_id, server_id } = yield* surface(name)
    const api = yield* client()
    const map = yield* api.action_tool_maps.create({
      payload: {
        suite_id,
        server_id,
        name,
        mappings: [
          {
            action: "create_customer",
            tool: "create_customer",
            parameters: [
              { action_parameter: "full_name", tool_parameter: "full_name", transform: "trim" },
              { action_parameter: "email", tool_parameter: "/contact/email", transform: "lower" },
              { action_parameter: "age", tool_parameter: "age", transform: "none" }
            ]
          }
        ]
      }
    })
    return { suite_id, server_id, map_id: map.id }
  })

const make = (wanted: Partial<CreateExample> & Pick<CreateExample, "session_id">) =>
  Effect.flatMap(client(), (api) =>
    api.examples.create({ payload: { model_id: lexical, model_configuration: {}, range: null, ...wanted } })
  )

/** Waits until the example is finished, one way or the other. */
const finished = (id: ExampleId) =>
  Effect.gen(function* () {
    const api = yield* client()
    const read = api.examples.get({ path: { id } })
    const open = (example: Example) => example.status === "PENDING" || example.status === "RUNNING"
    return yield* Effect.iterate(yield* read, { while: open, body: () => Effect.delay(read, "20 millis") })
  })

const messagesOf = (id: ExampleId) =>
  Effect.gen(function* () {
    const response = yield* request(`/v1/examples/${id}/messages`)
    const text = yield* Effect.promise(() => response.text())
    expect(response.status, text).toBe(200)
    expect(response.headers.get("content-type")).toBe("application/x-ndjson")
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
  })

layer(TestServer.layer(), { excludeTestServices: true })("examples", (it) => {
  it.effect("a browser recording becomes a conversation that calls the map's tool", () =>
    Effect.gen(function* () {
      const { suite_id, map_id } = yield* mapped("Browser")
      const session_id = yield* upload(suite_id, "Add Ada as a customer", {
        "input_events.jsonl": inputs,
        "network_traffic.jsonl": network
      })
      const pending = yield* make({ session_id })
      expect(pending).toMatchObject({
        session_id,
        suite_id,
        action_tool_map_id: map_id,
        model: "BUILTIN/lexical",
        status: "PENDING"
      })
      const example = yield* finished(pending.id)
      expect(example).toMatchObject({
        status: "COMPLETED",
        error_code: null,
        needs_review: false,
        map_version: 1,
        attempts: 1
      })
      const messages = yield* messagesOf(example.id)
      expect(messages).toHaveLength(example.message_count ?? -1)
      expect(messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "tool", "assistant"])
      expect(messages[1].content).toBe("Add Ada as a customer")
      const [call] = messages[2].tool_calls
      expect(call.function.name).toBe("create_customer")
      expect(JSON.parse(call.function.arguments)).toEqual({
        full_name: "Ada Lovelace",
        contact: { email: "ada@example.org" },
        age: 36
      })
      expect(messages[3]).toEqual({ role: "tool", tool_call_id: call.id, content: '{"id":"c-1"}' })
    })
  )

  it.effect("the same inputs give the same bytes", () =>
    Effect.gen(function* () {
      const { suite_id } = yield* mapped("Twice")
      const session_id = yield* upload(suite_id, "", { "input_events.jsonl": inputs, "network_traffic.jsonl": network })
      const made = yield* Effect.forEach([1, 2], () => Effect.flatMap(make({ session_id }), ({ id }) => finished(id)))
      const texts = yield* Effect.forEach(made, ({ id }) => messagesOf(id))
      expect(texts[0]).toEqual(texts[1])
    })
  )

  it.effect("secrets are in nothing that is made, and their number is told", () =>
    Effect.gen(function* () {
      const { suite_id } = yield* mapped("Secrets")
      const card = "4242 4242 4242 4242"
      const typed = { role: "textbox", name: "Password", tag: "input", input_type: "password" }
      const session_id = yield* upload(suite_id, `Add Ada, who pays with ${card}`, {
        "input_events.jsonl": `${inputs.trimEnd()}\n${lines({ timestamp: at(8), type: "change", target: typed, value: "hunter2", url: page })}`,
        "network_traffic.jsonl": network
      })
      const person = yield* Effect.flatMap(make({ session_id }), ({ id }) => finished(id))
      expect(person).toMatchObject({ status: "COMPLETED", redactions: { password: 1 } })
      expect(JSON.stringify(yield* messagesOf(person.id))).not.toMatch(/hunter2|4242/)

      const talk = yield* upload(suite_id, "", {
        "messages.jsonl": conversation.replace("Add Ada to the customers", `Add Ada, who pays with ${card}`)
      })
      const agent = yield* Effect.flatMap(make({ session_id: talk, model_id: offline }), ({ id }) => finished(id))
      expect(agent).toMatchObject({ status: "COMPLETED", redactions: { card: 1 } })
      expect(JSON.stringify(yield* messagesOf(agent.id))).not.toContain("4242")
    })
  )

  it.effect("an agent's recording becomes one conversation", () =>
    Effect.gen(function* () {
      const { suite_id } = yield* mapped("Agent")
      const session_id = yield* upload(suite_id, "", { "messages.jsonl": conversation })
      const example = yield* Effect.flatMap(make({ session_id, model_id: offline }), ({ id }) => finished(id))
      expect(example).toMatchObject({ status: "COMPLETED", confidence: 1, error_message: null })
      const messages = yield* messagesOf(example.id)
      expect(messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "tool", "assistant"])
      expect(messages[2].tool_calls[0].function).toEqual({ name: "create_customer", arguments: '{"full_name":"Ada"}' })
    })
  )

  it.effect("what was not recognised fails with what to do, and can be retried", () =>
    Effect.gen(function* () {
      const { suite_id } = yield* mapped("Nothing")
      const session_id = yield* upload(suite_id, "", {
        "input_events.jsonl": lines({ timestamp: at(0), type: "click", target: { role: "img", name: "Logo" } })
      })
      const failed = yield* Effect.flatMap(make({ session_id }), ({ id }) => finished(id))
      expect(failed).toMatchObject({ status: "FAILED", error_code: "no_actions_recognised", attempts: 1 })
      const api = yield* client()
      expect(yield* Effect.flip(api.examples.messages({ path: { id: failed.id } }))).toMatchObject({
        _tag: "ExampleState"
      })
      const again = yield* api.examples.retry({ path: { id: failed.id } })
      expect(again).toMatchObject({ status: "PENDING", attempts: 2, error_code: null })
      expect(yield* finished(failed.id)).toMatchObject({ status: "FAILED", attempts: 2 })
      expect(yield* Effect.flip(api.examples.cancel({ path: { id: failed.id } }))).toMatchObject({
        _tag: "ExampleState"
      })
    })
  )

  it.effect("without a map, or with several, the request says what is missing", () =>
    Effect.gen(function* () {
      const { suite_id, server_id } = yield* surface("Mapless")
      const session_id = yield* upload(suite_id, "", { "input_events.jsonl": inputs })
      const none = yield* Effect.flip(make({ session_id }))
      expect(none).toMatchObject({ _tag: "ValidationError" })
      expect(none.message).toContain("no action–tool map")
      const api = yield* client()
      for (const name of ["one", "two"]) {
        yield* api.action_tool_maps.create({ payload: { suite_id, server_id, name, mappings: [] } })
      }
      expect((yield* Effect.flip(make({ session_id }))).message).toContain('"one", "two"')
      expect((yield* Effect.flip(make({ session_id, model_id: offline }))).message).toContain("BUILTIN/lexical")
    })
  )

  it.effect("a review accepts with corrected messages, or rejects; exports hold what was not rejected", () =>
    Effect.gen(function* () {
      const { suite_id } = yield* mapped("Review")
      const session_id = yield* upload(suite_id, "", { "input_events.jsonl": inputs, "network_traffic.jsonl": network })
      const { id } = yield* Effect.flatMap(make({ session_id }), ({ id }) => finished(id))
      const api = yield* client()
      const wrong = api.examples.review({
        path: { id },
        payload: { decision: "accept", messages: [{ role: "user", content: "Hi" }] }
      })
      expect(yield* Effect.flip(wrong)).toMatchObject({ _tag: "ValidationError" })
      const messages = [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello" }
      ] as const
      const accepted = yield* api.examples.review({ path: { id }, payload: { decision: "accept", messages } })
      expect(accepted).toMatchObject({ review: "accepted", message_count: 2 })
      expect(yield* messagesOf(id)).toEqual(messages)
      const exported = (format: string) =>
        Effect.flatMap(request(`/v1/examples/export?format=${format}&suite_id=${suite_id}`), (response) =>
          Effect.promise(() => response.text())
        )
      expect(JSON.parse(yield* exported("openai"))).toMatchObject({
        messages,
        tools: [{ function: { name: "create_customer" } }]
      })
      expect(JSON.parse(yield* exported("messages"))).toMatchObject({ example_id: id, session_id, map_version: 1 })
      yield* api.examples.review({ path: { id }, payload: { decision: "reject" } })
      expect(yield* exported("sharegpt")).toBe("")
    })
  )

  it.effect("lists are filtered; deleting an example or its session removes the messages", () =>
    Effect.gen(function* () {
      const { suite_id, map_id } = yield* mapped("Deleted")
      const session_id = yield* upload(suite_id, "", { "input_events.jsonl": inputs, "network_traffic.jsonl": network })
      const [first, second] = yield* Effect.all([make({ session_id }), make({ session_id })])
      yield* finished(first.id)
      yield* finished(second.id)
      const api = yield* client()
      const filter = {
        session_id,
        suite_id,
        action_tool_map_id: map_id,
        model_id: lexical,
        status: "COMPLETED",
        needs_review: false
      } as const
      const { items } = yield* api.examples.list({ urlParams: { limit: 20, ...filter } })
      expect(items.map(({ id }) => id).sort()).toEqual([first.id, second.id].sort())
      const waiting = yield* api.examples.list({ urlParams: { limit: 20, session_id, needs_review: true } })
      expect(waiting.items).toEqual([])
      yield* api.examples.delete({ path: { id: first.id } })
      expect(yield* Effect.flip(api.examples.get({ path: { id: first.id } }))).toMatchObject({ _tag: "NotFound" })
      yield* api.sessions.delete({ path: { id: session_id } })
      expect(yield* Effect.flip(api.examples.get({ path: { id: second.id } }))).toMatchObject({ _tag: "NotFound" })
      const { sql } = yield* TestServer
      const noted = yield* Effect.orDie(
        sql<{ id: string }>`select id from object_removals where id in ${sql.in([first.id, second.id])}`
      )
      expect(noted.map(({ id }) => id)).toEqual([second.id])
    })
  )
})
