import { readFileSync } from "node:fs"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { Context, Effect, Layer, type Scope } from "effect"

const require = createRequire(import.meta.url)
const suite = dirname(require.resolve("@modelcontextprotocol/conformance/package.json"))

export const revisions = ["2025-11-25", "2026-07-28"] as const
export type Revision = (typeof revisions)[number]

interface Requirements {
  readonly server: ReadonlyArray<string>
  readonly not_scored: ReadonlyArray<{ readonly scenario: string; readonly leg: string; readonly reason: string }>
}

/**
 * The scenarios of servers that the revision requires, and those that the suite runs with them without counting
 * them, but for extensions of the protocol.
 */
export const scenarios = (revision: Revision): ReadonlyArray<string> => {
  // The suite's own list, in the form that its own program reads.
  const required = Bun.YAML.parse(readFileSync(join(suite, `requirements/${revision}.yaml`), "utf8")) as Requirements
  return [
    ...required.server,
    ...required.not_scored
      .filter(({ leg, reason }) => leg === "server" && reason !== "extension")
      .map(({ scenario }) => scenario)
  ]
}

interface Check {
  readonly id: string
  readonly status: "SUCCESS" | "FAILURE" | "WARNING" | "SKIPPED" | "INFO"
  readonly errorMessage?: string
  readonly details?: { readonly untestable?: boolean }
}

/** What the suite checked, by scenario. */
type Checked = ReadonlyMap<string, ReadonlyArray<Check>>

/** `server-ping-2026-01-01T00-00-00-000Z` */
const scenarioOf = (folder: string) => folder.replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT[^T]*$/, "")

/** Runs the suite's program against a server on this machine, with no list of failures to expect. */
const run = (url: string, which: ReadonlyArray<string>): Effect.Effect<Checked, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-conformance-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    return yield* Effect.promise(async () => {
      const child = Bun.spawn(
        [process.execPath, join(suite, "dist/index.js"), "server", "--url", url, ...which, "--output-dir", folder],
        { stdio: ["ignore", "ignore", "inherit"] }
      )
      await child.exited
      const checked = new Map<string, ReadonlyArray<Check>>()
      for (const name of await readdir(folder))
        checked.set(scenarioOf(name), await Bun.file(join(folder, name, "checks.json")).json())
      return checked
    })
  })

/** What the suite found. */
export class Conformance extends Context.Tag("test/Conformance")<Conformance, Checked>() {
  /** All that a revision requires. */
  static readonly required = <E, R>(url: Effect.Effect<string, E, R>, revision: Revision) =>
    Layer.scoped(
      Conformance,
      Effect.flatMap(url, (address) => run(address, ["--requirements", revision]))
    )
}

const told = ({ id, status, errorMessage }: Check) => `${status} ${id}: ${errorMessage}`

/**
 * How a scenario ended: the names of what passed, and what did not with the suite's own words. What could not be
 * tried is apart: it needs a tool that only a fixture has.
 */
export const outcome = (scenario: string) =>
  Effect.map(Conformance, (checked) => {
    const checks = checked.get(scenario) ?? []
    const bad = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING")
    return {
      passed: checks.filter(({ status }) => status === "SUCCESS").map(({ id }) => id),
      failed: bad.filter(({ details }) => details?.untestable !== true).map(told),
      untried: bad.filter(({ details }) => details?.untestable === true).map(({ id }) => id)
    }
  })
