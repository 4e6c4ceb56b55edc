import { Command, Options } from "@effect/cli"
import { Console, Effect, Layer } from "effect"
import { Bootstrap } from "../identity/Bootstrap.ts"
import { Migrator } from "../platform/Migrator.ts"
import { ownerPlatform } from "./OwnerPlatform.ts"

const services = Layer.merge(Bootstrap.Default, Migrator.Default).pipe(Layer.provide(ownerPlatform))

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
