import { existsSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Duration, Effect, Layer } from "effect"
import Pg from "pg"
import { ownerClient } from "../../platform/Database.ts"
import { type Connections, DatabaseConnections } from "../../platform/DatabaseConnections.ts"
import { Migrator } from "../../platform/Migrator.ts"
import { databaseUrl, Settings, type Values } from "../../platform/Settings.ts"
import { reason } from "../Report.ts"
import { type Finding, fail, ok, warn } from "./Finding.ts"

const OLDEST = 14
const CONNECT_WITHIN = Duration.seconds(5)
const MOST_SKEW_MS = 2000

interface Seen {
  readonly version: string
  readonly major: number
  readonly role: string
  readonly skew_ms: number
}

const query = `select current_setting('server_version') as version, current_user as role,
  current_setting('server_version_num')::int / 10000 as major,
  (extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms`

/** What the server says of itself to one of the two roles. */
const look = (config: Pg.PoolConfig) =>
  Effect.acquireUseRelease(
    Effect.sync(() => new Pg.Client({ ...config, connectionTimeoutMillis: Duration.toMillis(CONNECT_WITHIN) })),
    (client) =>
      Effect.tryPromise(async (): Promise<Seen | undefined> => {
        await client.connect()
        const before = Date.now()
        const { rows } = await client.query<Omit<Seen, "skew_ms"> & { readonly now_ms: number }>(query)
        const here = (before + Date.now()) / 2
        return rows.map(({ now_ms, ...seen }) => ({ ...seen, skew_ms: Math.round(now_ms - here) }))[0]
      }),
    (client) => Effect.promise(() => client.end().catch(() => undefined))
  )

const aboutServer = ({ version, major, skew_ms }: Seen, name: string): ReadonlyArray<Finding> => [
  major >= OLDEST
    ? ok(`database: ${name} ${version} answers`)
    : fail(`database: ${name} ${version} answers`, `PostgreSQL ${OLDEST} or newer is needed`),
  Math.abs(skew_ms) <= MOST_SKEW_MS
    ? ok(`clocks: the database's differs by ${skew_ms} ms`)
    : warn(`clocks: the database's differs by ${skew_ms} ms`, "let both machines follow a time server")
]

const aboutRoles = (app: Seen, owner: Seen): Finding =>
  app.role === owner.role
    ? warn(
        `roles: ${app.role} owns the tables and serves requests`,
        "set DATABASE_MIGRATION_URL to a role of its own, so that the service cannot change its audit log"
      )
    : ok(`roles: ${owner.role} owns the tables, ${app.role} serves requests`)

const aboutSchema = (migrate_on_start: boolean) =>
  Effect.gen(function* () {
    const { pending, label } = yield* Migrator
    const waiting = (yield* pending).map(label).join(", ")
    if (waiting === "") return ok("migrations: all are applied")
    return migrate_on_start
      ? warn(`migrations: pending: ${waiting}`, "the next start applies them, or `tracepipe migrate` does")
      : fail(`migrations: pending: ${waiting}`, "run `tracepipe migrate`, or set MIGRATE_ON_START=true")
  })

const connected = (connections: Connections, migrate_on_start: boolean) =>
  Effect.gen(function* () {
    const [app, owner] = yield* Effect.all([look(connections.app), look(connections.owner)])
    if (app === undefined || owner === undefined) return [fail("database: an empty answer", "is it a PostgreSQL?")]
    const schema = aboutSchema(migrate_on_start).pipe(
      Effect.provide(Migrator.Default.pipe(Layer.provide(ownerClient))),
      Effect.catchAll((error) => Effect.succeed(fail(`migrations: ${reason(error)}`))),
      Effect.provideService(DatabaseConnections, connections)
    )
    const name = connections.bundled ? "bundled PostgreSQL" : "PostgreSQL"
    return [...aboutServer(app, name), aboutRoles(app, owner), yield* schema]
  })

const examined = (values: Values) => {
  const settings = { ...values, database: { ...values.database, connect_timeout: CONNECT_WITHIN } }
  const todo =
    databaseUrl(values) === undefined
      ? undefined
      : "check DATABASE_URL (or DB_HOST and its like) and DATABASE_MIGRATION_URL, and that the server runs"
  return Effect.flatMap(DatabaseConnections, (found) => connected(found, values.database.migrate_on_start)).pipe(
    Effect.provide(DatabaseConnections.layer.pipe(Layer.provide(Layer.succeed(Settings, settings)))),
    Effect.catchAll((error) => Effect.succeed([fail(`database: ${reason(error)}`, todo)]))
  )
}

/** There is no bundled database yet: one is made in a temporary folder, to see whether it runs here. */
const trial = (values: Values) =>
  Effect.acquireUseRelease(
    Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-doctor-"))),
    (data_dir) => examined({ ...values, data: { ...values.data, data_dir } }),
    (folder) => Effect.promise(() => rm(folder, { recursive: true, force: true }))
  ).pipe(
    Effect.map((findings) =>
      findings.flatMap((found) => {
        if (found.status === "fail") return [found]
        return found.what.startsWith("database") ? [ok(`${found.what}; yours will be made by the first start`)] : []
      })
    )
  )

/** Reachable, new enough, two roles, migrated, and of the same time. */
export const checkDatabase = (values: Values, folder_in_use: boolean): Effect.Effect<ReadonlyArray<Finding>> => {
  if (databaseUrl(values) !== undefined) return examined(values)
  if (folder_in_use) {
    return Effect.succeed([ok("database: the bundled one is in use by the running service, and was not looked at")])
  }
  return existsSync(join(values.data.data_dir, "postgres", "data")) ? examined(values) : trial(values)
}
