import { Effect } from "effect"
import Pg from "pg"
import { inject } from "vitest"
import { roles, withDatabase } from "./globalSetup.ts"
import { TestServer } from "./TestServer.ts"

/** A connection to the server's own database for the scope, as the role that owns its tables. */
export const ownerClient = Effect.gen(function* () {
  const { sql } = yield* TestServer
  const [database] = yield* sql<{ name: string }>`select current_database() as name`
  const connectionString = withDatabase(inject("admin"), String(database?.name), roles.owner)
  return yield* Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Pg.Client({ connectionString })
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => client.end())
  )
}).pipe(Effect.orDie)

/** Runs statements there. */
export const asOwner = (...statements: ReadonlyArray<string>) =>
  Effect.flatMap(ownerClient, (client) =>
    Effect.forEach(statements, (statement) => Effect.promise(() => client.query(statement)), { discard: true })
  ).pipe(Effect.scoped)
