import { Command, Options } from "@effect/cli"
import { Console, Effect, Layer, Option } from "effect"
import { ownerClient } from "../platform/Database.ts"
import { DatabaseConnections } from "../platform/DatabaseConnections.ts"
import { Migrator } from "../platform/Migrator.ts"

const migrator = Migrator.Default.pipe(Layer.provide(ownerClient), Layer.provide(DatabaseConnections.layer))

const status = Options.boolean("status").pipe(Options.withDescription("show every migration and when it was applied"))
const dryRun = Options.boolean("dry-run").pipe(
  Options.withDescription("show what would be applied, and change nothing")
)
const down = Options.integer("down").pipe(
  Options.optional,
  Options.withDescription("undo every migration above this number; data of what is undone is lost")
)

/** `tracepipe migrate`: applies, shows or undoes the schema's migrations. */
export const migrateCommand = Command.make("migrate", { status, dryRun, down }, (options) =>
  Effect.gen(function* () {
    const { up, down, pending, status, label } = yield* Migrator
    if (options.status) {
      for (const migration of yield* status) {
        yield* Console.log(`${label(migration)}  ${migration.applied_at ?? "pending"}`)
      }
      return
    }
    if (options.dryRun) {
      const waiting = yield* pending
      return yield* Console.log(
        waiting.length === 0 ? "nothing to apply" : waiting.map((one) => `would apply ${label(one)}`).join("\n")
      )
    }
    const undone = Option.isSome(options.down)
    const names = yield* Option.isSome(options.down) ? down(options.down.value) : up
    yield* Console.log(
      names.length === 0 ? "nothing to do" : names.map((name) => `${undone ? "undid" : "applied"} ${name}`).join("\n")
    )
  }).pipe(Effect.provide(migrator), Effect.scoped)
).pipe(Command.withDescription("apply pending migrations"))
