import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { vi } from "vitest"
import { unlimited } from "../support/Unlimited.ts"

// Each test starts several processes of its own.
vi.setConfig({ testTimeout: 180_000 })

const main = new URL("../../src/main.ts", import.meta.url).pathname

type Environment = Readonly<Record<string, string>>

/** A folder for the scope. */
export const folder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-cli-"))),
  (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
)

/** The command as a process of its own, in an empty folder and with nothing else in its environment. */
export const start = (args: ReadonlyArray<string>, environment: Environment = {}) =>
  Effect.gen(function* () {
    const cwd = yield* folder
    const { PATH = "" } = process.env
    const child = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Bun.spawn([process.execPath, main, ...args], {
          cwd,
          env: { PATH, HOME: cwd, ...unlimited, ...environment },
          stdin: "ignore",
          stdout: "pipe",
          stderr: "pipe"
        })
      ),
      (child) =>
        Effect.promise(() => {
          child.kill("SIGKILL")
          return child.exited
        })
    )
    const stderr = new Response(child.stderr).text()
    return { child, cwd, stderr }
  })

/** Runs the command to its end. */
export const run = (args: ReadonlyArray<string>, environment: Environment = {}) =>
  Effect.gen(function* () {
    const { child, stderr } = yield* start(args, environment)
    const stdout = new Response(child.stdout).text()
    const code = yield* Effect.promise(() => child.exited)
    return { code, stdout: yield* Effect.promise(() => stdout), stderr: yield* Effect.promise(() => stderr) }
  }).pipe(Effect.scoped)

type Started = Effect.Effect.Success<ReturnType<typeof start>>

/** Reads what the command prints until it holds what is looked for; dies when it ends before. */
export const until = ({ child, stderr }: Pick<Started, "child" | "stderr">, wanted: RegExp) =>
  Effect.promise(async () => {
    const decoder = new TextDecoder()
    const reader = child.stdout.getReader()
    let text = ""
    while (!wanted.test(text)) {
      const { done, value } = await reader.read()
      if (done) throw new Error(`the output ended without ${wanted}: ${text}${await stderr}`)
      text += decoder.decode(value, { stream: true })
    }
    // What follows is taken off the pipe, so that the writer never waits.
    void (async () => {
      while (!(await reader.read()).done);
    })()
    return wanted.exec(text)!
  })

/** `tracepipe serve` on a free port, once it listens. */
export const serve = (environment: Environment) =>
  Effect.gen(function* () {
    const started = yield* start(["serve"], { PORT: "0", LOG_FORMAT: "json", ...environment })
    const [, base_url = ""] = yield* until(started, /listening on (http:[^"\s]+)/)
    return { ...started, base_url }
  })
