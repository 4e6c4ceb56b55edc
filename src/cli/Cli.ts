import { CliConfig, Command } from "@effect/cli"
import { Effect, type Layer } from "effect"
import type { ConfigurationInvalid, Settings } from "../platform/Settings.ts"
import { agentsCommand } from "./AgentsCommand.ts"
import { auditCommand } from "./AuditCommand.ts"
import { connectCommand } from "./ConnectCommand.ts"
import { demoCommand } from "./DemoCommand.ts"
import { doctorCommand } from "./DoctorCommand.ts"
import { healthCommand } from "./HealthCommand.ts"
import { keysCommand } from "./KeysCommand.ts"
import { mcpCommand } from "./McpCommand.ts"
import { migrateCommand } from "./MigrateCommand.ts"
import { oneShot } from "./OneShot.ts"
import { quotasCommand } from "./QuotasCommand.ts"
import { reported } from "./Report.ts"
import { serveCommand, workerCommand } from "./ServeCommand.ts"
import { suitesCommand } from "./SuitesCommand.ts"
import { uploadCommand } from "./UploadCommand.ts"
import { uploadsCommand } from "./UploadsCommand.ts"

interface Program<E> {
  /** Runs the service until it is interrupted. */
  readonly serve: Effect.Effect<never, E, Settings>
  /** The configuration of this process, with variables set over its own. */
  readonly environment: (more?: Readonly<Record<string, string>>) => Layer.Layer<Settings, ConfigurationInvalid>
  readonly version: string
}

/**
 * The command line, over the arguments of this process. Every failure is told on stderr before it
 * ends the effect. Only commands that work on the database decode the service's configuration.
 */
export const run = <E>({ serve, environment, version }: Program<E>) => {
  const root = Command.make("tracepipe").pipe(
    Command.withDescription("records what people and agents do, and turns it into what agents can do"),
    Command.withSubcommands([
      serveCommand(serve).pipe(Command.provide(environment())),
      workerCommand(serve).pipe(Command.provide(environment({ ROLE: "worker" }))),
      oneShot(uploadCommand),
      oneShot(uploadsCommand).pipe(Command.provide(environment())),
      oneShot(suitesCommand),
      oneShot(mcpCommand),
      oneShot(connectCommand),
      oneShot(auditCommand),
      oneShot(demoCommand),
      oneShot(keysCommand(environment())),
      oneShot(agentsCommand),
      oneShot(quotasCommand).pipe(Command.provide(environment())),
      oneShot(migrateCommand).pipe(Command.provide(environment())),
      oneShot(doctorCommand),
      oneShot(healthCommand)
    ])
  )
  return Command.run(root, { name: "Tracepipe", version })(process.argv).pipe(
    Effect.provide(CliConfig.layer({ showBuiltIns: false })),
    reported
  )
}
