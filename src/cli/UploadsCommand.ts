import { Command, Options } from "@effect/cli"
import { Console, Effect, Layer } from "effect"
import { Migrator } from "../platform/Migrator.ts"
import * as ObjectStoreLive from "../platform/ObjectStoreLive.ts"
import { Collector } from "../session/Collector.ts"
import { ownerPlatform } from "./OwnerPlatform.ts"

const services = Layer.merge(Collector.Default, Migrator.Default).pipe(
  Layer.provide(ObjectStoreLive.layer),
  Layer.provide(ownerPlatform)
)

const dryRun = Options.boolean("dry-run").pipe(
  Options.withDescription("show what would be removed, and remove nothing")
)

const collectCommand = Command.make("collect", { dryRun }, ({ dryRun }) =>
  Effect.gen(function* () {
    const migrator = yield* Migrator
    const collector = yield* Collector
    yield* migrator.assertCurrent
    const found = yield* collector.collect({ whole: true, dry_run: dryRun })
    for (const prefix of found) yield* Console.log(prefix)
    yield* Console.error(`${found.length} remains ${dryRun ? "would be removed" : "removed"}`)
  }).pipe(Effect.provide(services), Effect.scoped)
).pipe(
  Command.withDescription(
    "remove what cut-off and expired uploads left, straight in store and database (with the bundled database, stop the service first)"
  )
)

/** `tracepipe uploads`: looks after what uploads leave behind. */
export const uploadsCommand = Command.make("uploads").pipe(
  Command.withDescription("look after what cut-off uploads leave behind"),
  Command.withSubcommands([collectCommand])
)
