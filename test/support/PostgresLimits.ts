import { Layer } from "effect"
import { appClient } from "../../src/platform/Database.ts"
import { DatabaseConnections } from "../../src/platform/DatabaseConnections.ts"
import * as Postgres from "../../src/platform/PostgresRateLimitStore.ts"
import { Settings } from "../../src/platform/Settings.ts"
import type { TestDatabase } from "./TestDatabase.ts"

/** The store of rate limits over a database, with connections of its own. */
export const overPostgres = ({ app, owner }: Pick<TestDatabase, "app" | "owner">) =>
  Postgres.layer.pipe(
    Layer.provide(appClient),
    Layer.provide(
      Layer.succeed(DatabaseConnections, {
        bundled: false,
        app: { connectionString: app },
        owner: { connectionString: owner },
        app_role: ""
      })
    ),
    Layer.provide(Settings.layer({ DATABASE_POOL_SIZE: "8", DATABASE_MAX_OVERFLOW: "0" }))
  )
