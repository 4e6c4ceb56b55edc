import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect, Redacted, Schedule } from "effect"
import Pg from "pg"
import * as BundledPostgres from "../../src/platform/BundledPostgres.ts"

const FIXTURE = join(import.meta.dirname, "BundledPostgres.fixture.ts")
const ORDINARY = 12345
const as_root = process.getuid?.() === 0

const temporaryFolder = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "tracepipe-test-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const until = <A>(what: string, found: () => A | undefined | false) =>
  Effect.sync(found).pipe(
    Effect.filterOrFail((value): value is Exclude<A, false | undefined> => value !== undefined && value !== false),
    Effect.retry(Schedule.spaced("5 millis")),
    Effect.timeoutFail({ duration: "20 seconds", onTimeout: () => new Error(`never: ${what}`) }),
    Effect.orDie
  )

/** Every process that works in the database of this data folder. */
const serversOf = (data_dir: string) => {
  const here = statSync(join(data_dir, "postgres/data"), { throwIfNoEntry: false })
  if (here === undefined) return []
  return readdirSync("/proc").filter((pid) => {
    if (!/^\d+$/.test(pid)) return false
    try {
      return statSync(`/proc/${pid}/cwd`).ino === here.ino
    } catch {
      return false
    }
  })
}

const postmaster = (data_dir: string) => {
  const file = join(data_dir, "postgres/data/postmaster.pid")
  return existsSync(file) ? Number.parseInt(readFileSync(file, "utf8"), 10) : undefined
}

const ask = (
  connection: BundledPostgres.BundledConnection,
  role: "owner" | "app",
  ...statements: ReadonlyArray<string>
) =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const { host, port, database } = connection
      const { username, password } = connection[role]
      const client = new Pg.Client({ host, port, database, user: username, password: Redacted.value(password) })
      client.on("error", () => undefined)
      await client.connect()
      return client
    }),
    (client) =>
      Effect.tryPromise(async () => {
        let rows: ReadonlyArray<Record<string, unknown>> = []
        for (const statement of statements) rows = (await client.query(statement)).rows
        return rows
      }).pipe(Effect.mapError((error) => String(error.cause))),
    (client) => Effect.promise(() => client.end())
  )

/** The connection to a server that another process started. */
const connectionTo = (data_dir: string): BundledPostgres.BundledConnection => {
  const home = join(data_dir, "postgres")
  const passwords = JSON.parse(readFileSync(join(home, "credentials.json"), "utf8"))
  const login = (username: string) => ({ username, password: Redacted.make(String(passwords[username])) })
  return {
    host: join(home, "data"),
    port: 5432,
    database: "tracepipe",
    owner: login("tracepipe_owner"),
    app: login("tracepipe_app")
  }
}

/** The fixture as a process of its own, killed at the latest with the scope. */
const launch = (data_dir: string, options: { readonly env?: Record<string, string>; readonly uid?: number } = {}) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      Bun.spawn([process.execPath, FIXTURE, data_dir], {
        stdout: "pipe",
        stderr: "pipe",
        env: { ...process.env, ...options.env },
        ...(options.uid === undefined ? {} : { uid: options.uid, gid: options.uid })
      })
    ),
    (child) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await child.exited
      }).pipe(
        // What has no parent to die with would outlive the test.
        Effect.zipRight(
          Effect.sync(() => serversOf(data_dir).forEach((pid) => void Bun.spawnSync(["kill", "-QUIT", pid])))
        )
      )
  )

const ready = (child: { readonly stdout: ReadableStream<Uint8Array>; readonly stderr: ReadableStream<Uint8Array> }) =>
  Effect.promise(async () => {
    const said = await child.stdout.getReader().read()
    if (said.done) throw new Error(await new Response(child.stderr).text())
  })

const killed = (child: Bun.Subprocess) =>
  Effect.promise(() => {
    child.kill("SIGKILL")
    return child.exited
  })

const notes =
  "create table notes (note text); insert into notes values ('kept'); grant select on notes to tracepipe_app"

