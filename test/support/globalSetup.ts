import { mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, Exit, Layer, Logger, Scope } from "effect"
import Pg from "pg"
import type { TestProject } from "vitest/node"
import * as BundledPostgres from "../../src/platform/BundledPostgres.ts"
import { ownerClient } from "../../src/platform/Database.ts"
import { DatabaseConnections } from "../../src/platform/DatabaseConnections.ts"
import { Migrator } from "../../src/platform/Migrator.ts"

declare module "vitest" {
  interface ProvidedContext {
    /** A superuser's connection to the server that the tests clone their databases on. */
    readonly admin: string
    /** The migrated database that is cloned. */
    readonly template: string
  }
}

export const roles = { owner: "tracepipe_test_owner", app: "tracepipe_test_app", password: "only-for-tests" }

/** The server of TEST_DATABASE_URL (as a superuser), or the bundled one in a folder of its own. */
const adminUrl = async (scope: Scope.Scope): Promise<string> => {
  const given = process.env["TEST_DATABASE_URL"]
  if (given !== undefined && given !== "") return given
  const folder = await mkdtemp(join(tmpdir(), "tracepipe-test-"))
  const started = BundledPostgres.start(folder).pipe(Effect.provideService(Scope.Scope, scope))
  const { host, port } = await Effect.runPromise(started.pipe(Effect.provide(Logger.remove(Logger.defaultLogger))))
  await Effect.runPromise(
    Scope.addFinalizer(
      scope,
      Effect.promise(() => rm(folder, { recursive: true, force: true }))
    )
  )
  const credentials: { readonly postgres: string } = JSON.parse(
    await readFile(join(folder, "postgres", "credentials.json"), "utf8")
  )
  return `postgres://postgres:${encodeURIComponent(credentials.postgres)}@/postgres?host=${encodeURIComponent(host)}&port=${port}`
}

export const withDatabase = (url: string, database: string, role?: string): string =>
  url
    .replace(/^(postgres(?:ql)?:\/\/)[^@]*@/, role === undefined ? "$&" : `$1${role}:${roles.password}@`)
    .replace(/\/[^/?]*(\?|$)/, `/${database}$1`)

/** One migrated template for the whole run; every test file clones it. */
export default async function setup(project: TestProject) {
  const scope = Effect.runSync(Scope.make())
  const admin = await adminUrl(scope)
  const template = `tracepipe_template_${process.pid}`
  const client = new Pg.Client({ connectionString: admin })
  await client.connect()
  for (const role of [roles.owner, roles.app]) {
    await client.query(
      `do $$ begin create role ${role} login password '${roles.password}'; exception when duplicate_object then null; end $$`
    )
  }
  await client.query(`create database ${template} owner ${roles.owner}`)
  const connections = DatabaseConnections.of({
    bundled: false,
    app: { connectionString: withDatabase(admin, template, roles.app) },
    owner: { connectionString: withDatabase(admin, template, roles.owner) },
    app_role: roles.app
  })
  const migrated = Effect.flatMap(Migrator, (migrator) => migrator.up).pipe(
    Effect.provide(Migrator.Default.pipe(Layer.provide(ownerClient))),
    Effect.provideService(DatabaseConnections, connections),
    Effect.provide(Logger.remove(Logger.defaultLogger))
  )
  await Effect.runPromise(Effect.scoped(migrated))
  project.provide("admin", admin)
  project.provide("template", template)
  return async () => {
    await client.query(`drop database if exists ${template} with (force)`)
    await client.end()
    await Effect.runPromise(Scope.close(scope, Exit.void))
  }
}
