import { describe, expect, it } from "vitest"
import { eventsOf, lineEvents, readDocument } from "../../support/Reading.ts"

type Events = ReturnType<typeof eventsOf>

/** `0 user: hi`, `0 call f#1 {"a":1}`, `0 result #1: ok`. */
const told = (events: Events) =>
  events.map((event) => {
    switch (event.kind) {
      case "message":
        return `${event.conversation} ${event.role}: ${event.content}`
      case "tool_call":
        return `${event.conversation} call ${event.name}#${event.call_id} ${JSON.stringify(event.arguments)}`
      case "tool_result":
        return `${event.conversation} result #${event.call_id}${event.is_error ? " failed" : ""}: ${event.content}`
      default:
        return event.kind === "note" ? `note ${event.name}` : event.kind
    }
  })

const user = { role: "user", content: "hi" }
const called = {
  role: "assistant",
  content: null,
  tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: '{"a":1}' } }]
}
const answered = { role: "tool", tool_call_id: "1", content: "ok" }
const done = { role: "assistant", content: "done" }
const run = ["0 user: hi", '0 call f#1 {"a":1}', "0 result #1: ok", "0 assistant: done"]

describe("openai.chat and tracepipe.agent/v1", () => {
  it("reads a conversation however it is kept", () => {
    const messages = [user, called, answered, done]
    expect(told(lineEvents("openai.chat", messages))).toEqual(run)
    expect(told(lineEvents("tracepipe.agent/v1", [{ messages }]))).toEqual(run)
    expect(told(eventsOf("openai.chat", { messages }))).toEqual(run)
    expect(told(eventsOf("openai.chat", messages))).toEqual(run)
    expect(told(eventsOf("openai.chat", [{ traj: messages }]))).toEqual(run)
    expect(told(eventsOf("openai.chat", { conversations: [{ messages }] }))).toEqual(run)
    expect(
      told(
        lineEvents("openai.chat", [
          { request: { messages: messages.slice(0, 3) }, response: { choices: [{ message: done }] } }
        ])
      )
    ).toEqual([...run, "note conversation"])
  })

  it("tells conversations apart, with what is said of each", () => {
    const events = lineEvents("openai.chat", [
      { messages: [user, done], reward: 1 },
      { messages: [{ ...user, content: "yo" }], reward: 0 }
    ])
    expect(told(events)).toEqual([
      "0 user: hi",
      "0 assistant: done",
      "note conversation",
      "1 user: yo",
      "note conversation"
    ])
    expect(events[2]).toMatchObject({ conversation: 0, data: { reward: 1 } })
  })

  it("tells once what logs of single requests repeat, and keeps equal conversations", () => {
    const grown = [[user], [user, called, answered], [user, called, answered, done]]
    for (const lists of [
      lineEvents(
        "openai.chat",
        grown.map((messages) => ({ messages }))
      ),
      eventsOf(
        "openai.chat",
        grown.map((messages) => ({ messages }))
      )
    ]) {
      expect(told(lists)).toEqual(run)
    }
    expect(told(lineEvents("openai.chat", [{ messages: [user, done] }, { messages: [user, done] }]))).toEqual([
      "0 user: hi",
      "0 assistant: done",
      "1 user: hi",
      "1 assistant: done"
    ])
    expect(told(lineEvents("openai.chat", [{ messages: [user, done] }, { messages: [user, called] }]))).toEqual([
      "0 user: hi",
      "0 assistant: done",
      "1 user: hi",
      '1 call f#1 {"a":1}'
    ])
  })

  it("reads the era of function_call, whose results name the function", () => {
    const call = { role: "assistant", content: null, function_call: { name: "f", arguments: "{bad" } }
    expect(told(lineEvents("openai.chat", [user, call, { role: "function", name: "f", content: "ok" }]))).toEqual([
      "0 user: hi",
      '0 call f#call_0 "{bad"',
      "0 result #call_0: ok"
    ])
  })

  it("keeps lines, blocks and fields that it does not know", () => {
    const odd = {
      role: "user",
      content: [
        { type: "text", text: "see" },
        { type: "image_url", image_url: { url: "u" } }
      ],
      name: "Ann"
    }
    const events = lineEvents("openai.chat", [
      { format: "tracepipe.agent/v1" },
      odd,
      7,
      { role: "critic", content: "x" }
    ])
    expect(told(events)).toEqual(["note line", "0 user: see", "note image_url", "note line", "note line"])
    expect(events[1]).toMatchObject({ extra: { name: "Ann" } })
  })
})

