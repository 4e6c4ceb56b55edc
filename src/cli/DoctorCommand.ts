import { Command, Options } from "@effect/cli"
import { Console, Effect, Either, Logger, LogLevel, Redacted, Schema } from "effect"
import * as KeyFormat from "../identity/KeyFormat.ts"
import { decode, effective, unknownVariables, type Values } from "../platform/Settings.ts"
import { configurationTable } from "./doctor/ConfigurationTable.ts"
import { checkDatabase } from "./doctor/DatabaseCheck.ts"
import { checkDataFolder } from "./doctor/DataFolderCheck.ts"
import { type Finding, fail, line, ok, warn } from "./doctor/Finding.ts"
import { checkLlm } from "./doctor/LlmCheck.ts"
import { checkSecrets } from "./doctor/SecretsCheck.ts"
import { checkStore } from "./doctor/StoreCheck.ts"
import { columns } from "./Table.ts"

/** Something has to be mended; the lines above say what. */
class ChecksFailed extends Schema.TaggedError<ChecksFailed>("cli/ChecksFailed")("ChecksFailed", {
  count: Schema.Number
}) {
  override get message() {
    return `${this.count} of the checks failed`
  }
}

const aboutVariables = (): ReadonlyArray<Finding> =>
  unknownVariables(process.env).map((name) =>
    warn(`configuration: ${name} is set and is no variable of this service`, "is it misspelt?")
  )

const aboutBootstrapKey = ({ data: { bootstrap_api_key } }: Values): ReadonlyArray<Finding> =>
  bootstrap_api_key === undefined || KeyFormat.isWellFormed(Redacted.value(bootstrap_api_key))
    ? []
    : [fail("configuration: BOOTSTRAP_API_KEY is not a key of this service", "`tracepipe keys generate` prints one")]

const examine = Effect.gen(function* () {
  const decoded = yield* Effect.either(decode(process.env))
  if (Either.isLeft(decoded)) {
    const problems = decoded.left.problems.map((problem) => fail(`configuration: ${problem}`))
    return [...problems, ...aboutVariables()]
  }
  const values = decoded.right
  const folder = yield* checkDataFolder(values.data.data_dir)
  return [
    ok("configuration: it can be read"),
    ...aboutVariables(),
    ...aboutBootstrapKey(values),
    ...folder.findings,
    ...(yield* checkDatabase(values, folder.in_use)),
    yield* checkStore(values),
    yield* checkSecrets(values, folder.in_use),
    ...(yield* checkLlm(values))
  ]
}).pipe(Logger.withMinimumLogLevel(LogLevel.None))

const markdown = Options.boolean("markdown").pipe(
  Options.withDescription("print the README's table of the configuration instead")
)

/** `tracepipe doctor`: the effective configuration, and a check of everything that it points at. */
export const doctorCommand = Command.make("doctor", { markdown }, ({ markdown }) =>
  Effect.gen(function* () {
    if (markdown) return yield* Console.log(configurationTable())
    const rows = effective(process.env).map(({ name, value, source }) => [name, value, source])
    yield* Console.log(`${columns([["VARIABLE", "VALUE", "FROM"], ...rows])}\n`)
    const findings = yield* examine
    yield* Console.log(findings.map(line).join("\n"))
    const count = findings.filter(({ status }) => status === "fail").length
    if (count > 0) return yield* new ChecksFailed({ count })
  })
).pipe(Command.withDescription("show the configuration, check everything, say what to mend"))
