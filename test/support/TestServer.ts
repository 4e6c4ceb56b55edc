import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { FetchHttpClient, HttpServer } from "@effect/platform"
import { SqlClient } from "@effect/sql"
import { Context, Effect, Layer } from "effect"
import * as Client from "../../src/client.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { Settings } from "../../src/platform/Settings.ts"
import * as Service from "../../src/Service.ts"
import { testDatabase } from "./TestDatabase.ts"
import { unlimited } from "./Unlimited.ts"

/** The whole service on a free port, with a database and a data folder of its own. */
export class TestServer extends Context.Tag("test/TestServer")<
  TestServer,
  {
    readonly base_url: string
    /** The first key: an owner's, with every scope. */
    readonly api_key: string
    readonly data_dir: string
    /** The database as the service's own role, past every service. */
    readonly sql: SqlClient.SqlClient
  }
>() {
  static readonly layer = (environment: Readonly<Record<string, string>> = {}) =>
    Layer.unwrapScoped(
      Effect.gen(function* () {
        const data_dir = yield* Effect.acquireRelease(
          Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-data-"))),
          (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
        )
        const database = yield* testDatabase
        const api_key = KeyFormat.make()
        const settings = Settings.layer({
          DATABASE_URL: database.app,
          DATABASE_MIGRATION_URL: database.owner,
          DATA_DIR: data_dir,
          PORT: "0",
          BOOTSTRAP_API_KEY: api_key,
          LOG_LEVEL: "NONE",
          SHUTDOWN_TIMEOUT: "5 s",
          DATABASE_POOL_SIZE: "8",
          API_KEY_ENCRYPTION_KEY: "00".repeat(32),
          ...unlimited,
          ...environment
        })
        return Layer.effect(
          TestServer,
          Effect.gen(function* () {
            const sql = yield* SqlClient.SqlClient
            return yield* HttpServer.addressWith((address) =>
              Effect.succeed({
                base_url: address._tag === "TcpAddress" ? `http://127.0.0.1:${address.port}` : "",
                api_key,
                data_dir,
                sql
              })
            )
          })
        ).pipe(Layer.provideMerge(Service.layer), Layer.provideMerge(settings))
      })
    )
}

/** The derived client over a socket, with the first key or another. */
export const client = (api_key?: string) =>
  Effect.flatMap(TestServer, (server) =>
    Client.make({ base_url: server.base_url, api_key: api_key ?? server.api_key })
  ).pipe(Effect.provide(FetchHttpClient.layer))

/** A raw request, for what no derived client would send. */
export const request = (path: string, init: RequestInit & { readonly api_key?: string | null } = {}) =>
  Effect.flatMap(TestServer, ({ base_url, api_key }) =>
    Effect.promise(() => {
      const { api_key: key = api_key, ...rest } = init
      const headers = new Headers(rest.headers)
      if (key !== null && !headers.has("x-api-key")) headers.set("x-api-key", key)
      return fetch(`${base_url}${path}`, { ...rest, headers })
    })
  )
