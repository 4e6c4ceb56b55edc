import { Effect } from "effect"
import Pg from "pg"
import { inject } from "vitest"
import { roles, withDatabase } from "./globalSetup.ts"
import { TestServer } from "./TestServer.ts"

/** Runs statements on the server's own database as the role that owns its tables. */
export const asOwner = (...statements: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const [database] = yield* sql<{ name: string }>`select current_database() as name`
    yield* Effect.promise(async () => {
      const connectionString = withDatabase(inject("admin"), String(database?.name), roles.owner)
      const client = new Pg.Client({ connectionString })
      await client.connect()
      try {
        for (const statement of statements) await client.query(statement)
      } finally {
        await client.end()
      }
    })
  }).pipe(Effect.orDie)
