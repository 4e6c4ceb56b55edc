import { Layer } from "effect"
import { ownerClient } from "../platform/Database.ts"
import { DatabaseConnections } from "../platform/DatabaseConnections.ts"
import * as EgressLive from "../platform/EgressLive.ts"
import { Id } from "../platform/Id.ts"
import * as SecretStoreLive from "../platform/SecretStoreLive.ts"

/**
 * For commands that work straight in the database, as its tables' owner: nothing is migrated behind the
 * back of a service of another version.
 */
export const ownerPlatform = Layer.merge(Id.layer, SecretStoreLive.layer).pipe(
  Layer.provide(EgressLive.layer),
  Layer.provideMerge(ownerClient),
  Layer.provideMerge(DatabaseConnections.layer)
)
