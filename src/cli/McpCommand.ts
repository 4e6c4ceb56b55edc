import { Command } from "@effect/cli"
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio"
import { Effect } from "effect"
import { relay } from "./mcp/Relay.ts"
import { connection, credentials } from "./Remote.ts"

/** `tracepipe mcp`: the service's MCP endpoint on standard input and output. */
export const mcpCommand = Command.make("mcp", connection, (options) =>
  Effect.gen(function* () {
    const { base_url, api_key } = yield* credentials(options)
    const relaying = yield* Effect.acquireRelease(
      Effect.sync(() =>
        relay({
          client: new StdioServerTransport(),
          url: new URL(`${base_url}/mcp`),
          headers: { "x-api-key": api_key },
          report: (problem) => console.error(`tracepipe: ${problem}`)
        })
      ),
      ({ close }) => Effect.promise(close)
    )
    yield* Effect.promise(relaying.start)
    yield* Effect.promise(() => relaying.closed)
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "an MCP server on standard input and output that hands on to the service: for clients that start one"
  )
)
