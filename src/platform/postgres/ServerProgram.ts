import { closeSync, fstatSync, openSync, renameSync, statSync } from "node:fs"
import { join } from "node:path"
import { type Duration, Effect, Option } from "effect"
import { BundledPostgresFailed } from "./BundledPostgresError.ts"
import type { ServerBinaries } from "./ServerBinaries.ts"
import type { ServerUser } from "./ServerUser.ts"

/** What PostgreSQL's programs are run with. */
export interface ServerProgram {
  readonly binaries: ServerBinaries
  readonly user: ServerUser | undefined
  readonly log: { readonly file: string; readonly descriptor: number }
}

interface RunningProgram {
  readonly pid: number
  /** Waits for its end; the exit code. */
  readonly exited: Effect.Effect<number>
  /** Fails with what it wrote last. */
  readonly complaint: (operation: string) => Effect.Effect<never, BundledPostgresFailed>
}

const LOG_LIMIT_BYTES = 10 * 1024 * 1024
const COMPLAINT_LINES = 12
const COMPLAINT_BYTES = 8192

/** The log that all programs append to; a long one of earlier runs is kept once, as `….1`. */
export const openLog = (file: string) =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const present = statSync(file, { throwIfNoEntry: false })
        if (present !== undefined && present.size > LOG_LIMIT_BYTES) renameSync(file, `${file}.1`)
        return { file, descriptor: openSync(file, "a", 0o600) }
      },
      catch: (cause) => new BundledPostgresFailed({ operation: "open its log", detail: String(cause) })
    }),
    ({ descriptor }) => Effect.sync(() => closeSync(descriptor))
  )

// Nothing of our own environment: it holds secrets, and PG… variables would change the server.
const environment = (binaries: ServerBinaries) => {
  const libraries = join(binaries.folder, "lib")
  return {
    PATH: "/usr/local/bin:/usr/bin:/bin",
    [process.platform === "darwin" ? "DYLD_LIBRARY_PATH" : "LD_LIBRARY_PATH"]: libraries
  }
}

const signalAndWait = (child: Bun.Subprocess, signal: NodeJS.Signals, limit: Duration.DurationInput) =>
  Effect.suspend(() => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
    return Effect.promise(() => child.exited)
  }).pipe(Effect.interruptible, Effect.timeoutOption(limit), Effect.map(Option.isSome))

const stop = Effect.fnUntraced(function* (child: Bun.Subprocess) {
  if (yield* signalAndWait(child, "SIGINT", "10 seconds")) return
  yield* Effect.logWarning("the bundled PostgreSQL does not stop: now without its last checkpoint")
  if (yield* signalAndWait(child, "SIGQUIT", "10 seconds")) return
  yield* signalAndWait(child, "SIGKILL", "10 seconds")
})

/**
 * Runs `initdb` or `postgres` on the database in `folder` until it ends or the scope closes, which
 * stops it: first orderly (SIGINT), after 10 s at once (SIGQUIT).
 */
export const run = Effect.fn("ServerProgram.run")(function* (
  host: ServerProgram,
  name: "initdb" | "postgres",
  options: {
    readonly folder: string
    readonly arguments: ReadonlyArray<string>
    readonly input?: number
    /** A command that runs the command that follows it. */
    readonly within?: ReadonlyArray<string>
  }
) {
  const setpriv = Bun.which("setpriv")
  const log_start = fstatSync(host.log.descriptor).size
  const command = [
    ...(options.within ?? []),
    // Dies with us, even by kill -9. INT is the fast shutdown: TERM would wait for other clients.
    ...(setpriv === null ? [] : [setpriv, "--pdeathsig", "INT"]),
    join(host.binaries.folder, "bin", name),
    "-D",
    // Entered before the user changes, so that it works below folders which that user cannot enter.
    process.platform === "linux" ? "/proc/self/cwd" : options.folder,
    ...options.arguments
  ]
  const child = yield* Effect.acquireRelease(
    Effect.try({
      try: () =>
        Bun.spawn(command, {
          cwd: options.folder,
          env: environment(host.binaries),
          stdio: [options.input ?? "ignore", host.log.descriptor, host.log.descriptor],
          ...host.user,
          // Its own session: Ctrl-C goes to a terminal's whole process group, and we still need the database then.
          detached: true
        }),
      catch: (cause) => new BundledPostgresFailed({ operation: `run ${name}`, detail: String(cause) })
    }),
    stop
  )
  const running: RunningProgram = {
    pid: child.pid,
    exited: Effect.promise(() => child.exited),
    complaint: Effect.fnUntraced(function* (operation) {
      const end = fstatSync(host.log.descriptor).size
      const text = yield* Effect.promise(() =>
        Bun.file(host.log.file)
          .slice(Math.max(log_start, end - COMPLAINT_BYTES), end)
          .text()
      )
      const lines = text.trimEnd().split("\n").slice(-COMPLAINT_LINES)
      const reason = `${name} ended (${child.signalCode ?? child.exitCode}); the end of ${host.log.file}:`
      return yield* new BundledPostgresFailed({ operation, detail: [reason, ...lines].join("\n  ") })
    })
  }
  return running
})
