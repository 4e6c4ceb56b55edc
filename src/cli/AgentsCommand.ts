import { Args, Command, Options } from "@effect/cli"
import { Console, DateTime, Duration, Effect, Option, Schema } from "effect"
import { AgentId } from "../domain/Ids.ts"
import { type Agent, AgentScope, type AgentWithSecret } from "../domain/identity/Agent.ts"
import { OptionInvalid, scopeNamed, timeSpan } from "./OptionText.ts"
import { client, connection, everything } from "./Remote.ts"
import { columns } from "./Table.ts"

const row = (agent: Agent): ReadonlyArray<string> => [
  agent.id,
  agent.client_id,
  agent.status,
  agent.last_seen_at === null ? "never" : DateTime.formatIso(agent.last_seen_at),
  agent.scopes.join(","),
  agent.name
]

const list = Command.make("list", connection, (options) =>
  Effect.gen(function* () {
    const { agents } = yield* client(options)
    const found = yield* everything((at) => agents.list({ urlParams: { limit: 100, ...at } }))
    const head = ["ID", "CLIENT ID", "STATUS", "LAST SEEN", "SCOPES", "NAME"]
    yield* Console.log(columns([head, ...found.map(row)]))
  })
).pipe(Command.withDescription("show the organization's agents"))

/** Only the credentials on stdout, as the two variables that an agent sends them in: `>> agent.env` keeps them. */
const shown = ({ client_id, client_secret }: AgentWithSecret) =>
  Console.log(`MCP_CLIENT_ID=${client_id}\nAPI_KEY=${client_secret}`)

const creation = {
  ...connection,
  name: Options.text("name").pipe(Options.withDescription("what the agent is called")),
  description: Options.text("description").pipe(Options.withDefault(""), Options.withDescription("what it does")),
  scopes: Options.text("scope").pipe(
    Options.repeated,
    Options.withDescription("what it may do (sessions:write, …), once for each; bridge:use and a2p:use, when absent")
  ),
  record: Options.boolean("record").pipe(Options.withDescription("record what it does through the bridge"))
}

const isAgentScope = Schema.is(AgentScope)

const create = Command.make("create", creation, ({ name, description, scopes, record, ...options }) =>
  Effect.gen(function* () {
    const { agents } = yield* client(options)
    const wanted = yield* Effect.forEach(scopes, scopeNamed(isAgentScope))
    const made = yield* agents.create({
      payload: { name, description, record, scopes: wanted.length === 0 ? ["bridge:use", "a2p:use"] : wanted }
    })
    yield* Console.error(`made the agent ${made.id}. Shown this once:`)
    yield* shown(made)
  })
).pipe(Command.withDescription("make an agent, at most as powerful as the key that you use"))

const rotation = {
  ...connection,
  id: Args.text({ name: "id" }).pipe(Args.withDescription("the agent's id, as agents list shows it")),
  overlap: Options.text("overlap").pipe(
    Options.withDefault("24 h"),
    Options.withDescription('how long the old secret is still taken: "1 h"; "0 s" ends it at once')
  )
}

const isAgentId = Schema.is(AgentId)

const rotate = Command.make("rotate-secret", rotation, ({ id, overlap, ...options }) =>
  Effect.gen(function* () {
    if (!isAgentId(id)) {
      return yield* new OptionInvalid({
        option: id,
        expected: "expected an agent's id, as `tracepipe agents list` shows it"
      })
    }
    const seconds = Math.ceil(Duration.toSeconds(yield* timeSpan("--overlap", overlap, "1 h")))
    if (seconds > 604_800) {
      return yield* new OptionInvalid({ option: "--overlap", expected: `expected at most 7 d, got ${overlap}` })
    }
    const { agents } = yield* client(options)
    const rotated = yield* agents.rotate_secret({ path: { id }, payload: { overlap: seconds } })
    const until = Option.match(Option.fromNullable(rotated.previous_secret_until), {
      onNone: () => "has ended",
      onSome: (at) => `is taken until ${DateTime.formatIso(at)}`
    })
    yield* Console.error(`${rotated.name} has a new secret; the old one ${until}. Shown this once:`)
    yield* shown(rotated)
  })
).pipe(Command.withDescription("give an agent a new secret"))

/** `tracepipe agents`: through the API. */
export const agentsCommand = Command.make("agents").pipe(
  Command.withDescription("make and show agents, and change their secrets"),
  Command.withSubcommands([list, create, rotate])
)