describe("anthropic.messages", () => {
  const blocks = [
    { role: "user", content: "hi" },
    {
      role: "assistant",
      content: [
        { type: "thinking", thinking: "hm" },
        { type: "text", text: "a" },
        { type: "text", text: "b" },
        { type: "tool_use", id: "1", name: "f", input: { a: 1 } }
      ]
    },
    {
      role: "user",
      content: [
        { type: "tool_result", tool_use_id: "1", content: [{ type: "text", text: "no" }], is_error: true },
        { type: "text", text: "go on" }
      ]
    }
  ]
  const expected = [
    "0 user: hi",
    "note thinking",
    "0 assistant: a\nb",
    '0 call f#1 {"a":1}',
    "0 result #1 failed: no",
    "0 user: go on"
  ]

  it("reads blocks in their order, and the system's words beside the messages", () => {
    expect(told(lineEvents("anthropic.messages", blocks))).toEqual(expected)
    expect(told(eventsOf("anthropic.messages", { model: "m", system: "be kind", messages: blocks }))).toEqual([
      "0 system: be kind",
      ...expected,
      "note conversation"
    ])
    const late = readDocument("anthropic.messages", `{"messages":${JSON.stringify(blocks)},"system":"late"}`).events
    expect(late.at(-1)).toMatchObject({ kind: "note", data: { system: "late" } })
  })
})

describe("claude-code", () => {
  it("takes scalars, messages and results that are strings, and types that it does not know", () => {
    const line = (type: string, message: unknown, more = {}) => ({
      type,
      uuid: "u",
      sessionId: "s",
      timestamp: "2025-01-01T00:00:00Z",
      message,
      ...more
    })
    const events = lineEvents("claude-code", [
      5,
      ["x"],
      line("user", "hi"),
      line("assistant", {
        role: "assistant",
        content: [{ type: "tool_use", id: "1", name: "f", input: {} }],
        usage: { input_tokens: 1 }
      }),
      line("user", { content: [{ type: "tool_result", tool_use_id: "1", content: "ok" }] }, { toolUseResult: "ok" }),
      line("user", "sub", { isSidechain: true }),
      { type: "queue-operation", op: 1 }
    ])
    expect(told(events)).toEqual([
      "note line",
      "note line",
      "0 user: hi",
      "0 call f#1 {}",
      "0 result #1: ok",
      "1 user: sub",
      "note queue-operation"
    ])
    expect(events[3]).toMatchObject({
      at: "2025-01-01T00:00:00.000Z",
      extra: { uuid: "u", usage: { input_tokens: 1 } }
    })
    expect(events[4]).toMatchObject({ extra: { toolUseResult: "ok" } })
  })
})

describe("codex", () => {
  const line = (type: string, payload: object) => ({ timestamp: "2025-01-01T00:00:00Z", type, payload })

  it("tells a result that appears twice once, and keeps the other as a note", () => {
    const events = lineEvents("codex", [
      line("session_meta", { id: "x" }),
      line("response_item", { type: "message", role: "user", content: [{ type: "input_text", text: "hi" }] }),
      line("event_msg", { type: "user_message", message: "hi" }),
      line("response_item", { type: "function_call", name: "shell", arguments: '{"command":["ls"]}', call_id: "1" }),
      line("event_msg", { type: "exec_command_end", call_id: "1", aggregated_output: "a.txt", exit_code: 0 }),
      line("response_item", { type: "function_call_output", call_id: "1", output: "a.txt" }),
      line("response_item", { type: "custom_tool_call", name: "apply_patch", input: "*** Begin", call_id: "2" }),
      line("response_item", {
        type: "custom_tool_call_output",
        call_id: "2",
        output: '{"output":"no","metadata":{"exit_code":1}}'
      }),
      line("response_item", { type: "reasoning", summary: [] })
    ])
    expect(told(events)).toEqual([
      "note session_meta",
      "0 user: hi",
      "note event_msg.user_message",
      '0 call shell#1 {"command":["ls"]}',
      "0 result #1: a.txt",
      "note response_item.function_call_output",
      '0 call apply_patch#2 "*** Begin"',
      '0 result #2 failed: {"output":"no","metadata":{"exit_code":1}}',
      "note response_item.reasoning"
    ])
  })

  it("reads the first versions, which wrote the items themselves", () => {
    expect(
      told(
        lineEvents("codex", [{ type: "message", role: "assistant", content: [{ type: "output_text", text: "hi" }] }])
      )
    ).toEqual(["0 assistant: hi"])
  })
})

