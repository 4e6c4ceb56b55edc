import { SqlClient } from "@effect/sql"
import { describe, expect, layer, it as plain } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { ClusterHistory } from "../../src/platform/ClusterHistory.ts"
import { childService } from "../support/ChildService.ts"
import { eventually } from "../support/Eventually.ts"
import { gate } from "../support/Gate.ts"
import { ended, example, exampleEnded, inputs, lexical, mappedSuite, messages, recorded } from "../support/Recorded.ts"
import { TestServer } from "../support/TestServer.ts"
import { type Answer, call, type Target } from "../support/Uploading.ts"

const lines = (...values: ReadonlyArray<object>) => values.map((value) => `${JSON.stringify(value)}\n`).join("")

const asks = (content: string) => ({ role: "user", content })
const makes = (full_name: string) => ({
  role: "assistant",
  content: null,
  tool_calls: [
    { id: full_name, type: "function", function: { name: "create_customer", arguments: JSON.stringify({ full_name }) } }
  ]
})
const done = (id: string) => ({ role: "tool", tool_call_id: id, content: "{}" })

const talk = [
  asks("Add Ada"),
  makes("Ada"),
  done("Ada"),
  asks("Thanks"),
  { role: "assistant", content: "You are welcome." },
  asks("Add Bob"),
  makes("Bob"),
  done("Bob")
]

const visit = (page: string, name: string) => [
  { type: "navigate", url: page },
  ...[
    ["Full name", name],
    ["E-mail", `${name}@example.org`]
  ].map(([of, value]) => ({ type: "change", target: { role: "textbox", name: of, tag: "input" }, value, url: page })),
  { type: "click", target: { role: "button", name: "Create customer", tag: "button" }, url: page }
]

const post = (target: Target, json: object, key?: string): Effect.Effect<Answer> =>
  Effect.promise(async () => {
    const response = await fetch(`${target.base_url}/v1/examples/batch`, {
      method: "POST",
      headers: {
        "x-api-key": target.api_key,
        "content-type": "application/json",
        ...(key === undefined ? {} : { "idempotency-key": key })
      },
      body: JSON.stringify({ model_id: lexical, ...json })
    })
    return { status: response.status, headers: response.headers, json: Object(await response.json()) }
  })

/** Asks for a batch and waits until it, and all that it made, is finished. */
const batch = (target: Target, json: object) =>
  Effect.gen(function* () {
    const answer = yield* post(target, json)
    expect([answer.status, answer.json["kind"]], JSON.stringify(answer.json)).toEqual([202, "examples.batch"])
    return yield* ended(target, `/v1/jobs/${answer.json["id"]}`, 60_000)
  })

const made = (target: Target, job: Readonly<Record<string, unknown>>) =>
  Effect.map(call(target, "GET", `/v1/examples?limit=100&job_id=${job["id"]}`), ({ json }) =>
    [...Object(json["items"])].reverse()
  )

const progress = (total: number, completed: number, more: object = {}) => ({
  total,
  done: total,
  skipped: 0,
  examples: { open: 0, completed, failed: 0, cancelled: 0 },
  ...more
})