it.scopedLive("the first start makes a database, its owner and a role for the application without DDL", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    const connection = yield* BundledPostgres.start(data_dir)

    yield* ask(connection, "owner", notes, "create extension pg_trgm", "create extension pgcrypto")
    expect(yield* ask(connection, "app", "select note from notes")).toEqual([{ note: "kept" }])
    for (const denied of ["create table t ()", "create temp table t ()", "create schema s", "drop table notes"])
      expect(yield* Effect.flip(ask(connection, "app", denied))).toMatch(/permission denied|must be owner/)

    // Letters beyond ASCII count as letters in searches, and the server is durable.
    expect(yield* ask(connection, "app", "select 'ÉÈ' ilike 'éè' as cased, similarity('éèà', 'éèà') as alike")).toEqual(
      [{ cased: true, alike: 1 }]
    )
    for (const setting of ["fsync", "synchronous_commit", "data_checksums"])
      expect(yield* ask(connection, "app", `select current_setting('${setting}') as value`)).toEqual([{ value: "on" }])
    expect(statSync(join(data_dir, "postgres/credentials.json")).mode & 0o777).toBe(0o600)
  })
)

it.scopedLive("no password, no entry", () =>
  Effect.gen(function* () {
    const connection = yield* BundledPostgres.start(yield* temporaryFolder)
    const { host, port, database } = connection
    const login = Effect.tryPromise(() =>
      new Pg.Client({ host, port, database, user: "postgres", password: "" }).connect()
    )
    expect(String((yield* Effect.flip(login)).cause)).toMatch(/password/)
  })
)

it.scopedLive("a second start keeps the data, and a closed scope leaves no process", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    const first = yield* Effect.scoped(
      BundledPostgres.start(data_dir).pipe(Effect.tap((connection) => ask(connection, "owner", notes)))
    )
    expect(serversOf(data_dir)).toEqual([])
    const second = yield* BundledPostgres.start(data_dir)
    expect(second).toEqual(first)
    expect(yield* ask(second, "app", "select note from notes")).toEqual([{ note: "kept" }])
  })
)

it.scopedLive("after kill -9 the server goes with its parent, and the next start has every commit", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    const parent = yield* launch(data_dir)
    yield* ready(parent)
    yield* ask(connectionTo(data_dir), "owner", notes)
    yield* killed(parent)
    const connection = yield* BundledPostgres.start(data_dir)
    expect(yield* ask(connection, "app", "select note from notes")).toEqual([{ note: "kept" }])
  })
)

it.scopedLive("a server that outlived its parent is ended by the next start", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    const parent = yield* launch(data_dir, { env: { PATH: "/without-setpriv" } })
    yield* ready(parent)
    yield* ask(connectionTo(data_dir), "owner", notes)
    const orphan = postmaster(data_dir)
    yield* killed(parent)
    expect(serversOf(data_dir)).toContain(String(orphan))

    const connection = yield* BundledPostgres.start(data_dir)
    expect(serversOf(data_dir)).not.toContain(String(orphan))
    expect(yield* ask(connection, "app", "select note from notes")).toEqual([{ note: "kept" }])
  })
)

for (const moment of ["credentials.json", "data.new-", "data", "data/.s.PGSQL.5432"])
  it.scopedLive(`a first start that is killed when ${moment} appears is made good by the next one`, () =>
    Effect.gen(function* () {
      const data_dir = yield* temporaryFolder
      const parent = yield* launch(data_dir)
      const home = join(data_dir, "postgres")
      const names = () => (existsSync(home) ? readdirSync(home) : [])
      yield* until(
        moment,
        () =>
          existsSync(join(home, moment)) ||
          names().some((name) => name === moment || (moment.endsWith("-") && name.startsWith(moment)))
      )
      yield* killed(parent)

      const connection = yield* BundledPostgres.start(data_dir)
      yield* ask(connection, "owner", notes)
      expect(yield* ask(connection, "app", "select note from notes")).toEqual([{ note: "kept" }])
      expect(names().sort()).toEqual(["credentials.json", "data", "server.log"])
    })
  )

it.scopedLive("a postmaster that is killed is started again", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    const connection = yield* BundledPostgres.start(data_dir)
    yield* ask(connection, "owner", notes)
    for (const _ of [1, 2, 3]) {
      const before = postmaster(data_dir)
      if (before !== undefined) process.kill(before, "SIGKILL")
      yield* until("a new postmaster", () => postmaster(data_dir) !== before)
      const kept = ask(connection, "app", "select note from notes")
      expect(
        yield* kept.pipe(Effect.sandbox, Effect.retry(Schedule.spaced("10 millis")), Effect.timeout("20 seconds"))
      ).toEqual([{ note: "kept" }])
    }
  })
)

