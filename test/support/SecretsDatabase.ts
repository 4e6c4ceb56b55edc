import { SqlClient } from "@effect/sql"
import { Effect, Layer, Logger } from "effect"
import { OrganizationId } from "../../src/domain/Ids.ts"
import * as Database from "../../src/platform/Database.ts"
import * as EgressLive from "../../src/platform/EgressLive.ts"
import { Settings } from "../../src/platform/Settings.ts"
import { testDatabase } from "./TestDatabase.ts"

/** A migrated database of its own for the scope, and the settings that name it. */
export const secretsDatabase = (environment: Readonly<Record<string, string>> = {}) =>
  Layer.unwrapScoped(
    Effect.map(testDatabase, ({ app, owner }) =>
      Database.layer.pipe(
        Layer.merge(EgressLive.layer),
        Layer.provideMerge(Settings.layer({ DATABASE_URL: app, DATABASE_MIGRATION_URL: owner, ...environment })),
        Layer.provide(Logger.remove(Logger.defaultLogger))
      )
    )
  )

/** A new organization, past every service. */
export const anyOrganization = Effect.gen(function* () {
  const sql = yield* SqlClient.SqlClient
  const id = Bun.randomUUIDv7()
  yield* sql`insert into organizations (id, slug, name) values (${id}, ${`org-${id}`}, 'any')`
  return OrganizationId.make(id)
}).pipe(Effect.orDie)
