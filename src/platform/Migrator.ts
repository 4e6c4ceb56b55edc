import { SqlClient, type SqlError } from "@effect/sql"
import { Effect, Schema } from "effect"
import { DatabaseConnections } from "./DatabaseConnections.ts"
import { load, type NumberedMigration } from "./MigrationFiles.ts"

/** A migration failed; its transaction was rolled back and nothing of it remains. */
export class MigrationFailed extends Schema.TaggedError<MigrationFailed>("platform/MigrationFailed")(
  "MigrationFailed",
  {
    migration: Schema.String,
    cause: Schema.Defect
  }
) {
  override get message() {
    return `migration ${this.migration} failed and was rolled back: ${String(this.cause)}`
  }
}

/** The schema is not the one that this version of the service needs. */
export class SchemaMismatch extends Schema.TaggedError<SchemaMismatch>("platform/SchemaMismatch")("SchemaMismatch", {
  detail: Schema.String
}) {
  override get message() {
    return this.detail
  }
}

export interface MigrationStatus {
  readonly id: number
  readonly name: string
  readonly applied_at: string | null
}

// Any fixed number will do, as long as no other part of the service takes the same one.
const lock = 7_203_114_001

const label = (migration: { readonly id: number; readonly name: string }) =>
  `${String(migration.id).padStart(4, "0")}_${migration.name}`

/**
 * Applies and undoes the numbered migrations, each in a transaction of its own under one lock, so
 * that any number of nodes may start at once. Runs as the role that owns the tables.
 */
export class Migrator extends Effect.Service<Migrator>()("platform/Migrator", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const { app_role } = yield* DatabaseConnections
    const known = yield* Effect.promise(load)

    const table = sql`create table if not exists schema_migrations (
      id integer primary key, name text not null, applied_at timestamptz not null default now())`

    /** Runs the effect in a transaction that no other migrator can interleave with. */
    const locked = <A, E>(effect: Effect.Effect<A, E, SqlClient.SqlClient>) =>
      sql
        .withTransaction(
          Effect.zipRight(
            // The lock waits for another node's migration, which may take longer than a statement may.
            Effect.zipRight(sql`set local statement_timeout = 0`, sql`select pg_advisory_xact_lock(${lock})`),
            effect
          )
        )
        .pipe(Effect.provideService(SqlClient.SqlClient, sql))

    const applied = sql<{ id: number; name: string; applied_at: string }>`select * from schema_migrations order by id`

    const status: Effect.Effect<ReadonlyArray<MigrationStatus>, SqlError.SqlError | SchemaMismatch> = Effect.gen(
      function* () {
        const [found] = yield* sql<{ found: boolean }>`select to_regclass('schema_migrations') is not null as found`
        const rows = found?.found ? yield* applied : []
        const unknown = rows.find((row) => !known.some(({ id }) => id === row.id))
        if (unknown !== undefined) {
          return yield* new SchemaMismatch({
            detail: `the database has migration ${label(unknown)}, which this version does not know: start a newer version, or undo it with that version's \`migrate --down\``
          })
        }
        return known.map(({ id, name }) => ({
          id,
          name,
          applied_at: rows.find((row) => row.id === id)?.applied_at ?? null
        }))
      }
    )

    const step = (migration: NumberedMigration, direction: "up" | "down") =>
      locked(
        Effect.gen(function* () {
          const [row] = yield* sql`select 1 from schema_migrations where id = ${migration.id}`
          if ((row !== undefined) === (direction === "up")) return false
          yield* direction === "up" ? migration.up : migration.down
          yield* direction === "up"
            ? sql`insert into schema_migrations (id, name) values (${migration.id}, ${migration.name})`
            : sql`delete from schema_migrations where id = ${migration.id}`
          yield* Effect.logInfo(`migration ${label(migration)} ${direction === "up" ? "applied" : "undone"}`)
          return true
        })
      ).pipe(Effect.mapError((cause) => new MigrationFailed({ migration: label(migration), cause })))

    /**
     * Gives the application's role what it needs and no more: tables whose comment begins with
     * `append-only` can be read and added to, never changed.
     */
    const grants = (changed: boolean) =>
      locked(
        Effect.gen(function* () {
          const [owner] = yield* sql<{ role: string }>`select current_user as role`
          if (owner?.role === app_role) return
          // A table without rights is what a kill between a migration and its grants leaves behind.
          const [granted] = yield* sql<{ done: boolean }>`
          select not exists (select from pg_class c where c.relnamespace = 'public'::regnamespace
            and c.relkind in ('r', 'p', 'v') and c.relowner = current_user::regrole
            and not has_table_privilege(${app_role}, c.oid, 'select')) as done`
          if (granted?.done && !changed) return
          yield* sql`grant usage on schema public to ${sql(app_role)}`
          const tables = yield* sql<{ name: string; append_only: boolean }>`
          select c.relname as name, coalesce(obj_description(c.oid) like 'append-only%', false) as append_only
          from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
            and c.relowner = current_user::regrole`
          for (const { name, append_only } of tables) {
            yield* append_only || name === "schema_migrations"
              ? sql`revoke update, delete, truncate on ${sql(name)} from ${sql(app_role)}`
              : sql`grant update, delete on ${sql(name)} to ${sql(app_role)}`
            yield* name === "schema_migrations"
              ? sql`grant select on ${sql(name)} to ${sql(app_role)}`
              : sql`grant select, insert on ${sql(name)} to ${sql(app_role)}`
          }
        })
      )

    const pending = Effect.map(status, (all) => all.filter(({ applied_at }) => applied_at === null))

    /** Applies what is pending, in order. Answers the names of those that it applied. */
    const up = Effect.fn("Migrator.up")(function* () {
      yield* status
      yield* locked(table)
      const names: Array<string> = []
      for (const migration of known) if (yield* step(migration, "up")) names.push(label(migration))
      yield* grants(names.length > 0)
      return names
    })

    /** Undoes every migration above `to`, newest first. Answers the names of those that it undid. */
    const down = Effect.fn("Migrator.down")(function* (to: number) {
      yield* status
      yield* locked(table)
      const names: Array<string> = []
      for (const migration of known.toReversed().filter(({ id }) => id > to)) {
        if (yield* step(migration, "down")) names.push(label(migration))
      }
      return names
    })

    const assertCurrent = Effect.gen(function* () {
      const behind = yield* pending
      if (behind.length === 0) return
      return yield* new SchemaMismatch({
        detail: `the database is behind by ${behind.map(label).join(", ")}: run \`tracepipe migrate\`, or set MIGRATE_ON_START=true`
      })
    })

    return { status, pending, up: up(), down, assertCurrent, label } as const
  })
}) {}