layer(TestServer.layer(), { excludeTestServices: true })("a batch", (it) => {
  it.effect("makes an example of each session that is named or that fits the filter", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id, map_id } = yield* mappedSuite(target)
      const ids = yield* Effect.forEach([1, 2, 3], () => recorded(target, suite_id))
      const named = yield* batch(target, { session_ids: ids.slice(0, 2) })
      expect(named).toMatchObject({ status: "COMPLETED", progress: progress(2, 2), skipped: [], attempts: 1 })
      expect(named["completed_at"]).not.toBeNull()
      const examples = yield* made(target, named)
      expect(examples.map(({ session_id }) => session_id)).toEqual(ids.slice(0, 2))
      for (const each of examples) expect(each).toMatchObject({ status: "COMPLETED", action_tool_map_id: map_id })
      const filtered = yield* batch(target, { filter: { suite_id, format: "tracepipe.browser/v1" } })
      expect(filtered).toMatchObject({ status: "COMPLETED", progress: progress(3, 3) })
      const both = yield* batch(target, { session_ids: ids, filter: { suite_id, q: "nothing is described so" } })
      expect(both).toMatchObject({ status: "COMPLETED", progress: progress(0, 0) })
    })
  )

  it.effect("is the same job for the same key and content, and refused for another", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      const session_ids = [yield* recorded(target, suite_id)]
      const key = crypto.randomUUID()
      const answers = yield* Effect.all(
        [1, 2, 3, 4].map(() => post(target, { session_ids }, key)),
        { concurrency: "unbounded" }
      )
      expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202])
      expect(new Set(answers.map(({ json }) => json["id"])).size).toBe(1)
      const [first] = answers
      const job = yield* ended(target, `/v1/jobs/${first?.json["id"]}`)
      expect(job).toMatchObject({ status: "COMPLETED", progress: progress(1, 1) })
      const other = yield* post(target, { session_ids, split: "episode" }, key)
      expect([other.status, other.json["code"]]).toEqual([422, "validation_error"])
    })
  )

  it.effect("cuts an agent's conversation at the user's turns that call tools", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      const session_id = yield* recorded(target, suite_id, { "messages.jsonl": lines(...talk) })
      const job = yield* batch(target, { session_ids: [session_id], split: "turn" })
      expect(job).toMatchObject({ status: "COMPLETED", progress: progress(1, 2) })
      const examples = yield* made(target, job)
      const texts = yield* Effect.forEach(examples, ({ id }) => messages(target, id))
      expect(texts.filter((text) => text.includes("Add Ada") && !text.includes("Bob"))).toHaveLength(1)
      expect(texts.filter((text) => text.includes("Add Bob") && !text.includes("Ada"))).toHaveLength(1)
    })
  )

  it.effect("makes one example of each conversation, and keeps those that succeeded", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      const runs = [
        { messages: [asks("Add Ada"), makes("Ada"), done("Ada"), asks("Good")], reward: 1 },
        { messages: [asks("Add Bob"), makes("Bob"), done("Bob"), asks("Wrong")], reward: 0 }
      ]
      const session_id = yield* recorded(target, suite_id, { "runs.jsonl": lines(...runs) })
      const all = yield* batch(target, { session_ids: [session_id] })
      expect(all).toMatchObject({ status: "COMPLETED", progress: progress(1, 2) })
      const good = yield* batch(target, { session_ids: [session_id], outcome: "success" })
      expect(good).toMatchObject({ status: "COMPLETED", progress: progress(1, 1) })
      const [only] = yield* made(target, good)
      expect(yield* messages(target, only.id)).toContain("Add Ada")
    })
  )

  it.effect("cuts a browser's recording where another page is opened", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      const events = [...visit("https://shop.example/a", "ada"), ...visit("https://shop.example/b", "bob")]
      const timed = events.map((event, second) => ({ timestamp: 1_772_359_200_000 + second * 1000, ...event }))
      const session_id = yield* recorded(target, suite_id, { "input_events.jsonl": lines(...timed) })
      const job = yield* batch(target, { session_ids: [session_id], split: "episode" })
      expect(job).toMatchObject({ status: "COMPLETED", progress: progress(1, 2) })
      const examples = yield* made(target, job)
      expect(examples.map(({ range }) => range).toSorted((a, b) => a.from_seq - b.from_seq)).toEqual([
        { from_seq: 0, to_seq: 3 },
        { from_seq: 4, to_seq: 7 }
      ])
    })
  )

  it.effect("says of each session why nothing was made of it", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      const bare = String((yield* call(target, "POST", "/v1/suites", { name: "Without a map" })).json["id"])
      const metadata = (value: object) => ({ metadata: JSON.stringify(value) })
      const files = { "input_events.jsonl": inputs }
      const good = yield* recorded(target, suite_id, files, metadata({ outcome: "success" }))
      const bad = yield* recorded(target, suite_id, files, metadata({ success: false }))
      const unknown = yield* recorded(target, suite_id)
      const mapless = yield* recorded(target, bare, files, metadata({ success: true }))
      const agent = yield* recorded(target, suite_id, { "messages.jsonl": lines(...talk) })
      const session_ids = [good, bad, unknown, mapless, agent]
      const job = yield* batch(target, { session_ids, outcome: "success", split: "episode" })
      expect(job).toMatchObject({ status: "COMPLETED", progress: progress(5, 1, { skipped: 4 }) })
      const skipped: ReadonlyArray<{ readonly session_id: string; readonly code: string }> = Object(job["skipped"])
      expect(Object.fromEntries(skipped.map(({ session_id, code }) => [session_id, code]))).toEqual({
        [bad]: "not_successful",
        [unknown]: "unknown_outcome",
        [mapless]: "invalid",
        [agent]: "unfit_split"
      })
    })
  )

  it.effect("is refused without sessions, of sessions that are not there, and of too many", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      expect((yield* post(target, {})).json["detail"]).toContain("session_ids: needed, unless there is a filter")
      expect((yield* post(target, { session_ids: [Bun.randomUUIDv7()] })).status).toBe(404)
      expect((yield* post(target, { filter: { suite_id: Bun.randomUUIDv7() } })).status).toBe(404)
      const first = yield* recorded(target, suite_id)
      yield* Effect.orDie(
        target.sql`insert into sessions (id, org_id, suite_id, description, format, status, record_source, file_count,
            size_bytes, storage_path, metadata)
          select gen_random_uuid(), org_id, suite_id, '', format, status, record_source, file_count, size_bytes,
            storage_path || n || '/', metadata
          from sessions, generate_series(1, 10000) n where id = ${first}`
      )
      const many = yield* post(target, { filter: { suite_id } })
      expect([many.status, many.json["detail"]]).toEqual([422, expect.stringContaining("more than 10000 sessions")])
    })
  )
})

