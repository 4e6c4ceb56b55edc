import { randomBytes } from "node:crypto"
import type { SqlClient } from "@effect/sql"
import { expect, it, layer } from "@effect/vitest"
import { Effect, Layer, Logger } from "effect"
import Pg from "pg"
import { inject } from "vitest"
import * as Database from "../../src/platform/Database.ts"
import { DatabaseConnections } from "../../src/platform/DatabaseConnections.ts"
import { load } from "../../src/platform/MigrationFiles.ts"
import { Migrator } from "../../src/platform/Migrator.ts"
import { Settings } from "../../src/platform/Settings.ts"
import { roles, withDatabase } from "../support/globalSetup.ts"
import { organization } from "../support/Organizations.ts"
import { populate } from "../support/Population.ts"
import { testDatabase } from "../support/TestDatabase.ts"
import { TestServer } from "../support/TestServer.ts"

interface Addresses {
  readonly app: string
  readonly owner: string
}

const silent = Logger.remove(Logger.defaultLogger)

/** Runs the effect with a connection of its own, as one of the two roles. */
const connected = <A>(connectionString: string, use: (client: Pg.Client) => Promise<A>) =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const client = new Pg.Client({ connectionString })
      await client.connect()
      return client
    }),
    (client) => Effect.promise(() => use(client)),
    (client) => Effect.promise(() => client.end())
  )

/** A database of its own for the scope, with nothing in it. */
const emptyDatabase = Effect.gen(function* () {
  const admin = inject("admin")
  const name = `tracepipe_empty_${Bun.randomUUIDv7().replaceAll("-", "")}`
  const administer = (statement: string) => connected(admin, (client) => client.query(statement))
  yield* Effect.acquireRelease(administer(`create database ${name} owner ${roles.owner}`), () =>
    administer(`drop database if exists ${name} with (force)`)
  )
  return {
    app: withDatabase(admin, name, roles.app),
    owner: withDatabase(admin, name, roles.owner)
  } satisfies Addresses
})

const connections = ({ app, owner }: Addresses) =>
  DatabaseConnections.of({
    bundled: false,
    app: { connectionString: app },
    owner: { connectionString: owner },
    app_role: roles.app
  })

/** What a node does as it starts, with a pool of its own. */
const migrating = <A, E>(addresses: Addresses, use: (migrator: Migrator) => Effect.Effect<A, E>) =>
  Effect.flatMap(Migrator, use).pipe(
    Effect.provide(Migrator.Default.pipe(Layer.provideMerge(Database.ownerClient))),
    Effect.provideService(DatabaseConnections, connections(addresses)),
    Effect.provide(silent),
    Effect.scoped
  )

/** The start of a service's database, as configured. */
const started = ({ app, owner }: Addresses, environment: Readonly<Record<string, string>> = {}) =>
  Layer.build(Database.layer).pipe(
    Effect.provide(
      Layer.merge(Settings.layer({ DATABASE_URL: app, DATABASE_MIGRATION_URL: owner, ...environment }), silent)
    ),
    Effect.scoped,
    Effect.asVoid
  )

const parts = {
  columns: `select table_name, column_name, data_type, udt_name, column_default, is_nullable, is_identity, character_maximum_length
    from information_schema.columns where table_schema = 'public'`,
  indexes: "select tablename, indexname, indexdef from pg_indexes where schemaname = 'public'",
  constraints: `select conrelid::regclass::text as table_name, conname, pg_get_constraintdef(oid) as definition
    from pg_constraint where connamespace = 'public'::regnamespace`,
  triggers: `select tgrelid::regclass::text as table_name, tgname, pg_get_triggerdef(oid) as definition
    from pg_trigger where not tgisinternal`,
  functions: `select proname, pg_get_functiondef(oid) as definition from pg_proc where pronamespace = 'public'::regnamespace`,
  views: "select viewname, definition from pg_views where schemaname = 'public'",
  types: `select typname, typtype from pg_type where typnamespace = 'public'::regnamespace and typtype in ('e', 'd')`,
  comments: `select relname, obj_description(oid) as comment from pg_class
    where relnamespace = 'public'::regnamespace and obj_description(oid) is not null`
}

