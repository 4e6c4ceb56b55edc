import { Context, type Duration, Effect, Layer, Redacted, Schedule, Schema } from "effect"
import Pg from "pg"
import * as BundledPostgres from "./BundledPostgres.ts"
import { lockDataFolder } from "./DataFolder.ts"
import { databaseUrl, Settings } from "./Settings.ts"

/** Where the database is, as each of its two roles. */
export interface Connections {
  readonly bundled: boolean
  /** The role that reads and writes rows. */
  readonly app: Pg.PoolConfig
  /** The role that owns the tables: migrations run as it, nothing else does. */
  readonly owner: Pg.PoolConfig
  /** The name of the application's role, which the migrator grants rights to. */
  readonly app_role: string
}

/** The database did not answer while starting. */
export class DatabaseUnreachable extends Schema.TaggedError<DatabaseUnreachable>("platform/DatabaseUnreachable")(
  "DatabaseUnreachable",
  { reason: Schema.String }
) {
  override get message() {
    return `the database does not answer: ${this.reason}`
  }
}

/** Finds the database, or starts the bundled one, and waits until it answers. */
export class DatabaseConnections extends Context.Tag("platform/DatabaseConnections")<
  DatabaseConnections,
  Connections
>() {
  static readonly layer = Layer.scoped(
    DatabaseConnections,
    Effect.gen(function* () {
      const settings = yield* Settings
      const url = databaseUrl(settings)
      if (url === undefined) return yield* bundled(settings.data.data_dir)
      const { database_migration_url, database_direct_url } = settings.database
      const app = { connectionString: Redacted.value(url) }
      const app_role = yield* answering(app, settings.database.connect_timeout)
      const owner = { connectionString: Redacted.value(database_migration_url ?? database_direct_url ?? url) }
      return { bundled: false, app, owner, app_role }
    })
  )
}

const bundled = Effect.fn("Database.bundled")(function* (data_dir: string) {
  yield* lockDataFolder(data_dir)
  const { host, port, database, app, owner } = yield* BundledPostgres.start(data_dir)
  const as = (role: typeof app): Pg.PoolConfig => ({
    host,
    port,
    database,
    user: role.username,
    password: Redacted.value(role.password)
  })
  return { bundled: true, app: as(app), owner: as(owner), app_role: app.username }
})

const attempt = (config: Pg.PoolConfig) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Pg.Client({ ...config, connectionTimeoutMillis: 5000 })),
    (client) =>
      Effect.tryPromise({
        try: async () => {
          await client.connect()
          const { rows } = await client.query<{ role: string }>("select current_user as role")
          return String(rows[0]?.role)
        },
        catch: (cause) => new DatabaseUnreachable({ reason: cause instanceof Error ? cause.message : String(cause) })
      }),
    (client) => Effect.promise(() => client.end().catch(() => undefined))
  )

const answering = (config: Pg.PoolConfig, limit: Duration.Duration) =>
  attempt(config).pipe(
    Effect.tapError((error) => Effect.logWarning(`${error.message}; trying again`)),
    Effect.retry(
      Schedule.exponential("250 millis").pipe(Schedule.union(Schedule.spaced("3 seconds")), Schedule.upTo(limit))
    )
  )
