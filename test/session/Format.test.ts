import { describe, expect, it } from "vitest"
import { openFileCheck } from "../../src/session/FileChecks.ts"
import { type Detection, FormatSniffer, isPlaywrightTrace } from "../../src/session/Format.ts"
import { writeChunked } from "../support/Chunked.ts"
import { describeShared, sharedBytes } from "../support/SharedData.ts"

type Files = Readonly<Record<string, string | Uint8Array>>

const detected = (files: Files): Detection => {
  const sniffer = new FormatSniffer()
  for (const [path, content] of Object.entries(files)) {
    const check = openFileCheck(path, sniffer)
    writeChunked(check, typeof content === "string" ? Buffer.from(content) : content, [1000])
    check.end()
  }
  return sniffer.detect()
}

const json = (value: unknown) => JSON.stringify(value)
const lines = (...values: ReadonlyArray<unknown>) => values.map(json).join("\n")

const user = { role: "user", content: "hi" }
const call = { role: "assistant", content: null, tool_calls: [{ id: "1", function: { name: "f", arguments: "{}" } }] }
const toolUse = { role: "assistant", content: [{ type: "tool_use", id: "1", name: "f", input: {} }] }
const event = { ph: "X", ts: 1, pid: 1, name: "n" }
const entry = { type: "user", uuid: "1", parentUuid: null, sessionId: "s", message: user }

describe("a document is known by its shape", () => {
  it.each<readonly [string, string, unknown]>([
    ["chrome.recorder", "title and steps with types", { title: "t", steps: [{ type: "navigate" }] }],
    ["chrome.trace", "trace events", { metadata: {}, traceEvents: [] }],
    ["chrome.trace", "a bare array of them", [event]],
    ["chrome.trace", "a bare array that begins with an empty event", [{}, event]],
    ["har", "a log with entries", { log: { version: "1.1", entries: [] } }],
    ["har", "a log without entries", { log: { version: "1.2", creator: {}, pages: [] } }],
    ["openai.chat", "messages", { model: "m", messages: [user] }],
    [
      "openai.chat",
      "messages with tool calls beside blocks",
      { messages: [call, { role: "user", content: [{ type: "text" }] }] }
    ],
    [
      "openai.chat",
      "messages with blocks of another kind",
      { messages: [{ role: "user", content: [{ type: "image_url" }] }] }
    ],
    ["openai.chat", "a list of messages", [user, call]],
    ["openai.chat", "a list of runs", [{ task_id: 1, info: {}, traj: [user, call] }]],
    ["openai.chat", "a list of conversations", [{ messages: [user] }]],
    ["anthropic.messages", "messages of blocks", { messages: [user, toolUse] }],
    ["anthropic.messages", "messages of text blocks alone", [{ role: "user", content: [{ type: "text", text: "a" }] }]],
    ["tracepipe.agent/v1", "a document that says so", { format: "tracepipe.agent/v1", messages: [user, toolUse] }],
    ["otlp", "resource spans", { resourceSpans: [] }],
    ["atif", "its version", { schema_version: "ATIF-v1.4", steps: [] }],
    ["atif", "steps with a source and a message", { agent: {}, steps: [{ step_id: 1, source: "user", message: "m" }] }],
    ["swe-agent", "a trajectory", { trajectory: [{ action: "ls", observation: "" }] }],
    ["swe-agent", "a history with info", { history: [user], info: {} }],
    ["langfuse", "a trace with observations", { trace: {}, observations: [] }]
  ])("%s: %s", (format, _, document) => {
    for (const name of ["x.json", "x", "x.txt", "folder.d/x.dat"]) {
      expect(detected({ [name]: json(document) })).toEqual({ format })
      expect(detected({ [name]: `\ufeff${JSON.stringify(document, null, 2)}\n` })).toEqual({ format })
    }
  })

  it("also where text or a call is around a HAR", () => {
    const har = json({ log: { version: "1.2", entries: [] } })
    expect(detected({ "x.harp": `onInputData(${har});` })).toEqual({ format: "har" })
    expect(detected({ "x.har": `starting\n${har}` })).toEqual({ format: "har" })
  })

  it("also where what tells it comes after a huge member", () => {
    const document = `{"metadata":${json(Array.from({ length: 20_000 }, (_, index) => ({ [`key${index}`]: index })))},"traceEvents":[]}`
    expect(detected({ "x.json": document })).toEqual({ format: "chrome.trace" })
  })

  it("or by its ending, where the shape says nothing", () => {
    expect(detected({ "run.traj": '{"steps":1}' })).toEqual({ format: "swe-agent" })
    expect(detected({ "run.traj": "[1]" })).toEqual({ format: "swe-agent" })
  })
})

