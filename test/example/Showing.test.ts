import { describe, expect, it } from "@effect/vitest"
import type { Message } from "../../src/domain/example/Message.ts"
import { showing } from "../../src/example/pipeline/Showing.ts"

const call = (name: string, given: string): Message => ({
  role: "assistant",
  content: null,
  tool_calls: [{ id: "1", type: "function", function: { name, arguments: given } }]
})

const mapping = (action: string, tool: string) => ({ action, action_id: `${action} id`, tool, tool_id: `${tool} id` })

const mappings = [mapping("add", "cart"), mapping("remove", "cart"), mapping("pay", "checkout")]

const messages: ReadonlyArray<Message> = [
  { role: "system", content: "You act in a shop." },
  { role: "user", content: "  Two lattes,\n please " },
  call("cart", '{"product":"latte"}'),
  { role: "tool", tool_call_id: "1", content: "added" },
  { role: "assistant", content: "Here you are." }
]

describe("what an example shows", () => {
  it("is the actions that were recognised, by the tools that were called", () => {
    expect(showing(messages, mappings, ["add", "add"])).toEqual({
      title: "Two lattes, please",
      actions: ["add"],
      action_ids: ["add id"],
      tools: ["cart"],
      tool_ids: ["cart id"],
      text: '  Two lattes,\n please \n\n{"product":"latte"}\nHere you are.'
    })
  })

  it("is every action of a tool that was called, where nobody knows which was meant", () => {
    expect(showing(messages, mappings)).toMatchObject({
      actions: ["add", "remove"],
      action_ids: ["add id", "remove id"]
    })
  })

  it("is bounded, and can be stored whatever was said", () => {
    const { title, text } = showing([{ role: "user", content: `a\u0000b\ud800 ${"word ".repeat(30_000)}` }], mappings)
    expect(title.length).toBe(200)
    expect(text.length).toBe(50_000)
    for (const one of [title, text]) {
      expect(one.isWellFormed()).toBe(true)
      expect(one).not.toContain("\u0000")
    }
  })
})
