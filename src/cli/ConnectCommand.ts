import { Command, Options } from "@effect/cli"
import { Console, Effect, Option, Redacted } from "effect"
import { clients, configOf } from "./mcp/ClientConfig.ts"
import { baseUrl, connection } from "./Remote.ts"

const options = {
  ...connection,
  client: Options.choice("print-config", clients).pipe(
    Options.withDescription("the client whose configuration is wanted")
  )
}

/** How this very program was started: compiled it is one file, else Bun runs the source. */
const program = (): readonly [string, ...ReadonlyArray<string>] => {
  const [, script] = process.argv
  return script === undefined || script.startsWith("/$bunfs/") ? [process.execPath] : [process.execPath, script]
}

/** `tracepipe connect --print-config <client>`: what connects an MCP client to the service. */
export const connectCommand = Command.make("connect", options, ({ url, api_key, client }) =>
  Effect.gen(function* () {
    const key = Option.getOrUndefined(Option.map(api_key, Redacted.value))
    const { file, json, hint } = configOf(client, { url: yield* baseUrl(url), api_key: key, program: program() })
    yield* Console.error(`put this into ${file}:`)
    yield* Console.log(JSON.stringify(json, null, 2))
    if (hint !== undefined) yield* Console.error(hint)
  })
).pipe(Command.withDescription("print the configuration that connects an MCP client to the service"))
