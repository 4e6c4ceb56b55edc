import { Command, Options } from "@effect/cli"
import { Console, Effect, Layer } from "effect"
import { Bootstrap } from "../identity/Bootstrap.ts"
import { ownerClient } from "../platform/Database.ts"
import { DatabaseConnections } from "../platform/DatabaseConnections.ts"
import * as EgressLive from "../platform/EgressLive.ts"
import { Id } from "../platform/Id.ts"
import { Migrator } from "../platform/Migrator.ts"
import * as SecretStoreLive from "../platform/SecretStoreLive.ts"

// As the tables' owner: nothing is migrated behind the back of a service of another version.
const services = Layer.merge(Bootstrap.Default, Migrator.Default).pipe(
  Layer.provide(Id.layer),
  Layer.provide(SecretStoreLive.layer),
  Layer.provide(EgressLive.layer),
  Layer.provide(ownerClient),
  Layer.provide(DatabaseConnections.layer)
)

const organization = Options.text("organization").pipe(
  Options.withDefault("default"),
  Options.withDescription("the organization whose first owner gets the key")
)

/** `tracepipe keys recover`: a new key straight in the database, for when all keys are lost. */
export const recoverCommand = Command.make("recover", { organization }, ({ organization }) =>
  Effect.gen(function* () {
    const migrator = yield* Migrator
    const bootstrap = yield* Bootstrap
    yield* migrator.assertCurrent
    const key = yield* bootstrap.recover(organization)
    yield* Console.error(`made a key for the first owner of ${organization}, with every scope. Shown this once:`)
    yield* Console.log(key)
  }).pipe(Effect.provide(services), Effect.scoped)
).pipe(
  Command.withDescription(
    "all keys lost: make one straight in the database (with the bundled database, stop the service first)"
  )
)
