import { Context, Effect, Layer } from "effect"
import { inject } from "vitest"
import { RequestHandler } from "../../src/a2p/RequestHandler.ts"
import { Settings } from "../../src/platform/Settings.ts"
import * as Service from "../../src/Service.ts"
import { roles, withDatabase } from "../support/globalSetup.ts"
import { TestServer } from "../support/TestServer.ts"
import { unlimited } from "../support/Unlimited.ts"

/** Another node of the test's service: over the same database and the same files, until the scope ends. */
export const node = (environment: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const { sql, data_dir } = yield* TestServer
    const [database] = yield* Effect.orDie(sql<{ name: string }>`select current_database() as name`)
    const name = String(database?.name)
    const settings = Settings.layer({
      DATABASE_URL: withDatabase(inject("admin"), name, roles.app),
      DATABASE_MIGRATION_URL: withDatabase(inject("admin"), name, roles.owner),
      DATA_DIR: data_dir,
      PORT: "0",
      LOG_LEVEL: "NONE",
      SHUTDOWN_TIMEOUT: "5 s",
      DATABASE_POOL_SIZE: "8",
      API_KEY_ENCRYPTION_KEY: "00".repeat(32),
      ...unlimited,
      ...environment
    })
    const built = yield* Layer.buildWithScope(Layer.provideMerge(Service.layer, settings), yield* Effect.scope).pipe(
      // Of its own services alone: the test's are those of the other node.
      Effect.mapInputContext((_tests: Context.Context<never>) => Context.empty()),
      Effect.orDie
    )
    return Context.get(built, RequestHandler)
  })
