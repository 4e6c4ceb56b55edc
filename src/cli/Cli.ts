import { CliConfig, Command } from "@effect/cli"
import { Effect, Layer } from "effect"
import { Settings, unknownVariables } from "../platform/Settings.ts"
import { migrateCommand } from "./MigrateCommand.ts"

interface Program<E> {
  /** Runs the service until it is interrupted. */
  readonly serve: Effect.Effect<never, E, Settings>
  readonly environment: Layer.Layer<Settings, { readonly message: string }>
  readonly version: string
}

/** The command line, over the arguments of this process. */
export const run = <E extends { readonly message: string }>(program: Program<E>) => {
  const serve = Command.make("serve", {}, () =>
    Effect.zipRight(
      Effect.forEach(unknownVariables(process.env), (name) =>
        Effect.logWarning(`${name} is set and is no variable of this service: is it misspelt?`)
      ),
      program.serve
    )
  ).pipe(Command.withDescription("run the service"))

  const root = Command.make("tracepipe").pipe(
    Command.withDescription("records what people and agents do, and turns it into what agents can do"),
    Command.withSubcommands([serve, migrateCommand])
  )
  return Command.run(root, { name: "Tracepipe", version: program.version })(process.argv).pipe(
    Effect.provide(program.environment),
    Effect.provide(CliConfig.layer({ showBuiltIns: false }))
  )
}
