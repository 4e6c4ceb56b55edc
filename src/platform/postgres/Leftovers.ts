import { readdir, readFile, readlink, rm, stat } from "node:fs/promises"
import { basename, join } from "node:path"
import { Effect, Schedule } from "effect"
import { attempt, BundledPostgresFailed } from "./BundledPostgresError.ts"

const lockedPid = (folder: string) =>
  readFile(join(folder, "postmaster.pid"), "utf8").then(
    (text) => Number.parseInt(text, 10),
    () => Number.NaN
  )

const signal = (pid: number, name: NodeJS.Signals | 0) => {
  try {
    return process.kill(pid, name)
  } catch {
    // It has gone meanwhile, or is not ours to signal.
    return false
  }
}

/** A server process works in its data folder, which tells it from a stranger that was given its old pid. */
const worksIn = async (folder: string, pid: number) => {
  if (process.platform !== "linux") {
    const ps = Bun.spawn(["ps", "-o", "command=", "-p", String(pid)], { stderr: "ignore" })
    return (await new Response(ps.stdout).text()).includes(`-D ${folder}`)
  }
  try {
    const program = basename(await readlink(`/proc/${pid}/exe`))
    if (!program.startsWith("postgres")) return false
    const [here, there] = await Promise.all([stat(folder), stat(`/proc/${pid}/cwd`)])
    return here.dev === there.dev && here.ino === there.ino
  } catch {
    // Ended while we looked, or another user's: not a server that we started here.
    return false
  }
}

const serversIn = async (folder: string) => {
  const candidates =
    process.platform === "linux"
      ? (await readdir("/proc")).map(Number).filter(Number.isInteger)
      : [await lockedPid(folder)]
  const found = await Promise.all(candidates.map(async (pid) => ((await worksIn(folder, pid)) ? [pid] : [])))
  return found.flat()
}

/**
 * Ends server processes that an earlier run left in the data folder: one that was killed without
 * time to stop its server. The caller holds the lock of the data folder, so nobody uses them.
 */
export const endLeftovers = Effect.fn("Leftovers.end")(function* (folder: string) {
  const find = attempt("look for an earlier server", () => serversIn(folder))
  const gone = find.pipe(
    Effect.filterOrFail(
      (pids) => pids.length === 0,
      (pids) =>
        new BundledPostgresFailed({ operation: "end an earlier server", detail: `processes ${pids.join(", ")} stay` })
    )
  )
  const goneWithin = (seconds: number) =>
    gone.pipe(Effect.retry(Schedule.spaced("10 millis").pipe(Schedule.upTo(`${seconds} seconds`))))

  const leftovers = yield* find
  const postmaster = yield* Effect.promise(() => lockedPid(folder))
  if (leftovers.length > 0) {
    yield* Effect.logWarning("ending the PostgreSQL of an earlier run").pipe(Effect.annotateLogs({ pids: leftovers }))
    const orderly = leftovers.includes(postmaster) && signal(postmaster, "SIGINT")
    yield* goneWithin(orderly ? 10 : 1).pipe(
      Effect.orElse(() => {
        for (const pid of leftovers) signal(pid, "SIGQUIT")
        return goneWithin(10)
      })
    )
  } else if (!Number.isNaN(postmaster) && signal(postmaster, 0)) {
    // A stranger has the pid of a server that died: PostgreSQL would take it for that server.
    yield* attempt("remove the lock of a dead server", async () => {
      await rm(join(folder, "postmaster.pid"), { force: true })
      await rm(join(folder, ".s.PGSQL.5432.lock"), { force: true })
    })
  }
})
