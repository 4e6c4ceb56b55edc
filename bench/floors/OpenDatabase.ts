// The floor of `cold-start`: the bundled PostgreSQL, one query, one socket. `bun bench/floors/OpenDatabase.ts {"port":…,"folder":…}`
import { Effect, Redacted } from "effect"
import Pg from "pg"
import * as BundledPostgres from "../../src/platform/BundledPostgres.ts"

const { port, folder }: { readonly port: number; readonly folder: string } = JSON.parse(process.argv[2] ?? "{}")

const program = Effect.gen(function* () {
  const { app, host, port: database_port, database } = yield* BundledPostgres.start(folder)
  const client = new Pg.Client({
    host,
    port: database_port,
    database,
    user: app.username,
    password: Redacted.value(app.password)
  })
  yield* Effect.promise(() => client.connect().then(() => client.query("select 1")))
  Bun.serve({ hostname: "127.0.0.1", port, fetch: () => new Response("ok") })
  return yield* Effect.never
})

const ended = new AbortController()
process.on("SIGTERM", () => ended.abort())
await Effect.runPromiseExit(Effect.scoped(program), { signal: ended.signal })
process.exit()
