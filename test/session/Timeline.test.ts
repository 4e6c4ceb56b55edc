import { layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { type DraftEvent, TimelineEvent } from "../../src/domain/session/Timeline.ts"
import { TimelineMerge } from "../../src/session/TimelineMerge.ts"
import { timelineSources } from "../../src/session/TimelineSources.ts"
import { describeShared, sharedBytes } from "../support/SharedData.ts"
import { request, TestServer } from "../support/TestServer.ts"
import { zipOf } from "../support/ZipBuilder.ts"

const draft = (file: string, name: string, at: string | null): DraftEvent => ({
  kind: "note",
  at,
  name,
  data: null,
  source: { file, line: null }
})

const merged = (files: ReadonlyArray<ReadonlyArray<DraftEvent>>, chunk: number, limit: number) => {
  const merge = new TimelineMerge(files.length)
  const rest = files.map((events) => [...events])
  const out: Array<DraftEvent> = []
  for (;;) {
    for (let file = merge.wanted; file !== undefined; file = merge.wanted) {
      const events = rest[file]?.splice(0, chunk) ?? []
      merge.give(file, events.length === 0 ? undefined : events)
    }
    const taken = merge.take(limit)
    if (taken.length === 0) return out
    out.push(...taken)
  }
}

const second = (at: number | null) => (at === null ? null : new Date(at * 1000).toISOString())

describe("TimelineMerge", () => {
  it("merges by time, the first file first, and leaves each file's order as it is", () => {
    const files = [
      [draft("a", "a1", second(1)), draft("a", "a2", null), draft("a", "a3", second(5))],
      [draft("b", "b0", null), draft("b", "b1", second(1)), draft("b", "b2", second(4)), draft("b", "b3", second(2))]
    ]
    expect(merged(files, 2, 3).map((event) => event.kind === "note" && event.name)).toEqual(
      "b0 a1 a2 b1 b2 b3 a3".split(" ")
    )
  })

  it("tells every event once, in its file's order, however the events come", () => {
    const times = fc.array(fc.option(fc.integer({ min: 0, max: 20 })), { maxLength: 30 })
    fc.assert(
      fc.property(
        fc.array(times, { maxLength: 4 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 7 }),
        (all, chunk, limit) => {
          const files = all.map((list, file) => list.map((at, index) => draft(`${file}`, `${index}`, second(at))))
          const out = merged(files, chunk, limit)
          expect(out).toEqual(merged(files, 1000, 1))
          for (const [file, events] of files.entries()) {
            expect(out.filter(({ source }) => source.file === `${file}`)).toEqual(events)
          }
          if (all.every((list) => list.every((at, index) => at !== null && at >= (list[index - 1] ?? 0)))) {
            const order = out.map(({ at }) => at)
            expect(order).toEqual(order.toSorted())
          }
        }
      )
    )
  })
})

describe("timelineSources", () => {
  const paths = (...args: Parameters<typeof timelineSources>) =>
    timelineSources(...args).map((source) => (source.from === "names" ? source.events.length : source.path))
  const files = (...names: ReadonlyArray<string>) => names.map((path) => ({ path, line_count: null }))

  it("reads what is a recording, and no images or notes", () => {
    expect(paths("openai.chat", files("README.txt", "a.json", "b.jsonl"))).toEqual(["a.json", "b.jsonl"])
    expect(paths("openai.chat", files("recording"))).toEqual(["recording"])
    const bundle = files("input_events.jsonl", "network_traffic.jsonl", "note.json", "screenshots/1.png")
    expect(paths("tracepipe.browser/v1", bundle)).toEqual(["input_events.jsonl", "network_traffic.jsonl", 1])
  })

  it("reads a Playwright archive only where its files are not beside it", () => {
    const trace = ["0-trace.network", "0-trace.trace", "resources/a.png"]
    expect(paths("playwright.trace", files("trace.zip", ...trace))).toEqual(["0-trace.trace", "0-trace.network"])
    expect(paths("playwright.trace", files("trace.zip"))).toEqual(["trace.zip"])
  })
})

const decode = Schema.decodeUnknownSync(TimelineEvent)

const uploadedTo = (session: { readonly id: string }) => session.id

const upload = (files: Readonly<Record<string, string | Uint8Array>>, format?: string) =>
  Effect.gen(function* () {
    const suite = yield* request("/v1/suites", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: crypto.randomUUID() })
    })
    const { id } = yield* Effect.promise((): Promise<{ id: string }> => suite.json())
    const form = new FormData()
    form.append("suite_id", id)
    if (format !== undefined) form.append("format", format)
    for (const [name, content] of Object.entries(files)) form.append(name, new Blob([Buffer.from(content)]), name)
    const response = yield* request("/v1/sessions", { method: "POST", body: form })
    expect(response.status).toBe(201)
    return uploadedTo(yield* Effect.promise((): Promise<{ id: string }> => response.json()))
  })

const timelineOf = (id: string) =>
  Effect.gen(function* () {
    const response = yield* request(`/v1/sessions/${id}/timeline`)
    expect(response.status).toBe(200)
    expect(response.headers.get("content-type")).toBe("application/x-ndjson")
    const text = yield* Effect.promise(() => response.text())
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => decode(JSON.parse(line)))
  })

const sessionOf = (id: string) =>
  Effect.flatMap(request(`/v1/sessions/${id}`), (response) =>
    Effect.promise((): Promise<Record<string, unknown>> => response.json())
  )

const lines = (values: ReadonlyArray<unknown>) => values.map((value) => `${JSON.stringify(value)}\n`).join("")