const rights = `select relname, array_agg(right_ order by right_) filter (where has_table_privilege('${roles.app}', c.oid, right_)) as rights
  from pg_class c, unnest(array['select', 'insert', 'update', 'delete', 'truncate', 'references', 'trigger']) as right_
  where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v') group by relname`

type Schema = Readonly<Record<string, ReadonlyArray<string>>>

/** Everything that the migrations made, as text that can be compared. */
const schemaOf = ({ owner }: Addresses, queries: Readonly<Record<string, string>> = parts): Effect.Effect<Schema> =>
  connected(owner, async (client) => {
    const found: Record<string, ReadonlyArray<string>> = {}
    for (const [part, query] of Object.entries(queries)) {
      const { rows } = await client.query(query)
      found[part] = rows
        .map((row) => JSON.stringify(row))
        .filter((row) => !row.includes("schema_migrations"))
        .sort()
    }
    return found
  })

const everything = (addresses: Addresses) => schemaOf(addresses, { ...parts, rights })

const refused = (addresses: Addresses["app"], statement: string) =>
  connected(addresses, async (client) => {
    await client.query("begin")
    const code: unknown = await client.query(statement).then(
      () => "accepted",
      (failure: { readonly code?: string }) => failure.code
    )
    await client.query("rollback")
    return code
  })

const newest = Effect.map(Effect.promise(load), (known) => known.at(-1)?.id ?? 0)

layer(TestServer.layer())("on a database with data", (it) => {
  it.effect("every migration can be undone, one after the other, and all be applied again", () =>
    Effect.gen(function* () {
      yield* populate(yield* organization())
      const { sql } = yield* TestServer
      const [database] = yield* sql<{ name: string }>`select current_database() as name`
      const admin = inject("admin")
      const name = String(database?.name)
      const here = { app: withDatabase(admin, name, roles.app), owner: withDatabase(admin, name, roles.owner) }
      const before = yield* everything(here)
      const known = yield* Effect.promise(load)
      const undone: Array<string> = []
      for (const { id } of known.toReversed()) undone.push(...(yield* migrating(here, ({ down }) => down(id - 1))))
      expect(undone.length).toBe(known.length)
      expect(Object.values(yield* schemaOf(here)).flat()).toEqual([])
      expect(yield* migrating(here, ({ up }) => up)).toEqual(undone.toReversed())
      expect(yield* everything(here)).toEqual(before)
    })
  )
})

it.scoped("what a migration undoes is exactly what it did", () =>
  Effect.gen(function* () {
    const here = yield* emptyDatabase
    const known = yield* Effect.promise(load)
    const apply = (effect: Effect.Effect<unknown, unknown, SqlClient.SqlClient>) =>
      effect.pipe(
        Effect.provide(Database.ownerClient),
        Effect.provideService(DatabaseConnections, connections(here)),
        Effect.orDie
      )
    for (const { id, name, up, down } of known) {
      const before = yield* schemaOf(here)
      yield* apply(up)
      const after = yield* schemaOf(here)
      expect(after, `${id} ${name} does nothing`).not.toEqual(before)
      yield* apply(down)
      expect(yield* schemaOf(here), `down of ${id} ${name}`).toEqual(before)
      yield* apply(up)
      expect(yield* schemaOf(here), `${id} ${name} applied again`).toEqual(after)
    }
  })
)

it.scoped("two nodes that start at once on an empty database apply every migration once", () =>
  Effect.gen(function* () {
    const here = yield* emptyDatabase
    const known = yield* Effect.promise(load)
    const applied = yield* Effect.all([migrating(here, ({ up }) => up), migrating(here, ({ up }) => up)], {
      concurrency: "unbounded"
    })
    expect(applied.flat().length).toBe(known.length)
    const rows = yield* migrating(here, ({ status }) => status)
    expect(rows.map(({ id }) => id)).toEqual(known.map(({ id }) => id))
    expect(rows.every(({ applied_at }) => applied_at !== null)).toBe(true)
    expect(yield* everything(here)).toEqual(yield* everything(yield* testDatabase))
  })
)

