import { Command, Options } from "@effect/cli"
import { Console, Effect, Layer } from "effect"
import { Bootstrap } from "../identity/Bootstrap.ts"
import { ownerClient } from "../platform/Database.ts"
import { DatabaseConnections } from "../platform/DatabaseConnections.ts"
import { Id } from "../platform/Id.ts"
import { Migrator } from "../platform/Migrator.ts"
import { SecretStore, SecretStoreFailed } from "../platform/SecretStore.ts"

const unused = new SecretStoreFailed({ reason: "this command works without secrets" })

// What it writes into the audit log came from no request: nothing of it is personal, and no key is needed.
// To open the secret store here would take the service's keys along to wherever the command is run.
const withoutSecrets = Layer.succeed(SecretStore, {
  kind: "local",
  put: () => unused,
  get: () => unused,
  prune: () => unused,
  remove: () => unused,
  ping: unused
})

// As the tables' owner: nothing is migrated behind the back of a service of another version.
const services = Layer.merge(Bootstrap.Default, Migrator.Default).pipe(
  Layer.provide(Id.layer),
  Layer.provide(withoutSecrets),
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
