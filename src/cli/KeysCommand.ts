import { Args, Command, Options } from "@effect/cli"
import { Console, DateTime, Effect, type Layer, Option, Schema } from "effect"
import { ApiKeyId } from "../domain/Ids.ts"
import type { ApiKey } from "../domain/identity/ApiKey.ts"
import { Scope } from "../domain/Principal.ts"
import * as KeyFormat from "../identity/KeyFormat.ts"
import type { Settings } from "../platform/Settings.ts"
import { recoverCommand } from "./KeysRecoverCommand.ts"
import { OptionInvalid, scopeNamed, timeSpan } from "./OptionText.ts"
import { client, connection, everything, suiteId } from "./Remote.ts"
import { columns } from "./Table.ts"

const day = (at: DateTime.Utc | null, otherwise: string) => (at === null ? otherwise : DateTime.formatIso(at))

const row = (key: ApiKey, now: DateTime.Utc): ReadonlyArray<string> => {
  const isPast = key.expires_at !== null && DateTime.lessThan(key.expires_at, now)
  return [
    key.id,
    `${key.prefix}…`,
    key.revoked_at !== null ? "revoked" : isPast ? "expired" : "valid",
    day(key.expires_at, "never"),
    day(key.last_used_at, "never"),
    key.scopes.join(","),
    key.suite_ids === null ? "all" : key.suite_ids.join(","),
    key.name
  ]
}

const list = Command.make("list", connection, (options) =>
  Effect.gen(function* () {
    const { api_keys } = yield* client(options)
    const keys = yield* everything((at) => api_keys.list({ urlParams: { limit: 100, ...at } }))
    const now = yield* DateTime.now
    const head = ["ID", "KEY", "STATE", "EXPIRES", "LAST USED", "SCOPES", "SUITES", "NAME"]
    yield* Console.log(columns([head, ...keys.map((key) => row(key, now))]))
  })
).pipe(Command.withDescription("show the keys: your own, as owner or admin those of the organization"))

const creation = {
  ...connection,
  name: Options.text("name").pipe(Options.withDescription("what the key is for")),
  scopes: Options.text("scope").pipe(
    Options.repeated,
    Options.withDescription("what it may do (sessions:read, …), once for each; everything that you may, when absent")
  ),
  suites: Options.text("suite").pipe(
    Options.repeated,
    Options.withDescription("the only suites that it may see, by id or name, once for each; all, when absent")
  ),
  expires_in: Options.text("expires-in").pipe(
    Options.optional,
    Options.withDescription('when it stops working: "30 d"; never, when absent')
  )
}

const isScope = Schema.is(Scope)

const create = Command.make("create", creation, ({ name, scopes, suites, expires_in, ...options }) =>
  Effect.gen(function* () {
    const api = yield* client(options)
    const now = yield* DateTime.now
    const span = Option.isNone(expires_in) ? undefined : yield* timeSpan("--expires-in", expires_in.value, "30 d")
    const wanted = yield* Effect.forEach(scopes, scopeNamed(isScope))
    const suite_ids = yield* Effect.forEach(suites, (suite) => suiteId(api, suite))
    const made = yield* api.api_keys.create({
      payload: {
        name,
        ...(wanted.length === 0 ? {} : { scopes: wanted }),
        ...(suite_ids.length === 0 ? {} : { suite_ids }),
        ...(span === undefined ? {} : { expires_at: DateTime.addDuration(now, span) })
      }
    })
    // Only the key on stdout: KEY=$(tracepipe keys create …) has it.
    yield* Console.error(`made the key ${made.id}, which expires ${day(made.expires_at, "never")}. Shown this once:`)
    yield* Console.log(made.key)
  })
).pipe(Command.withDescription("make a key, at most as powerful as the one that you use"))

const id = Args.text({ name: "id" }).pipe(Args.withDescription("the key's id, as keys list shows it"))

const isKeyId = Schema.is(ApiKeyId)

const revoke = Command.make("revoke", { ...connection, id }, ({ id, ...options }) =>
  Effect.gen(function* () {
    if (!isKeyId(id)) {
      return yield* new OptionInvalid({
        option: id,
        expected: "expected a key's id, as `tracepipe keys list` shows it"
      })
    }
    const { api_keys } = yield* client(options)
    yield* api_keys.revoke({ path: { id } })
    yield* Console.log(`revoked ${id}`)
  })
).pipe(Command.withDescription("end a key at once"))

const generate = Command.make("generate", {}, () => Effect.suspend(() => Console.log(KeyFormat.make()))).pipe(
  Command.withDescription("print a fresh key for BOOTSTRAP_API_KEY; makes nothing")
)

/** `tracepipe keys`: through the API, but for `generate` and `recover`. */
export const keysCommand = <E>(environment: Layer.Layer<Settings, E>) =>
  Command.make("keys").pipe(
    Command.withDescription("make, show and revoke API keys"),
    Command.withSubcommands([list, create, revoke, generate, Command.provide(recoverCommand, environment)])
  )
