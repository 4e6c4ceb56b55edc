import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import type { ToolDefinition } from "../../src/domain/example/Message.ts"
import { agentConversation, type ConversationEvent } from "../../src/example/pipeline/AgentConversation.ts"
import { exportLine } from "../../src/example/pipeline/Export.ts"
import { faults, textFaults, toText } from "../../src/example/pipeline/Grammar.ts"
import { type Setting, type Step, synthesise } from "../../src/example/pipeline/Synthesise.ts"

const tool = (name: string): ToolDefinition => ({
  type: "function",
  function: { name, description: "", parameters: { type: "object", properties: { text: {}, at: {} } } }
})

const setting: Setting = {
  suite: { name: "Shop", description: "" },
  description: "",
  tools: [tool("orders.add"), tool("orders_add")],
  mappings: [
    {
      action: "add_order",
      tool: "orders.add",
      parameters: [
        { action_parameter: "text", tool_parameter: "/deep/list/0/text", transform: "trim" },
        { action_parameter: "n", tool_parameter: "n", transform: "to_number" }
      ]
    },
    { action: "plain", tool: "orders_add", parameters: [] }
  ]
}

const step = (action: string, parameters: Step["parameters"], result: string | null = null): Step => ({
  action,
  parameters,
  confidence: 1,
  evidence: { from_seq: 0, to_seq: 0 },
  result
})

describe("synthesised messages", () => {
  it("have the map's tools, its parameters and its transformations", () => {
    const steps = [
      step("add_order", { text: " x ", n: "4" }, "{}"),
      step("plain", { text: "y", other: 1 }),
      step("none", {})
    ]
    const { messages, unmapped } = synthesise(setting, steps)
    const calls = messages.flatMap((message) => (message.role === "assistant" ? (message.tool_calls ?? []) : []))
    expect(calls.map((call) => [call.function.name, JSON.parse(call.function.arguments)])).toEqual([
      ["orders.add", { deep: { list: [{ text: "x" }] }, n: 4 }],
      ["orders_add", { text: "y" }]
    ])
    expect(unmapped).toEqual(["none"])
    expect(messages.at(1)).toEqual({
      role: "user",
      content: "Add order (text:  x , n: 4), then plain (text: y, other: 1)."
    })
  })

  it("hold to the grammar, whatever the values, and are the same twice", () => {
    const steps = fc.array(
      fc.record({
        action: fc.constantFrom("add_order", "plain"),
        value: fc.jsonValue(),
        result: fc.option(fc.string())
      }),
      { minLength: 1, maxLength: 10 }
    )
    fc.assert(
      fc.property(steps, fc.string(), (made, description) => {
        const of = made.map(({ action, value, result }) => step(action, { text: value, n: value }, result))
        const text = () => toText(synthesise({ ...setting, description }, of).messages)
        expect(textFaults(text(), new Set(["orders.add", "orders_add"]))).toEqual([])
        expect(text()).toBe(text())
      }),
      { numRuns: 200 }
    )
  })
})

const common = { at: null, source: { file: "a", line: 1 }, conversation: 0 }

describe("an agent's conversation", () => {
  it("keeps the calls of the map's tools with their results, and leaves out others", () => {
    const events: ReadonlyArray<ConversationEvent> = [
      { ...common, seq: 0, kind: "message", role: "user", content: "Add x" },
      { ...common, seq: 1, kind: "tool_call", call_id: "a", name: "mcp__shop__orders_add", arguments: { text: "x" } },
      { ...common, seq: 2, kind: "tool_call", call_id: "b", name: "bash", arguments: "{}" },
      { ...common, seq: 3, kind: "tool_result", call_id: "b", content: "no", is_error: true },
      { ...common, seq: 4, kind: "tool_result", call_id: "a", content: "done", is_error: false },
      { ...common, seq: 5, kind: "message", role: "assistant", content: "Added." },
      { ...common, seq: 6, kind: "message", role: "user", content: "Thanks" }
    ]
    const { messages, matched, calls, unknown } = agentConversation(setting, events)
    expect({ matched, calls, unknown }).toEqual({ matched: 1, calls: 2, unknown: ["bash"] })
    expect(faults(messages)).toEqual([])
    expect(messages.slice(1)).toEqual([
      { role: "user", content: "Add x" },
      {
        role: "assistant",
        content: null,
        tool_calls: [{ id: "call_1", type: "function", function: { name: "orders_add", arguments: '{"text":"x"}' } }]
      },
      { role: "tool", tool_call_id: "call_1", content: "done" },
      { role: "assistant", content: "Added." }
    ])
  })
})

describe("the grammar", () => {
  const user = { role: "user", content: "Hi" }
  const call = (id: string, given = "{}") => ({
    role: "assistant",
    content: null,
    tool_calls: [{ id, type: "function", function: { name: "t", arguments: given } }]
  })
  const answer = (id: string) => ({ role: "tool", tool_call_id: id, content: "" })
  const bye = { role: "assistant", content: "Bye" }

  it.each([
    ["nothing", []],
    ["no assistant at the end", [user]],
    ["an assistant before the user", [bye]],
    ["a call that is not answered", [user, call("a"), bye]],
    ["an answer to no call", [user, answer("a"), bye]],
    ["a call answered twice", [user, call("a"), answer("a"), answer("a"), bye]],
    ["a call id used twice", [user, call("a"), answer("a"), call("a"), answer("a"), bye]],
    ["arguments that are no object", [user, call("a", "[]"), answer("a"), bye]],
    ["arguments that are no JSON", [user, call("a", "{"), answer("a"), bye]],
    ["a system message in the middle", [user, { role: "system", content: "x" }, bye]],
    ["an assistant that says nothing", [user, { role: "assistant", content: null }]],
    ["an unknown role", [user, { role: "robot", content: "x" }, bye]],
    ["an unknown tool", [user, call("a"), answer("a"), bye], new Set(["other"])]
  ])("refuses %s", (_, messages, tools?: ReadonlySet<string>) => {
    expect(faults(messages, tools).length).toBeGreaterThan(0)
  })

  it("takes calls that end the conversation", () => {
    expect(faults([user, call("a")])).toEqual([])
  })
})

describe("exports", () => {
  const { messages } = synthesise(setting, [step("add_order", { n: "1" })])
  const example = { messages, tools: setting.tools, provenance: { example_id: "e" } }

  it("give OpenAI names that it takes, each of its own", () => {
    const line = JSON.parse(exportLine("openai", example))
    expect(line.tools.map((one: ToolDefinition) => one.function.name)).toEqual(["orders_add", "orders_add_2"])
    expect(line.messages[2].tool_calls[0].function.name).toBe("orders_add")
  })

  it("give ShareGPT its turns, and plain messages their provenance", () => {
    const line = JSON.parse(exportLine("sharegpt", example))
    expect(line.conversations.map(({ from }: { from: string }) => from)).toEqual([
      "human",
      "function_call",
      "observation",
      "gpt"
    ])
    expect(JSON.parse(exportLine("messages", example))).toMatchObject({ messages, example_id: "e" })
  })
})
