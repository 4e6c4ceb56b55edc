import { closeSync, openSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { eventually } from "./Eventually.ts"
import { type TestDatabase, testDatabase } from "./TestDatabase.ts"
import { unlimited } from "./Unlimited.ts"
import type { Target } from "./Uploading.ts"

/** The service in a process of its own, which can be killed and started again over the same data. */
export interface ChildService extends Target {
  readonly data_dir: string
  readonly database: TestDatabase
  readonly pid: () => number
  /** Sends a signal and waits for the end; answers the exit code. */
  readonly end: (signal: "SIGKILL" | "SIGTERM") => Effect.Effect<number>
  /** Starts again after an end, and waits until it is ready. */
  readonly start: Effect.Effect<void>
  /** What the service printed. */
  readonly log: Effect.Effect<string>
}

export const main = new URL("../../src/main.ts", import.meta.url).pathname

const freePort = async () => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() })
  const { port } = server
  await server.stop(true)
  return port ?? 0
}

/** Nothing of the shell's: a DATABASE_URL or an S3_BUCKET there would change what is tested. */
const inherited = ["PATH", "HOME", "TMPDIR"].flatMap((name) => {
  const value = process.env[name]
  return value === undefined ? [] : [[name, value] as const]
})

export interface ChildOptions {
  /** The script and its arguments. */
  readonly command?: ReadonlyArray<string>
  readonly environment?: Readonly<Record<string, string>>
  /** The database's address for the service, where it is not the direct one. */
  readonly address?: (database: TestDatabase) => Effect.Effect<string, never, Scope.Scope>
  /** Another service, whose database and first key this one has too. */
  readonly beside?: Pick<ChildService, "database" | "api_key">
}

const isReady = (base_url: string) =>
  Effect.promise(() =>
    fetch(`${base_url}/ready`).then(
      (response) => response.body?.cancel().then(() => response.status === 200) ?? false,
      () => false
    )
  )

/** A service with a database and a data folder of its own, ended with the scope. */
export const childService = ({ command = [main, "serve"], environment = {}, address, beside }: ChildOptions) =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-child-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    const database = beside?.database ?? (yield* testDatabase)
    const data_dir = join(folder, "data")
    const log = join(folder, "log")
    const port = yield* Effect.promise(freePort)
    const base_url = `http://127.0.0.1:${port}`
    const api_key = beside?.api_key ?? KeyFormat.make()
    const env = {
      ...Object.fromEntries(inherited),
      DATABASE_URL: address === undefined ? database.app : yield* address(database),
      DATABASE_MIGRATION_URL: database.owner,
      DATA_DIR: data_dir,
      PORT: String(port),
      BOOTSTRAP_API_KEY: api_key,
      LOG_FORMAT: "json",
      API_KEY_ENCRYPTION_KEY: "00".repeat(32),
      ...unlimited,
      ...environment
    }
    let child: Bun.Subprocess | undefined

    const end = (signal: "SIGKILL" | "SIGTERM") =>
      Effect.promise(async () => {
        child?.kill(signal)
        return (await child?.exited) ?? 0
      })
    const start = Effect.gen(function* () {
      const output = openSync(log, "a")
      child = Bun.spawn([process.execPath, ...command], { env, stdio: ["ignore", output, output] })
      closeSync(output)
      const isUp = yield* eventually(isReady(base_url), (ready) => ready || child?.exitCode !== null, 60_000)
      if (!isUp) throw new Error(`the service did not start: ${(yield* read).slice(-2000)}`)
    })
    const read = Effect.promise(() => Bun.file(log).text())

    yield* Effect.addFinalizer(() => end("SIGKILL"))
    yield* start
    return {
      base_url,
      api_key,
      data_dir,
      database,
      pid: () => child?.pid ?? 0,
      end,
      start,
      log: read
    } satisfies ChildService
  })
