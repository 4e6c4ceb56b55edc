import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { testDatabase } from "../support/TestDatabase.ts"
import { folder, run, serve } from "./Tracepipe.ts"

it.effect("every configuration error is in one message, and each names its variable", () =>
  Effect.gen(function* () {
    const { code, stdout, stderr } = yield* run(["serve"], {
      PORT: "eighty",
      MAX_SESSION_BYTES: "lots",
      SHUTDOWN_TIMEOUT: "soon"
    })
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    const [first, ...problems] = stderr.trimEnd().split("\n")
    expect(first).toBe("tracepipe: the configuration is not valid:")
    expect(problems).toHaveLength(3)
    for (const name of ["PORT", "MAX_SESSION_BYTES", "SHUTDOWN_TIMEOUT"]) expect(stderr).toContain(`${name}: expected`)
  })
)

it.scoped("a variable that is none of ours gets a warning, SIGTERM ends with 0", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const { child, stderr } = yield* serve({ DATABASE_URL: app, DATABASE_MIGRATION_URL: owner, S3_BUKET: "x" })
    child.kill("SIGTERM")
    expect(yield* Effect.promise(() => child.exited)).toBe(0)
    expect(yield* Effect.promise(() => stderr)).toContain("S3_BUKET is set and is no variable of this service")
  })
)

it.scoped("a port in use is one line, with no trace of the inside", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const environment = {
      DATABASE_URL: app,
      DATABASE_MIGRATION_URL: owner,
      // Two processes over one database share its secrets.
      API_KEY_ENCRYPTION_KEY: "00".repeat(32)
    }
    const { base_url } = yield* serve(environment)
    const { port } = new URL(base_url)
    const { code, stderr } = yield* run(["serve"], { ...environment, PORT: port })
    expect(code).toBe(1)
    expect(stderr).toMatch(new RegExp(`^tracepipe: cannot listen on 127\\.0\\.0\\.1:${port}.*PORT.*\n$`))
  })
)

it.scoped("a data folder in use, and its bundled database, are told to whoever wants them too", () =>
  Effect.gen(function* () {
    const DATA_DIR = join(yield* folder, "data")
    const { child } = yield* serve({ DATA_DIR })
    for (const args of [["serve"], ["keys", "recover"], ["migrate", "--status"]]) {
      const { code, stderr } = yield* run(args, { DATA_DIR, PORT: "0" })
      expect(code).toBe(1)
      expect(stderr).toMatch(
        new RegExp(`^tracepipe: the data folder ${DATA_DIR} is in use by process ${child.pid}.*\n$`)
      )
    }
    const { code, stdout } = yield* run(["doctor"], { DATA_DIR })
    expect(code).toBe(0)
    expect(stdout).toContain(`is in use by a running service (process ${child.pid})`)
    expect(stdout).toContain("the bundled one is in use by the running service")
    child.kill("SIGINT")
    expect(yield* Effect.promise(() => child.exited)).toBe(0)
  })
)

it.effect("a database that does not answer is told with what to check", () =>
  Effect.gen(function* () {
    const { code, stderr } = yield* run(["serve"], {
      DATABASE_URL: "postgres://tracepipe@127.0.0.1:1/tracepipe",
      DATABASE_CONNECT_TIMEOUT: "100 ms",
      LOG_LEVEL: "NONE"
    })
    expect(code).toBe(1)
    expect(stderr).toMatch(/^tracepipe: the database does not answer: .*ECONNREFUSED.*DATABASE_URL.*\n$/)
  })
)
