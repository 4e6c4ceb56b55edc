import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { TestServer } from "../support/TestServer.ts"
import { run } from "./Tracepipe.ts"

/** `tracepipe demo` in a process of its own. */
const demo = Effect.flatMap(TestServer, ({ base_url, api_key }) =>
  run(["demo"], { TRACEPIPE_URL: base_url, TRACEPIPE_API_KEY: api_key })
)

interface Call {
  readonly id: string
  readonly type: string
  readonly function: { readonly name: string; readonly arguments: string }
}

interface Line {
  readonly messages: ReadonlyArray<{
    readonly role: string
    readonly content: string | null
    readonly tool_calls?: ReadonlyArray<Call>
    readonly tool_call_id?: string
  }>
  readonly tools: ReadonlyArray<{
    readonly type: string
    readonly function: { readonly name: string; readonly parameters: { readonly required?: ReadonlyArray<string> } }
  }>
}

/** What OpenAI's guide to supervised fine-tuning asks of a line; the broken rules. */
const broken = ({ messages, tools, ...rest }: Line): ReadonlyArray<string> => {
  const wrong: Array<string> = Object.keys(rest).map((key) => `unknown key ${key}`)
  const names = new Set(tools.map((tool) => tool.function.name))
  for (const name of names) if (!/^[\w-]{1,64}$/.test(name)) wrong.push(`the name ${name}`)
  if (tools.length > 128 || names.size !== tools.length) wrong.push("too many tools, or one twice")
  let open = new Set<string>()
  for (const { role, content, tool_calls = [], tool_call_id } of messages) {
    if (!["system", "user", "assistant", "tool"].includes(role)) wrong.push(`the role ${role}`)
    if (role === "tool" ? !open.delete(tool_call_id ?? "") : open.size > 0) wrong.push(`${role}: a call is unanswered`)
    if (content === null && tool_calls.length === 0) wrong.push(`${role} says nothing`)
    if (tool_calls.length > 0 && role !== "assistant") wrong.push(`${role} calls tools`)
    for (const { type, function: called } of tool_calls) {
      const tool = tools.find((one) => one.function.name === called.name)
      const given: object = JSON.parse(called.arguments)
      const missing = tool?.function.parameters.required?.filter((key) => !Object.hasOwn(given, key)) ?? []
      if (type !== "function" || tool === undefined || missing.length > 0) wrong.push(`the call ${called.name}`)
    }
    if (role === "assistant") open = new Set(tool_calls.map(({ id }) => id))
  }
  if (messages.at(-1)?.role !== "assistant" || open.size > 0) wrong.push("the assistant has not the last word")
  return wrong
}

layer(TestServer.layer(), { excludeTestServices: true, timeout: "60 seconds" })("tracepipe demo", (it) => {
  it.effect("prints a fine-tuning file that OpenAI's rules let pass, twice the same", () =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* demo
      expect(stderr).not.toMatch(/error/i)
      expect(code).toBe(0)
      const lines = stdout
        .trim()
        .split("\n")
        .map((line): Line => JSON.parse(line))
      // Fewer are refused.
      expect(lines.length).toBeGreaterThanOrEqual(10)
      for (const line of lines) expect(broken(line), JSON.stringify(line.messages)).toEqual([])
      const called = lines.flatMap(({ messages }) => messages.flatMap(({ tool_calls = [] }) => tool_calls))
      expect(called.map(({ function: { name } }) => name)).toContain("order_create")
      expect((yield* demo).stdout).toBe(stdout)
    })
  )
})
