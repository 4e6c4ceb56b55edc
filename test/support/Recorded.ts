import { Effect } from "effect"
import { eventually } from "./Eventually.ts"
import { type Answer, call, formOf, send, type Target } from "./Uploading.ts"

/** The model that needs no network. */
export const lexical = "01980000-0000-7000-8000-000000000001"

const lines = (...events: ReadonlyArray<object>) => events.map((event) => `${JSON.stringify(event)}\n`).join("")
const at = (second: number) => `2026-03-01T10:00:${String(second).padStart(2, "0")}.000Z`
const page = "https://shop.example/customers/new"
const field = (name: string) => ({ role: "textbox", name, tag: "input" })

/** A person adds a customer. */
export const inputs = lines(
  { timestamp: at(0), type: "navigate", url: page },
  { timestamp: at(1), type: "change", target: field("Full name"), value: "Ada Lovelace", url: page },
  { timestamp: at(2), type: "change", target: field("E-mail"), value: "ada@example.org", url: page },
  { timestamp: at(3), type: "click", target: { role: "button", name: "Create customer", tag: "button" }, url: page }
)

const made = (answer: Answer): string => {
  if (answer.status !== 201) throw new Error(`${answer.status}: ${JSON.stringify(answer.json)}`)
  return String(answer.json["id"])
}

const create = (target: Target, path: string, json: unknown) => Effect.map(call(target, "POST", path, json), made)

/** A suite whose one action is mapped to a tool, and its map. */
export const mappedSuite = (target: Target) =>
  Effect.gen(function* () {
    const name = `Suite ${crypto.randomUUID()}`
    const suite_id = yield* create(target, "/v1/suites", { name, description: "Keeps customers." })
    const parameter = (of: string) => ({ name: of, type: "STRING", required: true })
    yield* create(target, `/v1/suites/${suite_id}/actions`, {
      name: "create_customer",
      parameters: [parameter("full_name"), parameter("email")]
    })
    const server_id = yield* create(target, "/v1/mcp/servers", { name, url: "https://mcp.example/mcp" })
    yield* create(target, `/v1/mcp/servers/${server_id}/tools`, {
      name: "create_customer",
      input_schema: { type: "object", properties: { full_name: { type: "string" }, email: { type: "string" } } }
    })
    const map_id = yield* create(target, "/v1/action-tool-maps", {
      suite_id,
      server_id,
      name,
      mappings: [
        {
          action: "create_customer",
          tool: "create_customer",
          parameters: ["full_name", "email"].map((of) => ({ action_parameter: of, tool_parameter: of }))
        }
      ]
    })
    return { suite_id, map_id }
  })

/** A suite, and nothing for it. */
export const bareSuite = (target: Target) => create(target, "/v1/suites", { name: `Suite ${crypto.randomUUID()}` })

/** A session of the suite; without files, the person adds a customer. */
export const recorded = (
  target: Target,
  suite_id: string,
  files: Readonly<Record<string, string>> = { "input_events.jsonl": inputs },
  query: Readonly<Record<string, string>> = {}
) =>
  send(target, {
    query: { suite_id, ...query },
    body: formOf(Object.entries(files).map(([name, text]) => [name, text, name] as const))
  }).pipe(Effect.map(made))

/** Asks for an example of the session; answers its id. */
export const example = (target: Target, session_id: string, more: object = {}) =>
  create(target, "/v1/examples", { session_id, model_id: lexical, ...more })

const open = new Set<unknown>(["PENDING", "RUNNING"])

/** Waits until the example, or the job, is finished one way or the other. */
export const ended = (target: Target, path: string, limit_ms?: number) =>
  eventually(
    Effect.map(call(target, "GET", path), ({ json }) => json),
    ({ status }) => !open.has(status),
    limit_ms
  )

export const exampleEnded = (target: Target, id: string, limit_ms?: number) =>
  ended(target, `/v1/examples/${id}`, limit_ms)

/** The bytes of an example's messages. */
export const messages = ({ base_url, api_key }: Target, id: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${base_url}/v1/examples/${id}/messages`, { headers: { "x-api-key": api_key } })
    const text = await response.text()
    if (response.status !== 200) throw new Error(`${response.status}: ${text}`)
    return text
  })
