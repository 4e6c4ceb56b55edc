import { execFile } from "node:child_process"
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"

interface Violation {
  readonly from: string
  readonly to: string
  readonly rule: { readonly name: string }
}

const root = join(import.meta.dirname, "../..")
const configuration = join(root, ".dependency-cruiser.cjs")
const limit = 120_000

/** What the tool says about these folders of a project. */
const violations = async (project: string, ...folders: ReadonlyArray<string>): Promise<ReadonlyArray<Violation>> => {
  const program = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs")
  const options = [...folders, "--config", configuration, "--output-type", "json"]
  // It ends with the number of violations; what it found is on its standard output all the same.
  const { stdout } = await promisify(execFile)(process.execPath, [program, ...options], {
    cwd: project,
    maxBuffer: 256 * 1024 * 1024
  }).catch((failure: { readonly stdout: string }) => failure)
  return JSON.parse(stdout).summary.violations
}

/** Who may import whom, as the architecture has it. */
const services = ["platform", "telemetry", "webhook", "identity", "capability", "session", "gateway", "example", "chat"]
const below = ["domain", "platform", "telemetry", "webhook", "identity"]
const mayImport: Readonly<Record<string, ReadonlyArray<string>>> = {
  domain: [],
  api: ["domain"],
  platform: ["domain"],
  telemetry: ["domain", "platform"],
  webhook: ["domain", "platform"],
  identity: ["domain", "platform", "telemetry"],
  capability: below,
  session: below,
  gateway: [...below, "capability", "session"],
  example: [...below, "capability", "session"],
  chat: [...below, "capability", "session", "gateway", "example"],
  jobs: ["domain", ...services, "a2p"],
  http: ["api", "domain", ...services],
  mcp: ["api", "domain", ...services],
  a2p: ["api", "domain", ...services],
  cli: ["api", "domain", ...services]
}
const rooms = Object.keys(mayImport)

/** One file for every pair of rooms, in the first and importing from the second. */
const pairs = rooms.flatMap((from) =>
  rooms.filter((to) => to !== from).map((to) => ({ from, to, file: `src/${from}/Uses_${to}.ts` }))
)

const fixture: Readonly<Record<string, string>> = {
  ...Object.fromEntries(rooms.map((room) => [`src/${room}/Thing.ts`, "export const thing = 1"])),
  ...Object.fromEntries(pairs.map(({ file, to }) => [file, `import "../${to}/Thing.ts"`])),
  "src/main.ts": "export const main = 1",
  "src/Service.ts": "export const service = 1",
  "test/Thing.ts": "export const thing = 1",
  "src/identity/KeysRepo.ts": "export const repo = 1",
  "src/client.ts": 'import "./platform/Thing.ts"',
  "src/api/Files.ts": 'import "node:fs"',
  "src/domain/Server.ts": 'import "@effect/platform/HttpServer"',
  "src/cli/Main.ts": 'import "../main.ts"',
  "src/http/Whole.ts": 'import "../Service.ts"',
  "src/session/Steals.ts": 'import "../identity/KeysRepo.ts"',
  "src/platform/Chicken.ts": 'import "./Egg.ts"',
  "src/platform/Egg.ts": 'import "./Chicken.ts"',
  "src/platform/Lost.ts": 'import "./Nowhere.ts"',
  "migrations/0001_tests.ts": 'import "../test/Thing.ts"'
}

/** The file of the fixture that breaks each rule that is not a wall between two rooms. */
const broken: Readonly<Record<string, string>> = {
  "wall-client": "src/client.ts",
  "domain-is-browser-safe": "src/api/Files.ts",
  "domain-needs-effect-only": "src/domain/Server.ts",
  "nobody-imports-main": "src/cli/Main.ts",
  "only-main-imports-the-service": "src/http/Whole.ts",
  "repo-is-private": "src/session/Steals.ts",
  "no-circular": "src/platform/Chicken.ts",
  "no-unresolved": "src/platform/Lost.ts",
  "source-imports-no-tests": "migrations/0001_tests.ts"
}

describe("the walls", () => {
  let folder = ""
  let found: ReadonlyArray<Violation> = []

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tracepipe-walls-"))
    for (const [path, text] of Object.entries(fixture)) {
      await mkdir(dirname(join(folder, path)), { recursive: true })
      await writeFile(join(folder, path), `${text}\n`)
    }
    await copyFile(join(root, "tsconfig.json"), join(folder, "tsconfig.json"))
    await symlink(join(root, "node_modules"), join(folder, "node_modules"))
    found = await violations(folder, "src", "migrations", "test")
  }, limit)

  afterAll(() => rm(folder, { recursive: true, force: true }))

  it("stand in this source", async () => expect(await violations(root, "src", "migrations")).toEqual([]), limit)

  it("stand between all rooms that the architecture parts, and between no others", () => {
    const files = new Set(pairs.map(({ file }) => file))
    const refused = found.filter(({ from, rule }) => files.has(from) && rule.name.startsWith("wall-"))
    const expected = pairs.filter(({ from, to }) => !mayImport[from]?.includes(to))
    expect(refused.map(({ from }) => from).sort()).toEqual(expected.map(({ file }) => file).sort())
  })

  it("have no rule that nothing can break", () => {
    const { forbidden }: { forbidden: ReadonlyArray<{ readonly name: string }> } = createRequire(import.meta.url)(
      configuration
    )
    const walls = rooms.map((room) => `wall-${room}`)
    expect(forbidden.map(({ name }) => name).sort()).toEqual([...walls, ...Object.keys(broken)].sort())
    for (const [rule, file] of Object.entries(broken)) {
      expect(
        found.filter(({ rule: { name } }) => name === rule).map(({ from }) => from),
        rule
      ).toContain(file)
    }
    for (const wall of walls) expect(found.map(({ rule }) => rule.name)).toContain(wall)
  })

  it(
    "leave the client fit for a browser",
    async () => {
      const { success, outputs } = await Bun.build({ entrypoints: [join(root, "src/client.ts")], target: "browser" })
      expect(success).toBe(true)
      const text = (await Promise.all(outputs.map((output) => output.text()))).join("")
      expect(text).toContain("/v1/suites")
      expect(text).not.toMatch(/from ?"(node|bun):|require\("(node:)?(fs|net|pg)"\)|select pg_advisory/)
    },
    limit
  )
})
