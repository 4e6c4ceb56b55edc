import { Reactivity } from "@effect/experimental"
import { SqlClient, type SqlError } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { Context, Duration, Effect, Layer } from "effect"
import Pg from "pg"
import { DatabaseConnections, DatabaseUnreachable } from "./DatabaseConnections.ts"
import { Migrator } from "./Migrator.ts"
import { Settings } from "./Settings.ts"
import { types } from "./SqlTypes.ts"

/** A client over a pool of its own; the pool ends with the scope. */
const client = (config: Pg.PoolConfig) =>
  PgClient.layerFromPool({
    acquire: Effect.acquireRelease(
      Effect.sync(() => {
        const pool = new Pg.Pool({ ...config, types })
        // An idle connection that dies is replaced by the pool; without a listener it would end the process.
        pool.on("error", () => undefined)
        return pool
      }),
      (pool) => Effect.promise(() => pool.end())
    )
  }).pipe(Layer.provide(Reactivity.layer))

/** The application's client: bounded pool, bounded statements, UTC. */
export const appClient = Layer.unwrapEffect(
  Effect.gen(function* () {
    const { database } = yield* Settings
    const { app } = yield* DatabaseConnections
    return client({
      ...app,
      application_name: "tracepipe",
      max: database.pool_size + database.max_overflow,
      connectionTimeoutMillis: 5000,
      idleTimeoutMillis: 60_000,
      statement_timeout: Duration.toMillis(database.statement_timeout)
    })
  })
)

/** A client as the role that owns the tables. */
export const ownerClient = Layer.unwrapEffect(
  Effect.map(DatabaseConnections, ({ owner }) => client({ ...owner, application_name: "tracepipe-migrate", max: 2 }))
)

/** What operators and probes ask of the database. */
export class Database extends Context.Tag("platform/Database")<
  Database,
  {
    readonly bundled: boolean
    /** Succeeds when a query was answered within two seconds. */
    readonly ping: Effect.Effect<void, DatabaseUnreachable>
    readonly version: Effect.Effect<string, DatabaseUnreachable>
  }
>() {}

const probe = Layer.effect(
  Database,
  Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { bundled } = yield* DatabaseConnections
    const asked = <A>(query: Effect.Effect<A, SqlError.SqlError>) =>
      query.pipe(
        Effect.mapError((error) => new DatabaseUnreachable({ reason: String(error.cause) })),
        Effect.timeoutFail({
          duration: "2 seconds",
          onTimeout: () => new DatabaseUnreachable({ reason: "no answer within 2 s" })
        })
      )
    return {
      bundled,
      ping: asked(Effect.asVoid(sql`select 1`)),
      version: asked(
        Effect.map(sql<{ version: string }>`select current_setting('server_version') as version`, (rows) =>
          String(rows[0]?.version)
        )
      )
    }
  })
)

/** Migrations, as the owner; refuses to go on when the schema is behind and may not be changed. */
const migrated = Layer.effectDiscard(
  Effect.gen(function* () {
    const { database } = yield* Settings
    const migrator = yield* Migrator
    yield* database.migrate_on_start ? migrator.up : migrator.assertCurrent
  })
).pipe(Layer.provide(Migrator.Default), Layer.provide(ownerClient))

/** The database, reachable and migrated. */
export const layer = Layer.provideMerge(probe, appClient).pipe(
  Layer.provide(migrated),
  Layer.provideMerge(DatabaseConnections.layer)
)
