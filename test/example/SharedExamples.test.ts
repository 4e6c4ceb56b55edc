import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ended, lexical } from "../support/Recorded.ts"
import { describeShared, sharedBytes } from "../support/SharedData.ts"
import { TestServer } from "../support/TestServer.ts"
import { call, type Target } from "../support/Uploading.ts"

interface Action {
  readonly name: string
  readonly description?: string
  readonly parameters: ReadonlyArray<string>
}

const posted = (target: Target, method: "POST" | "PUT", path: string, body: unknown) =>
  Effect.map(call(target, method, path, body), ({ status, json }) => {
    expect([200, 201, 202], JSON.stringify(json)).toContain(status)
    return json
  })

/** A suite of these actions, each done by the tool of its name. */
const surface = (target: Target, name: string, actions: ReadonlyArray<Action>) =>
  Effect.gen(function* () {
    const suite = yield* posted(target, "PUT", "/v1/suites", {
      name,
      actions: actions.map(({ parameters, ...action }) => ({
        ...action,
        parameters: parameters.map((of) => ({ name: of, type: "STRING", required: true }))
      }))
    })
    yield* posted(target, "PUT", "/v1/mcp/servers", {
      name,
      url: "https://mcp.example/mcp",
      tools: actions.map(({ name, parameters }) => ({
        name,
        input_schema: { type: "object", properties: Object.fromEntries(parameters.map((of) => [of, {}])) }
      }))
    })
    yield* posted(target, "PUT", "/v1/action-tool-maps", {
      suite: name,
      server: name,
      name,
      mappings: actions.map(({ name, parameters }) => ({
        action: name,
        tool: name,
        parameters: parameters.map((of) => ({ action_parameter: of, tool_parameter: of }))
      }))
    })
    return String(suite["id"])
  })

const uploaded = (target: Target, suite_id: string, file: string) =>
  Effect.promise(async () => {
    const response = await fetch(`${target.base_url}/v1/sessions?suite_id=${suite_id}&file_name=${file}`, {
      method: "POST",
      headers: { "x-api-key": target.api_key },
      body: new Uint8Array(sharedBytes(file))
    })
    const session: { readonly id: string; readonly format: string } = await response.json()
    expect(response.status, JSON.stringify(session)).toBe(201)
    return session
  })

type Line = Readonly<Record<string, unknown>>

const linesOf = (target: Target, path: string) =>
  Effect.promise(async (): Promise<ReadonlyArray<Line>> => {
    const response = await fetch(`${target.base_url}${path}`, { headers: { "x-api-key": target.api_key } })
    const text = await response.text()
    expect(response.status, text).toBe(200)
    return text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line))
  })

/** The tools that the messages of an example call, in order, with what with. */
const calls = (messages: ReadonlyArray<Line>) =>
  messages.flatMap(({ tool_calls = [] }) =>
    (tool_calls as ReadonlyArray<{ readonly function: { readonly name: string; readonly arguments: string } }>).map(
      ({ function: { name, arguments: text } }) => [name, JSON.parse(text)] as const
    )
  )

const agents = [
  ["claude-code-representative-messages.jsonl", "claude-code", 1, 0],
  ["langfuse-claude-agent-2025-12-22.trace.json", "langfuse", 1, 0],
  ["swe-agent-marshmallow-1867-function-calling.traj", "swe-agent", 1, 0],
  // In one of them the agent calls nothing.
  ["tau-bench-gpt-4o-airline-first8.json", "openai.chat", 7, 1]
] as const

const people = [
  [
    "recorder-coffee-checkout.json",
    "chrome.recorder",
    [
      { name: "open_cart", description: "Look into the cart", parameters: [] },
      { name: "submit", description: "Submit the order", parameters: ["name", "email"] }
    ],
    [
      ["open_cart", {}],
      ["submit", { name: "jec", email: "jec@random.com" }]
    ]
  ],
  [
    "playwright-trace-1.37.zip",
    "playwright.trace",
    [{ name: "open_index", description: "Open the index page", parameters: [] }],
    [["open_index", {}]]
  ]
] as const

/** They hold neither calls nor anything that a person did by a name. */
const without = [
  ["chrome-trace-timespan-responsiveness-m103.json", "chrome.trace"],
  ["har-chrome-github.com-home.har", "har"],
  ["otlp-trace.json", "otlp"]
] as const

describeShared("the sample recordings", () => {
  layer(TestServer.layer(), { excludeTestServices: true, timeout: "60 seconds" })((it) => {
    it.effect.each(agents)(
      "%s: every conversation becomes an example by its calls",
      ([file, format, calling, silent]) =>
        Effect.gen(function* () {
          const target = yield* TestServer
          const empty = yield* surface(target, `${file} before`, [])
          const first = yield* uploaded(target, empty, file)
          expect(first.format).toBe(format)
          const timeline = yield* linesOf(target, `/v1/sessions/${first.id}/timeline`)
          const called = timeline.filter(({ kind }) => kind === "tool_call").map(({ name }) => String(name))
          const actions = [...new Set(called)].map((name) => ({ name, parameters: [] }))
          const suite_id = yield* surface(target, file, actions)
          const { id } = yield* uploaded(target, suite_id, file)
          const batch = yield* posted(target, "POST", "/v1/examples/batch", { session_ids: [id], model_id: lexical })
          yield* ended(target, `/v1/jobs/${batch["id"]}`, 60_000)
          const { json } = yield* call(target, "GET", `/v1/examples?limit=100&session_id=${id}`)
          const items: ReadonlyArray<Line> = Object(json["items"])
          const completed = items.filter(({ status }) => status === "COMPLETED")
          const others = items.filter(({ status }) => status !== "COMPLETED")
          expect([completed.length, others.length]).toEqual([calling, silent])
          for (const { error_code } of others) expect(error_code).toBe("no_matching_tool_calls")
          const made = yield* Effect.forEach(completed.toReversed(), (example) =>
            Effect.map(linesOf(target, `/v1/examples/${example["id"]}/messages`), calls)
          )
          expect(made.flat().map(([name]) => name)).toEqual(called)
        })
    )

    it.effect.each(people)("%s: what was done is recognised", ([file, format, actions, expected]) =>
      Effect.gen(function* () {
        const target = yield* TestServer
        const session = yield* uploaded(target, yield* surface(target, file, actions), file)
        expect(session.format).toBe(format)
        const example = yield* posted(target, "POST", "/v1/examples", { session_id: session.id, model_id: lexical })
        const done = yield* ended(target, `/v1/examples/${example["id"]}`, 60_000)
        expect([done["status"], done["error_message"]]).toEqual(["COMPLETED", null])
        expect(calls(yield* linesOf(target, `/v1/examples/${example["id"]}/messages`))).toEqual(expected)
      })
    )

    it.effect.each(without)("%s: is read, and fails as an example with what to do", ([file, format]) =>
      Effect.gen(function* () {
        const target = yield* TestServer
        const suite_id = yield* surface(target, file, [{ name: "open_page", parameters: [] }])
        const session = yield* uploaded(target, suite_id, file)
        expect(session.format).toBe(format)
        expect((yield* linesOf(target, `/v1/sessions/${session.id}/timeline`)).length).toBeGreaterThan(0)
        const example = yield* posted(target, "POST", "/v1/examples", { session_id: session.id, model_id: lexical })
        const done = yield* ended(target, `/v1/examples/${example["id"]}`, 60_000)
        expect([done["status"], done["error_code"]]).toEqual([
          "FAILED",
          format === "otlp" ? "no_matching_tool_calls" : "no_actions_recognised"
        ])
      })
    )
  })
})
