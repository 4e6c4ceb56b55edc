import { closeSync, openSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const environment = (extra: Readonly<Record<string, string>>) => {
  const { PATH, HOME } = process.env
  // Nothing else of ours: a DATABASE_URL in the shell would change what is measured.
  return { ...(PATH === undefined ? {} : { PATH }), ...(HOME === undefined ? {} : { HOME }), ...extra }
}

/** A folder for the length of the work. */
export const withFolder = async <A>(work: (folder: string) => Promise<A>): Promise<A> => {
  const folder = await mkdtemp(join(tmpdir(), "tracepipe-bench-"))
  try {
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

export interface Child {
  readonly pid: number
  readonly stop: () => Promise<void>
  readonly exited: Promise<number>
}

const script = (path: string) => new URL(`../${path}`, import.meta.url).pathname

/** Runs a command with its output in a file, as a service manager would. */
export const start = (
  command: ReadonlyArray<string>,
  log: string,
  env: Readonly<Record<string, string>> = {}
): Child => {
  const output = openSync(log, "a")
  const child = Bun.spawn([...command], { env: environment(env), stdio: ["ignore", output, output] })
  closeSync(output)
  let stopping = false
  const stop = async () => {
    stopping = true
    child.kill("SIGTERM")
    await child.exited
  }
  void child.exited.then(async () => {
    if (stopping) return
    const end = (await Bun.file(log).text()).slice(-2000)
    console.error(`${command.at(1)} ended by itself (${child.signalCode ?? child.exitCode}):\n${end}`)
  })
  return { pid: child.pid, stop, exited: child.exited }
}

/** The command that runs a script of this folder, given relative to `bench/`. */
export const bun = (path: string, ...options: ReadonlyArray<unknown>) => [
  process.execPath,
  script(path),
  ...options.map((option) => JSON.stringify(option))
]

/** Runs a script to its end; its last line, read as JSON. */
export const result = async <A>(path: string, options: unknown): Promise<A> => {
  const child = Bun.spawn(bun(path, options), { env: environment({}), stdio: ["ignore", "pipe", "inherit"] })
  const text = await new Response(child.stdout).text()
  if ((await child.exited) !== 0) throw new Error(`${path} failed: ${text}`)
  return JSON.parse(text.trimEnd().split("\n").at(-1) ?? "")
}

/** A port that nobody listens on at this moment. */
export const freePort = async (): Promise<number> => {
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() })
  const { port } = server
  await server.stop(true)
  return port ?? 0
}

/** Asks until the address answers 200; milliseconds from `since` on. */
export const answering = async (url: string, child: Child, log: string, since = performance.now()): Promise<number> => {
  let ended = false
  void child.exited.then(() => {
    ended = true
  })
  while (!ended && performance.now() - since < 60_000) {
    const status = await fetch(url).then(
      (response) => response.status,
      () => 0
    )
    if (status === 200) return performance.now() - since
    await Bun.sleep(2)
  }
  throw new Error(`no answer from ${url}: ${(await Bun.file(log).text()).slice(-2000)}`)
}

/** Has the kernel write what earlier rounds left, so that no round pays for another. */
export const settle = async () => {
  await Bun.spawn(["sync"]).exited
}
