import { Layer } from "effect"
import { ownerClient } from "../platform/Database.ts"
import { DatabaseConnections } from "../platform/DatabaseConnections.ts"
import { Id } from "../platform/Id.ts"
import { SecretStore, SecretStoreFailed } from "../platform/SecretStore.ts"

const unused = new SecretStoreFailed({ reason: "this command works without secrets" })

// What such commands write into the audit log came from no request: nothing of it is personal, and no key
// is needed. To open the secret store would take the service's keys along to wherever the command is run.
const withoutSecrets = Layer.succeed(SecretStore, {
  kind: "local",
  put: () => unused,
  get: () => unused,
  prune: () => unused,
  remove: () => unused,
  ping: unused
})

/**
 * For commands that work straight in the database, as its tables' owner: nothing is migrated behind the
 * back of a service of another version.
 */
export const ownerPlatform = Layer.merge(Id.layer, withoutSecrets).pipe(
  Layer.provideMerge(ownerClient),
  Layer.provideMerge(DatabaseConnections.layer)
)
