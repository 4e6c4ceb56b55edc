import { Effect } from "effect"
import { version } from "../../api/Version.ts"
import { Actions } from "../../capability/Actions.ts"
import { ActionToolMaps } from "../../capability/ActionToolMaps.ts"
import { Suites } from "../../capability/Suites.ts"
import { CurrentPrincipal } from "../../domain/Principal.ts"
import { Examples } from "../../example/Examples.ts"
import { Refusals } from "../../identity/Refusals.ts"
import { Sessions } from "../../session/Sessions.ts"
import type { Progress, Refused, ToolAnswer } from "../Surface.ts"
import { failureOf, type Told } from "./Failures.ts"
import { createExampleTool } from "./tools/CreateExampleTool.ts"
import { exampleTools } from "./tools/ExampleTools.ts"
import { sessionTools } from "./tools/SessionTools.ts"
import { suiteTools } from "./tools/SuiteTools.ts"

const failed = ({ text }: Told): ToolAnswer => ({ content: [{ type: "text", text }], isError: true })

/** What agents are offered over MCP: the platform's own services, as the API offers them to programs. */
export class PlatformSurface extends Effect.Service<PlatformSurface>()("mcp/PlatformSurface", {
  dependencies: [
    Suites.Default,
    Actions.Default,
    ActionToolMaps.Default,
    Sessions.Default,
    Examples.Default,
    Refusals.Default
  ],
  effect: Effect.gen(function* () {
    const refusals = yield* Refusals
    const tools = [
      ...(yield* suiteTools),
      ...(yield* sessionTools),
      yield* createExampleTool,
      ...(yield* exampleTools)
    ]
    const byName = new Map(tools.map((tool) => [tool.description.name, tool]))

    /** What a caller may not do is in the audit log, too. */
    const denied = (resource: string, { forbidden }: Told) =>
      forbidden === undefined
        ? Effect.void
        : Effect.flatMap(CurrentPrincipal, (principal) => refusals.access(principal, resource, forbidden.message))

    const callTool = Effect.fn("PlatformSurface.callTool")(function* (
      name: string,
      input: unknown,
      progress: Progress
    ) {
      const tool = byName.get(name)
      if (tool === undefined) {
        const message = `there is no tool ${JSON.stringify(name)}; there are ${[...byName.keys()].join(", ")}`
        return yield* Effect.fail<Refused>({ _tag: "Refused", code: -32602, message })
      }
      return yield* tool.call(input, progress).pipe(
        Effect.catchAllCause((cause) =>
          Effect.flatMap(failureOf(cause, `the tool ${name}`, tool.next), (told) =>
            Effect.as(denied(`mcp_tool/${name}`, told), failed(told))
          )
        )
      )
    })

    return {
      info: { name: "tracepipe", title: "Tracepipe", version },
      tools: tools.map(({ description }) => description),
      callTool
    } as const
  })
}) {}
