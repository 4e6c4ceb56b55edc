import { expect, it } from "vitest"
import type { Format } from "../../../src/domain/session/Session.ts"
import { kinds, readDocument, readLines } from "../../support/Reading.ts"
import { describeShared, sharedBytes } from "../../support/SharedData.ts"

const read = (format: Format, name: string, lines = false) => {
  const { events, failure } = (lines ? readLines : readDocument)(format, sharedBytes(name), { path: name })
  expect(failure).toBeUndefined()
  return events
}

const typesOf = (events: ReturnType<typeof read>) => {
  const counts: Record<string, number> = {}
  for (const event of events) if (event.kind === "input") counts[event.type] = (counts[event.type] ?? 0) + 1
  return counts
}

describeShared("adapters, over real recordings", () => {
  it("the Recorder's 19 steps, with accessible names", () => {
    const events = read("chrome.recorder", "recorder-coffee-checkout.json")
    expect(kinds(events)).toEqual({ note: 1, input: 19 })
    expect(typesOf(events)).toEqual({ setViewport: 1, navigate: 1, click: 12, change: 3, keydown: 1, keyup: 1 })
    expect(events.find((event) => event.kind === "input" && event.target?.name === "cart (3)")).toMatchObject({
      target: { name: "cart (3)", selector: "#app > ul > li:nth-child(2) > a" },
      extra: { target: "main" }
    })
  })

  it("the HAR's 20 entries in the order of their time", () => {
    const events = read("har", "har-chrome-github.com-home.har")
    expect(kinds(events)).toEqual({ note: 1, network: 20 })
    const times = events.filter(({ kind }) => kind === "network").map(({ at }) => at)
    expect(times).toEqual(times.toSorted())
    expect(events.filter((event) => event.kind === "network" && event.method === "POST")).toHaveLength(2)
    expect(events.filter((event) => event.kind === "network" && event.status === 204)).toHaveLength(1)
  })

  it("the Chrome trace's 6 clicks, each once, in the order of their time", () => {
    const events = read("chrome.trace", "chrome-trace-timespan-responsiveness-m103.json")
    expect(typesOf(events)).toMatchObject({ click: 6, pointerdown: 6, pointerup: 6, keypress: 2, pointerenter: 19 })
    // 582 events, of which 99 only end an EventTiming.
    expect(events).toHaveLength(582 - 99)
    expect(kinds(events)).toMatchObject({ screenshot: 9, input: 99 })
    const times = events.flatMap((event) => (event.kind === "input" ? [Number(event.extra?.ts)] : []))
    expect(times).toEqual(times.toSorted((one, other) => one - other))
  })

  it("Claude Code's 2 calls and their results", () => {
    const events = read("claude-code", "claude-code-representative-messages.jsonl", true)
    expect(kinds(events)).toEqual({ message: 7, tool_call: 2, tool_result: 2, note: 1 })
    expect(events.filter(({ kind }) => kind === "tool_call")).toMatchObject([
      { name: "Edit", call_id: "tool_001", extra: { uuid: "msg_004" } },
      { name: "Bash", call_id: "tool_002", arguments: { command: "python /tmp/decorator_example.py" } }
    ])
  })

  it("SWE-agent's 11 calls, each with its result", () => {
    const events = read("swe-agent", "swe-agent-marshmallow-1867-function-calling.traj")
    expect(kinds(events)).toMatchObject({ message: 13, tool_call: 11, tool_result: 11 })
    const ids = (kind: string) =>
      events.flatMap((event) => (event.kind === kind && "call_id" in event ? [event.call_id] : []))
    expect(ids("tool_result")).toEqual(ids("tool_call"))
  })

  it("tau-bench's 8 conversations with 58 calls", () => {
    const events = read("openai.chat", "tau-bench-gpt-4o-airline-first8.json")
    // 232 messages, of which 58 are results; 47 of the assistant's have calls and no text.
    expect(kinds(events)).toMatchObject({ tool_call: 58, tool_result: 58, note: 8 })
    const numbers = new Set(events.flatMap((event) => ("conversation" in event ? [event.conversation] : [])))
    expect([...numbers]).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    expect(events.find(({ kind }) => kind === "note")).toMatchObject({
      conversation: 0,
      data: { task_id: 0, reward: expect.any(Number) }
    })
  })

  it("Langfuse's 2 calls, joined with the tools' own observations", () => {
    const events = read("langfuse", "langfuse-claude-agent-2025-12-22.trace.json")
    expect(kinds(events)).toMatchObject({ message: 3, tool_call: 2, tool_result: 2 })
    expect(events.flatMap((event) => (event.kind === "tool_result" ? [[event.call_id, event.content]] : []))).toEqual([
      ["toolu_01TKoqQLvY2UWuC49qnD48y7", "Weather in Berlin: Cloudy, 59°F"],
      ["toolu_01NtVat4vJLFfVd5TqdLHcA7", "Weather in New York: Sunny, 75°F"]
    ])
  })

  it("a span that is no model's, whole", () => {
    expect(read("otlp", "otlp-trace.json")).toMatchObject([
      {
        kind: "note",
        name: "I'm a server span",
        at: "2018-12-13T14:51:00.000Z",
        data: { attributes: { "my.span.attr": "some value" }, resource: { "service.name": "my.service" } }
      }
    ])
  })
})
