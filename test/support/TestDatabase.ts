import { Effect } from "effect"
import Pg from "pg"
import { inject } from "vitest"
import { roles, withDatabase } from "./globalSetup.ts"

export interface TestDatabase {
  /** As the role that reads and writes rows. */
  readonly app: string
  /** As the role that owns the tables. */
  readonly owner: string
  /** As a superuser, on the server's own database. */
  readonly admin: string
  readonly name: string
}

const administer = (statement: string) =>
  Effect.promise(async () => {
    const client = new Pg.Client({ connectionString: inject("admin") })
    await client.connect()
    await client.query(statement).finally(() => client.end())
  })

/** A database of its own for the scope: a clone of the migrated template. */
export const testDatabase = Effect.gen(function* () {
  const name = `tracepipe_test_${Bun.randomUUIDv7().replaceAll("-", "")}`
  yield* Effect.acquireRelease(
    administer(`create database ${name} template ${inject("template")} owner ${roles.owner}`),
    () => administer(`drop database if exists ${name} with (force)`)
  )
  const admin = inject("admin")
  return {
    app: withDatabase(admin, name, roles.app),
    owner: withDatabase(admin, name, roles.owner),
    admin,
    name
  } satisfies TestDatabase
})
