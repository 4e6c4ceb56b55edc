import type { Tool } from "@modelcontextprotocol/client"
import { Effect } from "effect"
import { expect } from "vitest"

/** What the platform offers agents. */
const toolNames = [
  "create_example",
  "find_examples",
  "get_example",
  "get_example_messages",
  "get_session_timeline",
  "get_suite",
  "get_tool",
  "get_usage",
  "list_sessions",
  "list_suites",
  "report_log",
  "search_tools"
]

const id = "01a1fd02-88d0-73cb-9798-39aa1d449156"

/** An input that each tool takes; ids in it lead nowhere. */
const inputs: Readonly<Record<string, Record<string, unknown>>> = {
  create_example: { session_id: id, model_id: id },
  get_example: { example_id: id },
  get_example_messages: { example_id: id },
  get_session_timeline: { session_id: id },
  get_suite: { suite_id: id },
  get_tool: { tool_id: id },
  report_log: { entries: [{ event_type: "test", severity: "info", source: "test" }] }
}

interface Caller {
  readonly listTools: () => Promise<{ readonly tools: ReadonlyArray<Pick<Tool, "name">> }>
  readonly callTool: (call: { name: string; arguments: Record<string, unknown> }) => Promise<unknown>
}

/** Lists all of them, and calls each. */
export const callEach = (client: Caller) =>
  Effect.promise(async () => {
    const { tools } = await client.listTools()
    expect(tools.map(({ name }) => name).toSorted()).toEqual(toolNames)
    for (const { name } of tools) {
      const answer = await client.callTool({ name, arguments: inputs[name] ?? {} })
      const text = JSON.stringify(answer)
      // What there is not is answered as a tool's error that names it; nothing else goes wrong.
      expect(text, name).toMatch(
        inputs[name] === undefined || name === "report_log" ? /structuredContent/ : /not_found/
      )
      expect(text, name).not.toContain("validation_error")
    }
  })