it.scoped("capabilities whose properties have names longer than an index's keys are migrated", () =>
  Effect.gen(function* () {
    const here = yield* testDatabase
    yield* migrating(here, ({ down }) => down(22))
    const [org, server] = [Bun.randomUUIDv7(), Bun.randomUUIDv7()]
    const long = randomBytes(2250).toString("base64url")
    yield* connected(here.owner, async (client) => {
      await client.query(`insert into organizations (id, slug, name) values ('${org}', 'long', 'Long')`)
      await client.query(`insert into mcp_servers (id, org_id, name, transport, url, environment)
        values ('${server}', '${org}', 'long', 'streamable-http', 'https://mcp.example/mcp', 'production')`)
      await client.query(
        `insert into capabilities (id, org_id, server_id, kind, name, description, input_schema, source, definition_hash)
          values ($1, $2, $3, 'tool', 'long', '', $4, 'manual', $5)`,
        [Bun.randomUUIDv7(), org, server, JSON.stringify({ properties: { [long]: {}, short: {} } }), "0".repeat(64)]
      )
    })
    yield* migrating(here, ({ up }) => up)
    const { rows } = yield* connected(here.app, (client) => client.query("select properties from capabilities"))
    expect(rows).toEqual([{ properties: ["short"] }])
  })
)

it.scoped("a table that a kill left without rights gets them at the next start", () =>
  Effect.gen(function* () {
    const here = yield* testDatabase
    const before = yield* everything(here)
    yield* connected(here.owner, (client) => client.query(`revoke all on suites from ${roles.app}`))
    expect(yield* refused(here.app, "select from suites")).toBe("42501")
    yield* started(here)
    expect(yield* everything(here)).toEqual(before)
  })
)

it.scoped("MIGRATE_ON_START=false refuses a database that is behind, and leaves it so", () =>
  Effect.gen(function* () {
    const here = yield* testDatabase
    const last = yield* newest
    yield* migrating(here, ({ down }) => down(last - 1))
    const before = yield* everything(here)
    const failure = yield* Effect.flip(started(here, { MIGRATE_ON_START: "false" }))
    expect(failure._tag).toBe("SchemaMismatch")
    expect(failure.message).toMatch(new RegExp(`behind by 0*${last}_\\w+: run \`tracepipe migrate\``))
    expect(yield* everything(here)).toEqual(before)
    yield* started(here)
    yield* started(here, { MIGRATE_ON_START: "false" })
    expect(yield* everything(here)).not.toEqual(before)
  })
)

it.scoped("a database of a newer version is refused in every direction", () =>
  Effect.gen(function* () {
    const here = yield* testDatabase
    const before = yield* everything(here)
    yield* connected(here.owner, (client) =>
      client.query("insert into schema_migrations (id, name) values (9999, 'from_the_future')")
    )
    const attempts = [
      started(here),
      started(here, { MIGRATE_ON_START: "false" }),
      migrating(here, ({ up }) => up),
      migrating(here, ({ down }) => down(0)),
      migrating(here, ({ status }) => status)
    ]
    for (const attempt of attempts) {
      const failure = yield* Effect.flip(Effect.asVoid(attempt))
      expect(failure).toMatchObject({ _tag: "SchemaMismatch" })
      expect(String(failure.message)).toMatch(/has migration 9999_from_the_future, which this version does not know/)
    }
    expect(yield* everything(here)).toEqual(before)
  })
)

const tablesOf = ({ owner }: Addresses) =>
  connected(owner, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = 'public'"
    )
    return rows.map(({ name }) => name)
  })

