import { Command, Options } from "@effect/cli"
import { StdioServerTransport } from "@modelcontextprotocol/server/stdio"
import { Config, Effect, Option } from "effect"
import { relay } from "./mcp/Relay.ts"
import { connection, credentials } from "./Remote.ts"

const options = {
  ...connection,
  client_id: Options.text("client-id").pipe(
    Options.withFallbackConfig(Config.nonEmptyString("MCP_CLIENT_ID")),
    Options.optional,
    Options.withDescription("the client id of an agent whose secret --api-key is; MCP_CLIENT_ID otherwise")
  )
}

/** `tracepipe mcp`: the service's MCP endpoint on standard input and output. */
export const mcpCommand = Command.make("mcp", options, ({ client_id, ...given }) =>
  Effect.gen(function* () {
    const { base_url, api_key } = yield* credentials(given)
    const headers = Option.match(client_id, {
      onNone: () => ({ "x-api-key": api_key }),
      onSome: (id) => ({ "mcp-client-id": id, "api-key": api_key })
    })
    const relaying = yield* Effect.acquireRelease(
      Effect.sync(() =>
        relay({
          client: new StdioServerTransport(),
          url: new URL(`${base_url}/mcp`),
          headers,
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
