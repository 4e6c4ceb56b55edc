import { mkdir } from "node:fs/promises"
import { join, resolve } from "node:path"
import { Deferred, Effect, type Redacted, Schedule } from "effect"
import { attempt, type BundledPostgresError } from "./postgres/BundledPostgresError.ts"
import { PORT, startServer } from "./postgres/Server.ts"
import { serverBinaries } from "./postgres/ServerBinaries.ts"
import { serverCredentials } from "./postgres/ServerCredentials.ts"
import * as ServerFolder from "./postgres/ServerFolder.ts"
import { openLog } from "./postgres/ServerProgram.ts"
import { DATABASE } from "./postgres/ServerRoles.ts"
import { giveTo, serverUser } from "./postgres/ServerUser.ts"

interface BundledLogin {
  readonly username: string
  readonly password: Redacted.Redacted
}

/** What `pg` needs to connect: `host` is the folder of a Unix socket. */
export interface BundledConnection {
  readonly host: string
  readonly port: number
  readonly database: string
  /** Owns the tables; for migrations. */
  readonly owner: BundledLogin
  /** Changes no table; for everything else. */
  readonly app: BundledLogin
}

const backoff = Schedule.exponential("100 millis").pipe(
  Schedule.union(Schedule.spaced("10 seconds")),
  Schedule.resetAfter("1 minute")
)

/** Returns when the server is up for the first time, and starts it again whenever it ends before the scope does. */
const supervise = Effect.fnUntraced(function* (server: ReturnType<typeof startServer>) {
  const first = yield* Deferred.make<void, BundledPostgresError>()
  const life = Effect.scoped(
    Effect.gen(function* () {
      const program = yield* server
      if (!(yield* Deferred.succeed(first, undefined))) yield* Effect.logInfo("the bundled PostgreSQL is up again")
      yield* program.exited
      return yield* program.complaint("stay up")
    })
  )
  const mayTryAgain = Effect.fnUntraced(function* (error: BundledPostgresError) {
    // A start that never succeeded is the caller's failure, not to be repeated here.
    if (yield* Deferred.fail(first, error)) return false
    yield* Effect.logError(error.message)
    return true
  })
  yield* life.pipe(
    Effect.tapDefect((cause) => Deferred.failCause(first, cause)),
    Effect.retry({ schedule: backoff, while: mayTryAgain }),
    Effect.forkScoped
  )
  yield* Deferred.await(first)
})

/**
 * Starts the PostgreSQL that comes with Tracepipe on `${data_dir}/postgres`, the first time after
 * making it, and returns when it answers. The scope owns the server: it is started again when it
 * dies and stopped when the scope closes. The caller holds the lock of the data folder.
 */
export const start = Effect.fn("BundledPostgres.start")(function* (data_dir: string) {
  const home = join(resolve(data_dir), "postgres")
  const folder = join(home, "data")
  yield* attempt("make its folder", () => mkdir(home, { recursive: true, mode: 0o700 }))
  const user = yield* serverUser(folder)
  const host = { user, binaries: yield* serverBinaries(user), log: yield* openLog(join(home, "server.log")) }

  const made = yield* ServerFolder.exists(folder)
  const credentials = yield* serverCredentials(join(home, "credentials.json"), !made)
  if (!made) yield* ServerFolder.make(host, folder, credentials.postgres)
  yield* giveTo(user, folder)
  yield* supervise(startServer(host, folder, credentials))

  const connection: BundledConnection = {
    host: folder,
    port: PORT,
    database: DATABASE,
    owner: { username: "tracepipe_owner", password: credentials.tracepipe_owner },
    app: { username: "tracepipe_app", password: credentials.tracepipe_app }
  }
  return connection
})