it.scoped("a migration that fails leaves nothing of itself, and is named", () =>
  Effect.gen(function* () {
    const here = yield* testDatabase
    const all = yield* tablesOf(here)
    let undone = yield* newest
    let gone: ReadonlyArray<string> = []
    // The newest migration that makes tables: one of them finds its name taken.
    while (gone.length === 0) {
      undone -= 1
      const to = undone
      yield* migrating(here, ({ down }) => down(to))
      const left = yield* tablesOf(here)
      gone = all.filter((name) => !left.includes(name))
    }
    const taken = gone.at(-1) ?? ""
    yield* connected(here.owner, (client) => client.query(`create view ${taken} as select 1 as one`))
    const before = yield* everything(here)
    const failure = yield* Effect.flip(migrating(here, ({ up }) => up))
    expect(failure._tag).toBe("MigrationFailed")
    expect(failure.message).toMatch(new RegExp(`^migration 0*${undone + 1}_\\w+ failed and was rolled back: `))
    expect(yield* everything(here)).toEqual(before)
    yield* connected(here.owner, (client) => client.query(`drop view ${taken}`))
    yield* migrating(here, ({ up }) => up)
    expect((yield* tablesOf(here)).sort()).toEqual(all.sort())
  })
)

it.scoped("the audit log can be added to and read, and nobody rewrites it", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const entry = `insert into audit_entries (id, org_id, actor, action, resource, request_id)
      values ('${Bun.randomUUIDv7()}', '${Bun.randomUUIDv7()}', 'user/1', 'suite.create', 'suite/1', 'r')`
    yield* connected(app, (client) => client.query(entry))
    for (const table of ["audit_entries", "audit_entries_default"]) {
      for (const statement of [
        `update ${table} set actor = 'nobody'`,
        `update ${table} set actor = 'nobody' where false`,
        `delete from ${table}`,
        `truncate ${table}`,
        `merge into ${table} t using (select 1) s on true when matched then delete`
      ]) {
        expect(yield* refused(app, statement), `the application: ${statement}`).toBe("42501")
        expect(yield* refused(owner, statement), `the owner: ${statement}`).toBe("42501")
      }
    }
    expect(
      yield* refused(
        owner,
        "insert into audit_entries select * from audit_entries on conflict (id, at) do update set actor = 'x'"
      )
    ).toBe("42501")
    // What protects it from its owner is the trigger, which nobody drops by accident.
    expect(
      yield* refused(owner, "drop trigger append_only on audit_entries_default; delete from audit_entries_default")
    ).toBe("accepted")
    for (const statement of [
      "drop trigger append_only on audit_entries",
      "alter table audit_entries disable trigger all"
    ]) {
      expect(yield* refused(app, statement), statement).toBe("42501")
    }
    const { rows } = yield* connected(app, (client) => client.query("select actor from audit_entries"))
    expect(rows).toEqual([{ actor: "user/1" }])
  })
)

it.scoped("the application's role reads and writes rows, and cannot touch the schema", () =>
  Effect.gen(function* () {
    const { app } = yield* testDatabase
    for (const statement of [
      "create table mine (id integer)",
      "create view mine as select 1",
      "create function mine() returns integer language sql as 'select 1'",
      "create schema mine",
      "drop table suites",
      "drop table sessions cascade",
      "alter table suites add column mine integer",
      "alter table suites disable trigger all",
      "create index mine on suites (version)",
      "drop index suites_org_created",
      "truncate suites cascade",
      "comment on table audit_entries is null",
      "insert into schema_migrations (id, name) values (9999, 'mine')",
      "delete from schema_migrations",
      `set role ${roles.owner}`,
      "alter role current_user superuser",
      "copy suites to '/tmp/suites'"
    ]) {
      expect(yield* refused(app, statement), statement).toBe("42501")
    }
    for (const statement of ["select from suites", "update suites set version = ''", "delete from suites"]) {
      expect(yield* refused(app, statement), statement).toBe("accepted")
    }
  })
)