/** More examples than may be under way before a job waits. */
const MANY = 520

layer(TestServer.layer(), { excludeTestServices: true })("a batch of very many", (it) => {
  it.effect(
    "waits before it begins more, and is not forgotten while it does",
    () =>
      Effect.gen(function* () {
        const target = yield* TestServer
        const { suite_id } = yield* mappedSuite(target)
        const turns = Array.from({ length: MANY }, (_, at) => [asks(`Add ${at}`), makes(`${at}`), done(`${at}`)])
        const short = { "messages.jsonl": lines(...talk) }
        const several = (length: number) =>
          Effect.forEach(Array.from({ length }), () => recorded(target, suite_id, short))
        // The last of those that one stage goes through is the long one: it is under way when the stage ends.
        const before = yield* several(24)
        const long = yield* recorded(target, suite_id, { "messages.jsonl": lines(...turns.flat()) })
        const session_ids = [...before, long, ...(yield* several(1))]
        const { json } = yield* post(target, { session_ids, split: "turn" })
        const path = `/v1/jobs/${json["id"]}`
        const history = ClusterHistory.Default.pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, target.sql)))
        const forgotten = Effect.provide(
          Effect.flatMap(ClusterHistory, ({ forget }) => forget(Duration.zero)),
          history
        )
        const waits = Effect.orDie(
          target.sql`select 1 from cluster_messages where entity_type = 'Workflow/ExampleBatch' and tag = 'activity'
            and payload::jsonb->>'name' like '%wait 0.0'`
        )
        expect(yield* eventually(waits, (found) => found.length > 0)).toHaveLength(1)
        yield* forgotten
        const job = yield* eventually(
          Effect.zipRight(
            forgotten,
            Effect.map(call(target, "GET", path), ({ json }) => json)
          ),
          ({ status }) => status === "COMPLETED",
          120_000
        )
        expect(job).toMatchObject({ status: "COMPLETED", progress: progress(26, MANY + 50) })
      }),
    180_000
  )
})

describe("a batch in a service of its own", () => {
  const running = Effect.gen(function* () {
    const service = yield* childService({ environment: { LOG_LEVEL: "WARNING" } })
    const { suite_id } = yield* mappedSuite(service)
    const session_ids = yield* Effect.forEach(Array.from({ length: 5 }), () => recorded(service, suite_id))
    return { service, suite_id, session_ids }
  })

  plain.scopedLive(
    "that is killed with -9 makes every example once",
    () =>
      Effect.gen(function* () {
        const { service, session_ids } = yield* running
        for (const outcome of ["refuse", "pass"] as const) {
          const closed = yield* gate(service.database, { noted: "advance 0", workflow: "ExampleBatch" })
          const { json } = yield* post(service, { session_ids })
          yield* closed.reached
          yield* service.end("SIGKILL")
          yield* closed[outcome]
          yield* service.start
          const job = yield* ended(service, `/v1/jobs/${json["id"]}`, 60_000)
          expect(job).toMatchObject({ status: "COMPLETED", progress: progress(5, 5) })
          expect(yield* made(service, job)).toHaveLength(5)
        }
      }).pipe(Effect.scoped),
    120_000
  )

  plain.scopedLive(
    "that is cancelled takes what it began with it, and leaves what was finished",
    () =>
      Effect.gen(function* () {
        const { service, session_ids } = yield* running
        const before = yield* example(service, session_ids[0] ?? "")
        expect(yield* exampleEnded(service, before)).toMatchObject({ status: "COMPLETED" })
        const closed = yield* gate(service.database, { noted: "load" })
        const { json } = yield* post(service, { session_ids })
        yield* closed.reached
        const path = `/v1/jobs/${json["id"]}`
        const cancelled = yield* call(service, "POST", `${path}/cancel`)
        expect([cancelled.status, cancelled.json["status"]]).toEqual([200, "CANCELLED"])
        const again = yield* call(service, "POST", `${path}/cancel`)
        expect([again.status, again.json["code"]]).toEqual([409, "conflict"])
        yield* closed.pass
        // What was begun later than the cancellation would end otherwise.
        const after = yield* example(service, session_ids[0] ?? "")
        expect(yield* exampleEnded(service, after)).toMatchObject({ status: "COMPLETED" })
        const { json: job } = yield* call(service, "GET", path)
        const { examples } = Object(job["progress"])
        expect(examples).toMatchObject({ open: 0, completed: 0, failed: 0 })
        for (const each of yield* made(service, job)) expect(each.status).toBe("CANCELLED")
      }),
    120_000
  )
})