it.scopedLive("a stranger with the pid of a server that died stops nothing and is left alone", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    yield* Effect.scoped(BundledPostgres.start(data_dir))
    const owner = statSync(join(data_dir, "postgres/data"))
    const stranger = yield* Effect.acquireRelease(
      Effect.sync(() => Bun.spawn(["sleep", "600"], as_root ? { uid: owner.uid, gid: owner.gid } : {})),
      killed
    )
    for (const lock of ["postmaster.pid", ".s.PGSQL.5432.lock"]) {
      const file = join(data_dir, "postgres/data", lock)
      writeFileSync(file, `${stranger.pid}\n${join(data_dir, "postgres/data")}\n1\n5432\n.\n\n`)
      chownSync(file, owner.uid, owner.gid)
    }
    yield* BundledPostgres.start(data_dir)
    expect(stranger.exitCode).toBe(null)
  })
)

it.scopedLive("works below a closed folder, at a path too long for a socket", () =>
  Effect.gen(function* () {
    const closed = join(yield* temporaryFolder, "closed")
    mkdirSync(closed, { mode: 0o700 })
    const data_dir = join(closed, "long".repeat(40), "data")
    const connection = yield* BundledPostgres.start(data_dir)
    expect(connection.host.length).toBeGreaterThan(108)
    yield* ask(connection, "owner", notes)
  })
)

it.scopedLive("what cannot start says why, with the server's own words", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    yield* Effect.scoped(BundledPostgres.start(data_dir))
    writeFileSync(join(data_dir, "postgres/data/PG_VERSION"), "12\n")
    const failure = yield* Effect.flip(BundledPostgres.start(data_dir))
    expect(failure.message).toContain("database files are incompatible with server")
    expect(failure.message).toContain("server.log")
  })
)

it.scopedLive("a database without its passwords is not touched", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    yield* Effect.scoped(BundledPostgres.start(data_dir))
    rmSync(join(data_dir, "postgres/credentials.json"))
    const failure = yield* Effect.flip(BundledPostgres.start(data_dir))
    expect(failure.message).toContain("credentials.json")
  })
)

it.scopedLive("a long log is put aside at the start", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    const log = join(data_dir, "postgres/server.log")
    mkdirSync(join(data_dir, "postgres"))
    writeFileSync(log, Buffer.alloc(11 * 1024 * 1024))
    yield* BundledPostgres.start(data_dir)
    expect(statSync(log).size).toBeLessThan(1024 * 1024)
    expect(statSync(`${log}.1`).size).toBe(11 * 1024 * 1024)
  })
)

const ofUser = (pid: number | undefined) => /Uid:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]

it.scopedLive.runIf(as_root)("an ordinary user runs it as itself, and root can take it over", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    chownSync(data_dir, ORDINARY, ORDINARY)
    const parent = yield* launch(data_dir, { uid: ORDINARY })
    yield* ready(parent)
    expect(ofUser(postmaster(data_dir))).toBe(String(ORDINARY))
    expect(statSync(join(data_dir, "postgres/credentials.json")).uid).toBe(ORDINARY)
    yield* ask(connectionTo(data_dir), "owner", notes)
    yield* killed(parent)

    const connection = yield* BundledPostgres.start(data_dir)
    expect(ofUser(postmaster(data_dir))).toBe(String(ORDINARY))
    expect(yield* ask(connection, "app", "select note from notes")).toEqual([{ note: "kept" }])
  })
)

it.scopedLive.runIf(as_root)("root runs it as nobody, from a copy that root owns too", () =>
  Effect.gen(function* () {
    const data_dir = yield* temporaryFolder
    yield* Effect.scoped(
      BundledPostgres.start(data_dir).pipe(
        Effect.tap((connection) => ask(connection, "owner", notes)),
        Effect.tap(() => expect(ofUser(postmaster(data_dir))).toBe("65534"))
      )
    )
    const copy = yield* temporaryFolder
    Bun.spawnSync(["cp", "-r", `${data_dir}/postgres`, copy])
    expect(statSync(join(copy, "postgres/data/PG_VERSION")).uid).toBe(0)
    const connection = yield* BundledPostgres.start(copy)
    expect(yield* ask(connection, "app", "select note from notes")).toEqual([{ note: "kept" }])
  })
)