describe("JSON Lines are known by their lines", () => {
  it.each<readonly [string, string, ReadonlyArray<unknown>]>([
    ["openai.chat", "messages", [user, call]],
    ["openai.chat", "conversations", [{ messages: [user] }, { messages: [call] }]],
    ["anthropic.messages", "messages of blocks", [user, toolUse]],
    ["tracepipe.agent/v1", "messages of which one says so", [{ ...user, format: "tracepipe.agent/v1" }, call]],
    ["claude-code", "entries with ids", [entry, entry]],
    ["claude-code", "a summary", [{ type: "summary", summary: "s", leafUuid: "1" }, { type: "unheard-of" }]],
    ["claude-code", "entries among scalars and arrays", [{}, 7, [entry], null, entry]],
    [
      "codex",
      "payloads",
      [
        { timestamp: "t", type: "session_meta", payload: {} },
        { timestamp: "t", type: "event_msg", payload: user }
      ]
    ],
    ["otlp", "resource spans", [{ resourceSpans: [] }, { resourceSpans: [] }]],
    ["atif", "trajectories", [{ schema_version: "ATIF-v1.2" }, { schema_version: "ATIF-v1.2" }]]
  ])("%s: %s", (format, _, values) => {
    for (const name of ["x.jsonl", "x.ndjson", "x.json", "x", "x.txt", "x.log"]) {
      expect(detected({ [name]: `\r\n${lines(...values)}\r\n` })).toEqual({ format })
    }
  })

  it("messages.jsonl is the agent's own format, unless its blocks say otherwise", () => {
    expect(detected({ "messages.jsonl": lines(user, call) })).toEqual({ format: "tracepipe.agent/v1" })
    expect(detected({ "messages.jsonl": lines(user, toolUse) })).toEqual({ format: "anthropic.messages" })
  })
})

describe("a bundle is known by its files together", () => {
  const input = '{"timestamp":1,"type":"click"}'
  const har = json({ log: { entries: [] } })

  it.each<readonly [string, string, Files]>([
    [
      "tracepipe.browser/v1",
      "input events, whatever is beside them",
      { "input_events.jsonl": input, "a.har": har, "c.json": json([user]) }
    ],
    ["tracepipe.browser/v1", "input events in a folder", { "run/screenshots/1.png": "", "run/input_events.jsonl": "" }],
    ["playwright.trace", "a trace with resources", { "test.trace": "{}\n{}", "resources/a.dat": "x", "b.json": har }],
    ["playwright.trace", "a trace with an empty network", { "0-trace.trace": "", "0-trace.network": "" }],
    ["chrome.trace", "a trace with a HAR", { "a.har": har, "b.json": json([event]) }],
    [
      "har",
      "a HAR with the bodies that it names",
      { "har.har": har, "da39a3ee5e6b4b0d3255bfef95601890afd80709.json": json([user]) }
    ],
    [
      "claude-code",
      "transcripts with other files",
      { "a.jsonl": lines(entry), "b.jsonl": lines(entry), "package.json": "{}", "c.png": "" }
    ]
  ])("%s: %s", (format, _, files) => {
    expect(detected(files)).toEqual({ format })
  })

  it.each<readonly [string, Files]>([
    ["there are no files", {}],
    [
      "no file is a known recording: a.json (an object with name, version), b.png (not JSON)",
      { "a.json": '{"name":1,"version":2}', "b.png": "" }
    ],
    ["no file is a known recording: a.jsonl (lines such as an object with x)", { "a.jsonl": '{"x":1}\n7' }],
    ["no file is a known recording: a.json (an array of which the first is a scalar)", { "a.json": "[1]" }],
    [
      "the files are of several formats: chrome.trace (a.json), claude-code (b.jsonl)",
      { "a.json": json([event]), "b.jsonl": lines(entry) }
    ],
    ["network_traffic.jsonl has no input_events.jsonl beside it", { "network_traffic.jsonl": "" }]
  ])("unknown: %s", (unknown, files) => {
    expect(detected(files)).toEqual({ unknown })
  })

  it("says what it has seen, briefly", () => {
    const files = Array.from({ length: 100 }, (_, index) => [`${index}`.padStart(200, "n"), '{"some-key":1}'] as const)
    expect(detected(Object.fromEntries(files))).toEqual({ unknown: expect.stringMatching(/^.{100,500} and 95 more$/s) })
  })
})

it("isPlaywrightTrace wants a trace and what belongs to it", () => {
  expect(isPlaywrightTrace(["0-trace.trace", "0-trace.network"])).toBe(true)
  expect(isPlaywrightTrace(["a/test.trace", "a/resources/1.png"])).toBe(true)
  expect(isPlaywrightTrace(["0-trace.trace"])).toBe(false)
  expect(isPlaywrightTrace(["resources/1.png", "a.network"])).toBe(false)
})

describeShared("every sample recording is known", () => {
  it.each([
    ["recorder-coffee-checkout.json", "chrome.recorder"],
    ["chrome-trace-timespan-responsiveness-m103.json", "chrome.trace"],
    ["har-chrome-github.com-home.har", "har"],
    ["playwright-trace-1.37.zip", "playwright.trace"],
    ["claude-code-representative-messages.jsonl", "claude-code"],
    ["langfuse-claude-agent-2025-12-22.trace.json", "langfuse"],
    ["otlp-trace.json", "otlp"],
    ["swe-agent-marshmallow-1867-function-calling.traj", "swe-agent"],
    ["tau-bench-gpt-4o-airline-first8.json", "openai.chat"]
  ])("%s is %s", (name, format) => {
    const bytes = sharedBytes(name)
    expect(detected({ [name]: bytes })).toEqual({ format })
    if (!name.endsWith(".zip")) expect(detected({ renamed: bytes })).toEqual({ format })
  })
})