describe("otlp", () => {
  const attribute = (key: string, value: unknown) => ({
    key,
    value: typeof value === "string" ? { stringValue: value } : { intValue: String(value) }
  })
  const span = (start: number, attributes: Readonly<Record<string, unknown>>, more = {}) => ({
    traceId: "AB",
    spanId: "C",
    name: "s",
    startTimeUnixNano: `${1_700_000_000 + start}000000000`,
    attributes: Object.entries(attributes).map(([key, value]) => attribute(key, value)),
    ...more
  })
  const of = (...spans: ReadonlyArray<object>) =>
    told(eventsOf("otlp", { resourceSpans: [{ resource: {}, scopeSpans: [{ spans }] }] })).filter(
      (line) => line !== "note s"
    )

  const input = [{ role: "user", parts: [{ type: "text", content: "hi" }] }]
  const call = { role: "assistant", parts: [{ type: "tool_call", id: "1", name: "f", arguments: { a: 1 } }] }
  const response = { role: "tool", parts: [{ type: "tool_call_response", id: "1", response: "ok" }] }
  const said = { role: "assistant", parts: [{ type: "text", content: "done" }] }

  it("reads GenAI messages and tools, in the order of their start, each once", () => {
    const first = span(0, {
      "gen_ai.input.messages": JSON.stringify(input),
      "gen_ai.output.messages": JSON.stringify([call]),
      "gen_ai.usage.input_tokens": 5
    })
    const tool = span(
      1,
      {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "f",
        "gen_ai.tool.call.id": "1",
        "gen_ai.tool.call.arguments": '{"a":1}',
        "gen_ai.tool.call.result": "ok"
      },
      { traceId: "ab" }
    )
    const second = span(2, {
      "gen_ai.input.messages": JSON.stringify([...input, call, response]),
      "gen_ai.output.messages": JSON.stringify([said])
    })
    expect(of(tool, second, first)).toEqual(run)
  })

  it("reads OpenInference's flattened names, and Traceloop's", () => {
    const open = {
      "llm.input_messages.0.message.role": "user",
      "llm.input_messages.0.message.contents.0.message_content.type": "text",
      "llm.input_messages.0.message.contents.0.message_content.text": "hi",
      "llm.output_messages.0.message.role": "assistant",
      "llm.output_messages.0.message.tool_calls.0.tool_call.id": "1",
      "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "f",
      "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments": '{"a":1}'
    }
    expect(
      of(
        span(0, open),
        span(1, { "openinference.span.kind": "TOOL", "tool.name": "f", "input.value": '{"a":1}', "output.value": "ok" })
      )
    ).toEqual(run.slice(0, 3))
    const loop = {
      "gen_ai.prompt.0.role": "user",
      "gen_ai.prompt.0.content": "hi",
      "gen_ai.completion.0.content": "done",
      "gen_ai.completion.0.role": "assistant"
    }
    expect(of(span(0, loop))).toEqual(["0 user: hi", "0 assistant: done"])
  })

  it("reads messages that are a span's events, and one document per line", () => {
    const events = [
      { name: "gen_ai.user.message", attributes: [attribute("content", "hi")] },
      {
        name: "gen_ai.choice",
        attributes: [attribute("message", JSON.stringify({ role: "assistant", content: "done" }))]
      }
    ]
    const document = { resourceSpans: [{ scopeSpans: [{ spans: [span(0, {}, { events })] }] }] }
    expect(told(lineEvents("otlp", [document]))).toEqual(["0 user: hi", "0 assistant: done", "note s"])
  })

  it("keeps the span with its resource and scope, and what comes after the spans", () => {
    const text =
      '{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"lib"},"spans":[{"name":"s","x":1}]}],"resource":{"attributes":[]},"schemaUrl":"u"}],"y":2}'
    expect(readDocument("otlp", text).events).toMatchObject([
      { name: "resource", data: { schemaUrl: "u" } },
      { name: "line", data: { y: 2 } },
      { name: "s", data: { x: 1, scope: { name: "lib" } } }
    ])
  })
})

