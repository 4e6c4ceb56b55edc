import { expect } from "@effect/vitest"
import { Effect } from "effect"
import type { Example } from "../../src/domain/example/Example.ts"
import { type ExampleId, ModelId, type SessionId, type SuiteId } from "../../src/domain/Ids.ts"
import { eventually } from "./Eventually.ts"
import { client, request } from "./TestServer.ts"

export const lexical = ModelId.make("01980000-0000-7000-8000-000000000001")

export const jsonl = (...events: ReadonlyArray<object>) => events.map((event) => `${JSON.stringify(event)}\n`).join("")

const page = "https://shop.example/customers/new"
const at = (second: number) => new Date(Date.parse("2026-03-01T10:00:00.000Z") + second * 1000).toISOString()

const field = (second: number, name: string, value: string, more: object = {}) => ({
  timestamp: at(second),
  type: "change",
  target: { role: "textbox", name, tag: "input", ...more },
  value,
  url: page
})

/** A person who adds so many customers, one after the other: five episodes each. */
export const customers = (count: number): string =>
  jsonl(
    ...Array.from({ length: count }, (_, n) => [
      { timestamp: at(10 * n), type: "navigate", url: page },
      field(10 * n + 1, "Full name", `Customer ${n}`),
      field(10 * n + 2, "E-mail", `customer${n}@example.org`),
      field(10 * n + 3, "Age", String(20 + (n % 50))),
      {
        timestamp: at(10 * n + 4),
        type: "click",
        target: { role: "button", name: "Create customer", tag: "button" },
        url: page
      }
    ]).flat()
  )

/** The same with a password, a card number and a secret of the operator's own pattern among it. */
export const secrets = { password: "hunter2-hunter2", card: "4111 1111 1111 1111", own: "PATIENT-4711" }
export const secretCustomer = jsonl(
  { timestamp: at(0), type: "navigate", url: page },
  field(1, "Full name", "Customer 0"),
  field(2, "E-mail", "customer0@example.org"),
  field(3, "Password", secrets.password, { input_type: "password" }),
  field(4, "Card", secrets.card),
  field(5, "Note", `about ${secrets.own}`),
  { timestamp: at(6), type: "click", target: { role: "button", name: "Create customer", tag: "button" }, url: page }
)

/** A suite that keeps customers, with a server and a map for its one mapped action. */
export const customerSuite = (name: string) =>
  Effect.gen(function* () {
    const api = yield* client()
    const suite = yield* api.suites.create({
      payload: { name, description: "Keeps customers.", version: "", base_url: null }
    })
    const parameter = (name: string, type: "STRING" | "NUMBER", required: boolean) => ({
      name,
      type,
      required,
      description: ""
    })
    const create = [
      parameter("full_name", "STRING", true),
      parameter("email", "STRING", true),
      parameter("age", "NUMBER", false)
    ]
    for (const [action, parameters] of [
      ["create_customer", create],
      ["delete_invoice", [parameter("number", "NUMBER", true)]]
    ] as const) {
      yield* api.actions.create({
        path: { suite_id: suite.id },
        payload: { name: action, description: "", parameters }
      })
    }
    const response = yield* request("/v1/mcp/servers", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: `${name} server`, url: "https://mcp.example/mcp" })
    })
    const server = yield* Effect.promise(() => response.json())
    expect(response.status, JSON.stringify(server)).toBe(201)
    const properties = Object.fromEntries(create.map(({ name, type }) => [name, { type: type.toLowerCase() }]))
    yield* api.tools.create({
      path: { server_id: server.id },
      payload: {
        name: "create_customer",
        title: null,
        description: "Makes a customer",
        input_schema: { type: "object", properties },
        output_schema: null,
        annotations: null
      }
    })
    yield* api.action_tool_maps.create({
      payload: {
        suite_id: suite.id,
        server_id: server.id,
        name,
        mappings: [
          {
            action: "create_customer",
            tool: "create_customer",
            parameters: create.map(({ name }) => ({ action_parameter: name, tool_parameter: name, transform: "none" }))
          }
        ]
      }
    })
    return suite.id
  })

/** Uploads a recording and answers its session. */
export const recorded = (suite_id: SuiteId, inputs: string, description = "") =>
  Effect.gen(function* () {
    const form = new FormData()
    form.set("suite_id", suite_id)
    form.set("description", description)
    form.set("input_events.jsonl", new Blob([inputs]), "input_events.jsonl")
    const response = yield* request("/v1/sessions", { method: "POST", body: form })
    const body: { readonly id: SessionId } = yield* Effect.promise(() => response.json())
    expect(response.status, JSON.stringify(body)).toBe(201)
    return body.id
  })

const isOpen = ({ status }: Example) => status === "PENDING" || status === "RUNNING"

/** Waits until the example is finished, one way or the other. */
export const finished = (id: ExampleId) =>
  Effect.flatMap(client(), (api) =>
    eventually(api.examples.get({ path: { id } }), (example) => !isOpen(example), 50_000)
  )

/** The messages of an example that is completed. */
export const messagesOf = (id: ExampleId) =>
  Effect.gen(function* () {
    const response = yield* request(`/v1/examples/${id}/messages`)
    const text = yield* Effect.promise(() => response.text())
    expect(response.status, text).toBe(200)
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line))
  })