layer(TestServer.layer({ REDACT_PATTERNS: '["TICKET-\\\\d+"]' }))("GET /v1/sessions/{id}/timeline", (it) => {
  it.effect("is the bundle's events in order, numbered, without secrets; and the session knows of it", () =>
    Effect.gen(function* () {
      const id = yield* upload({
        "input_events.jsonl": lines([
          { timestamp: 1_700_000_000_000, type: "navigate", url: "https://shop.example/" },
          { timestamp: 1_700_000_003_000, type: "change", target: { name: "Password" }, value: "hunter2" },
          { timestamp: 1_700_000_005_000, type: "click", target: { text: "TICKET-42" } }
        ]),
        "network_traffic.jsonl": lines([
          {
            timestamp: "2023-11-14T22:13:22Z",
            method: "GET",
            url: "https://shop.example/a",
            request_headers: { Cookie: "sid=1" }
          }
        ])
      })
      const events = yield* timelineOf(id)
      expect(events.map(({ seq }) => seq)).toEqual([0, 1, 2, 3])
      expect(events).toMatchObject([
        {
          kind: "input",
          type: "navigate",
          at: "2023-11-14T22:13:20.000Z",
          source: { file: "input_events.jsonl", line: 1 }
        },
        { kind: "network", request_headers: { Cookie: "[redacted]" } },
        { kind: "input", value: "[redacted]" },
        { kind: "input", target: { text: "[redacted]" } }
      ])
      expect(yield* sessionOf(id)).toMatchObject({
        event_count: 4,
        started_at: "2023-11-14T22:13:20.000Z",
        ended_at: "2023-11-14T22:13:25.000Z"
      })
      expect(yield* timelineOf(id)).toEqual(events)
    })
  )

  it.effect("ends with what is wrong where a file cannot be read", () =>
    Effect.gen(function* () {
      const id = yield* upload(
        { "run.jsonl": lines([{ role: "user", content: "hi" }]), "x.json": '{"messages":[1,x]}' },
        "openai.chat"
      )
      const events = yield* timelineOf(id)
      expect(events.at(-1)).toMatchObject({
        kind: "note",
        name: "tracepipe.error",
        source: { file: "x.json", line: null },
        data: { status: 422, code: "unreadable_recording", detail: 'x.json: not JSON: Unexpected identifier "x"' }
      })
      expect((yield* sessionOf(id)).event_count).toBeNull()
    })
  )

  it.effect("needs the scope sessions:read, and tells nothing of a session that is not there", () =>
    Effect.gen(function* () {
      const missing = yield* request("/v1/sessions/0190a000-0000-7000-8000-000000000000/timeline")
      expect(missing.status).toBe(404)
      const anonymous = yield* request("/v1/sessions/0190a000-0000-7000-8000-000000000000/timeline", { api_key: null })
      expect(anonymous.status).toBe(401)
    })
  )

  it.effect("sends the first events before it has read the last", () =>
    Effect.gen(function* () {
      const events = Array.from({ length: 200_000 }, (_, index) => ({
        timestamp: index,
        type: "scroll",
        x: index,
        y: 0
      }))
      const id = yield* upload({ "input_events.jsonl": lines(events) })
      const response = yield* request(`/v1/sessions/${id}/timeline`)
      const reader = response.body?.getReader()
      const first = yield* Effect.promise(async () => reader?.read())
      expect(first?.value?.length).toBeGreaterThan(0)
      yield* Effect.promise(async () => reader?.cancel())
      expect((yield* sessionOf(id)).event_count).toBeNull()
    })
  )

  it.effect("describes its lines in the OpenAPI document", () =>
    Effect.gen(function* () {
      const response = yield* request("/openapi.json")
      const document = yield* Effect.promise((): Promise<Record<string, never>> => response.json())
      const { components, paths } = document as unknown as Record<string, Record<string, Record<string, unknown>>>
      expect(components?.["schemas"]?.["TimelineEvent"]).toBeDefined()
      expect(JSON.stringify(paths?.["/v1/sessions/{id}/timeline"])).toContain("#/components/schemas/TimelineEvent")
    })
  )

  describeShared("over real recordings", () => {
    const trace = () => sharedBytes("playwright-trace-1.37.zip")

    it.effect("is the same for a Playwright trace that was kept whole, and in a report's zip", () =>
      Effect.gen(function* () {
        const whole = yield* timelineOf(yield* upload({ "trace.zip": trace() }))
        expect(whole.filter(({ kind }) => kind === "input")).toMatchObject([
          { type: "navigate", url: "https://playwright.dev/index.html", at: "2023-09-19T22:36:10.292Z" }
        ])
        expect(whole.filter(({ kind }) => kind === "network")).toMatchObject([
          { url: "https://playwright.dev/index.html", status: 200, at: expect.stringMatching(/^2023-09-19T22:36:10/) },
          { url: "https://playwright.dev/style.css" }
        ])
        expect(whole.filter(({ kind }) => kind === "screenshot")).toHaveLength(2)
        const times = whole.flatMap(({ at }) => (at === null ? [] : [at]))
        expect(times).toEqual(times.toSorted())
        const report = zipOf([
          { name: "index.html", content: "" },
          { name: "data/1.zip", content: trace(), stored: true }
        ])
        const inReport = yield* timelineOf(yield* upload({ "report.zip": report }, "playwright.trace"))
        expect(inReport.map(({ kind, at }) => [kind, at])).toEqual(whole.map(({ kind, at }) => [kind, at]))
      })
    )
  })
})