describe("atif", () => {
  const steps = [
    { step_id: 1, timestamp: "2025-01-01T00:00:00Z", source: "user", message: "hi" },
    {
      step_id: 2,
      source: "agent",
      message: "",
      tool_calls: [{ tool_call_id: "1", function_name: "f", arguments: { a: 1 } }],
      observation: { results: [{ source_call_id: "1", content: "ok" }] },
      metrics: { cost: 1 }
    },
    { step_id: 3, source: "agent", message: "done", reasoning_content: "hm" }
  ]
  it("reads steps, as a document or one per line", () => {
    const document = { schema_version: "ATIF-v1.4", agent: { name: "x" }, steps }
    const expected = [run[0], "note step", ...run.slice(1)]
    expect(told(eventsOf("atif", document)).slice(1)).toEqual(expected)
    expect(told(lineEvents("atif", [document, document])).slice(5)).toEqual([
      "0 assistant: done",
      "note trajectory",
      ...expected.map((line) => line?.replace(/^0/, "1"))
    ])
  })
})

describe("swe-agent", () => {
  const step = { thought: "hm", action: "ls -a", observation: "a.txt", state: '{"open_file":"x"}' }

  it("tells the steps where there is no history, and the history where there is one", () => {
    const steps = ["0 assistant: hm", '0 call ls#call_0 "ls -a"', "0 result #call_0: a.txt"]
    expect(told(eventsOf("swe-agent", { trajectory: [step] }))).toEqual(steps)
    const history = [
      { role: "system", content: "s" },
      { role: "user", content: "u" },
      { role: "assistant", content: "hm\n```ls -a```", thought: "hm", action: "ls -a" },
      { role: "user", content: "a.txt" }
    ]
    const told_history = [
      "0 system: s",
      "0 user: u",
      "0 assistant: hm\n```ls -a```",
      '0 call ls#call_0 "ls -a"',
      "0 result #call_0: a.txt"
    ]
    expect(told(eventsOf("swe-agent", { history, info: {} })).slice(0, 5)).toEqual(told_history)
    const both = eventsOf("swe-agent", { trajectory: [step], history, info: {} })
    expect(told(both)).toEqual([...told_history, "note step", "note trajectory"])
    expect(both[5]).toMatchObject({ data: { state: '{"open_file":"x"}' } })
  })

  it("joins OpenHands' actions and observations by their cause", () => {
    const events = [
      {
        id: 0,
        timestamp: "2025-01-01T00:00:00.123456",
        source: "user",
        message: "hi",
        action: "message",
        args: { content: "hi" }
      },
      { id: 1, source: "agent", action: "run", args: { command: "ls" } },
      {
        id: 2,
        source: "agent",
        action: "read",
        args: { path: "x" },
        tool_call_metadata: { tool_call_id: "t", function_name: "view" }
      },
      { id: 3, cause: 2, observation: "read", content: "text", extras: {} },
      { id: 4, cause: 1, observation: "run", content: "bad", extras: { metadata: { exit_code: 2 } } },
      { id: 5, observation: "agent_state_changed", content: "", extras: { agent_state: "finished" } }
    ]
    const expected = [
      "0 user: hi",
      '0 call run#event_1 {"command":"ls"}',
      '0 call view#t {"path":"x"}',
      "0 result #t: text",
      "0 result #event_1 failed: bad",
      "note agent_state_changed"
    ]
    expect(told(eventsOf("swe-agent", { trajectory: events }))).toEqual(expected)
    expect(told(eventsOf("swe-agent", events))).toEqual(expected)
    expect(eventsOf("swe-agent", events)[0]?.at).toBe("2025-01-01T00:00:00.123Z")
  })
})

describe("langfuse", () => {
  it("reads JSON within strings within strings, tells repeated messages once, and joins tools by what they were asked", () => {
    const twice = (value: unknown) => JSON.stringify(JSON.stringify(value))
    const observation = (second: number, type: string, input: unknown, output: unknown, more = {}) => ({
      id: `${second}`,
      traceId: "t",
      type,
      startTime: `2025-01-01T00:00:0${second}Z`,
      input,
      output,
      ...more
    })
    const document = {
      trace: { id: "t" },
      observations: [
        observation(3, "GENERATION", twice({ messages: [user, called, answered] }), twice(done)),
        observation(2, "TOOL", JSON.stringify({ input: { a: 1 } }), '"ok"', { name: "f" }),
        observation(1, "GENERATION", JSON.stringify([user]), JSON.stringify(called)),
        observation(4, "SPAN", "plain", null)
      ]
    }
    expect(told(eventsOf("langfuse", document)).filter((line) => !line.startsWith("note"))).toEqual(run)
  })
})
