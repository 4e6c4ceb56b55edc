import { Effect } from "effect"
import { version } from "../../api/Version.ts"
import { Actions } from "../../capability/Actions.ts"
import { ActionToolMaps } from "../../capability/ActionToolMaps.ts"
import { Discovery } from "../../capability/Discovery.ts"
import { Suites } from "../../capability/Suites.ts"
import { Tools } from "../../capability/Tools.ts"
import { CurrentPrincipal } from "../../domain/Principal.ts"
import { ExampleSearch } from "../../example/ExampleSearch.ts"
import { Examples } from "../../example/Examples.ts"
import { Refusals } from "../../identity/Refusals.ts"
import { Sessions } from "../../session/Sessions.ts"
import { Logs } from "../../telemetry/Logs.ts"
import { Usage } from "../../telemetry/Usage.ts"
import type { Refused, Surface, ToolAnswer } from "../Surface.ts"
import { makeCompletions } from "./Completions.ts"
import { cutText } from "./Cut.ts"
import { failureOf, type Told } from "./Failures.ts"
import { fewShot, makeFewShot } from "./FewShot.ts"
import { makeResources, templates } from "./Resources.ts"
import type { NextSteps } from "./Tool.ts"
import { createExampleTool } from "./tools/CreateExampleTool.ts"
import { exampleTools } from "./tools/ExampleTools.ts"
import { sessionTools } from "./tools/SessionTools.ts"
import { suiteTools } from "./tools/SuiteTools.ts"
import { telemetryTools } from "./tools/TelemetryTools.ts"
import { toolTools } from "./tools/ToolTools.ts"

const instructions = `Tracepipe keeps recordings of what people and agents do in applications (sessions), and makes them into training examples: conversations whose assistant calls tools.
To learn how something is done: find_examples (by action, tool or words), then get_example_messages; or the prompt few_shot.
To find what there is to work with: list_suites and get_suite for applications and their actions, search_tools and get_tool for tools of MCP servers.
To look at recordings: list_sessions, then get_session_timeline. To make one into an example: create_example.
Lists answer "next_cursor": pass it as "cursor" for the next page; null is the last. Errors say what to do next.`

const failed = ({ text }: Told): ToolAnswer => ({ content: [{ type: "text", text }], isError: true })

const refused = (code: Refused["code"], message: string, data?: Refused["data"]) =>
  Effect.fail<Refused>({ _tag: "Refused", code, message, ...(data === undefined ? {} : { data }) })

const codeOf = ({ code }: Told, missing: Refused["code"]): Refused["code"] => {
  if (code === "internal_error" || code === "unavailable") return -32603
  return code === "not_found" ? missing : -32602
}

const found = {
  NotFound: "Call list_sessions or find_examples for the ids there are.",
  ExampleState: "Call get_example until it is COMPLETED."
}

/** What agents are offered over MCP: the platform's own services, as the API offers them to programs. */
export class PlatformSurface extends Effect.Service<PlatformSurface>()("mcp/PlatformSurface", {
  dependencies: [
    Suites.Default,
    Actions.Default,
    ActionToolMaps.Default,
    Sessions.Default,
    Examples.Default,
    ExampleSearch.Default,
    Discovery.Default,
    Tools.Default,
    Usage.Default,
    Logs.Default,
    Refusals.Default
  ],
  effect: Effect.gen(function* () {
    const refusals = yield* Refusals
    const tools = [
      ...(yield* suiteTools),
      ...(yield* toolTools),
      ...(yield* sessionTools),
      yield* createExampleTool,
      ...(yield* exampleTools),
      ...(yield* telemetryTools)
    ]
    const resources = yield* makeResources
    const shots = yield* makeFewShot
    const completions = yield* makeCompletions
    const byName = new Map(tools.map((tool) => [tool.description.name, tool]))

    /** What a caller may not do is in the audit log, too. */
    const denied = (resource: string, { forbidden }: Told) =>
      forbidden === undefined
        ? Effect.void
        : Effect.flatMap(CurrentPrincipal, (principal) => refusals.access(principal, resource, forbidden.message))

    const callTool: Surface["callTool"] = (name, input, progress) => {
      const tool = byName.get(name)
      if (tool === undefined) {
        const names = [...byName.keys()].join(", ")
        return refused(-32602, `there is no tool ${JSON.stringify(cutText(name, 200))}; there are ${names}`)
      }
      const call = Effect.suspend(() => tool.call(input, progress))
      return Effect.catchAllCause(call, (cause) =>
        Effect.flatMap(failureOf(cause, `the tool ${name}`, tool.next), (told) =>
          Effect.as(denied(`mcp_tool/${name}`, told), failed(told))
        )
      )
    }

    /** Requests that have no answer for failures: the protocol refuses them. */
    const orRefused =
      (what: string, missing: Refused["code"] = -32602, next: NextSteps = {}) =>
      <A, R>(self: Effect.Effect<A, unknown, R>) =>
        Effect.catchAllCause(self, (cause) =>
          Effect.flatMap(failureOf(cause, what, next), (told) =>
            Effect.zipRight(denied(what, told), refused(codeOf(told, missing), told.text, { code: told.code }))
          )
        )

    const listResources = Effect.fn("PlatformSurface.listResources")(function* (cursor: string | undefined) {
      const listed = yield* orRefused("mcp_resources")(resources.list(cursor))
      return listed ?? (yield* refused(-32602, "the cursor is not one that this server made: leave it out"))
    })

    const readResource = Effect.fn("PlatformSurface.readResource")(function* (uri: string) {
      const text = yield* orRefused("mcp_resource", -32002, found)(resources.read(uri))
      if (text !== undefined) return text
      const known = templates.map(({ uriTemplate }) => uriTemplate).join(" and ")
      return yield* refused(-32002, `there is no resource ${JSON.stringify(cutText(uri, 200))}; there are ${known}`)
    })

    const getPrompt = Effect.fn("PlatformSurface.getPrompt")(function* (
      name: string,
      input: Readonly<Record<string, string>>
    ) {
      if (name === fewShot.name) return yield* orRefused("mcp_prompt/few_shot")(shots(input))
      return yield* refused(
        -32602,
        `there is no prompt ${JSON.stringify(cutText(name, 200))}; there is ${fewShot.name}`
      )
    })

    const complete = Effect.fn("PlatformSurface.complete")(function* (
      of: Parameters<typeof completions>[0],
      argument: Parameters<typeof completions>[1]
    ) {
      const values = yield* orRefused("mcp_completion")(completions(of, argument))
      return values ?? (yield* refused(-32602, "there is no such prompt or resource template"))
    })

    return {
      info: { name: "tracepipe", title: "Tracepipe", version },
      instructions,
      tools: tools.map(({ description }) => description),
      callTool,
      templates,
      listResources,
      readResource,
      prompts: [fewShot],
      getPrompt,
      complete
    } satisfies Surface
  })
}) {}
