import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import type { BunPlugin } from "bun"

const root = fileURLToPath(new URL("..", import.meta.url))

/** The binary has no folder to read: its migrations are imported by name, all that the folder holds now. */
const builtInMigrations: BunPlugin = {
  name: "built-in migrations",
  setup(build) {
    build.onLoad({ filter: /platform\/MigrationFiles\.ts$/ }, () => {
      const names = readdirSync(`${root}migrations`)
        .filter((name) => /^\d{4}_\w+\.ts$/.test(name))
        .sort()
      const imports = names.map((name, at) => `import m${at} from ${JSON.stringify(`${root}migrations/${name}`)}`)
      const rows = names.map(
        (name, at) => `{ id: ${Number(name.slice(0, 4))}, name: "${name.slice(5, -3)}", ...m${at} }`
      )
      return { loader: "ts", contents: `${imports.join("\n")}\nexport const load = async () => [${rows.join(", ")}]\n` }
    })
  }
}

/** The binaries of PostgreSQL are not in the binary: who asks for the bundled one is told so. */
const noBundledPostgres: BunPlugin = {
  name: "no bundled PostgreSQL",
  setup(build) {
    build.onLoad({ filter: /platform\/BundledPostgres\.ts$/ }, () => ({
      loader: "ts",
      contents: `
        import { BundledPostgresUnavailable } from "./postgres/BundledPostgresError.ts"
        export const start = () => new BundledPostgresUnavailable({ reason: "it is not part of the single binary" })`
    }))
  }
}

/** The client for browsers, one module that holds all it needs. */
const client = await Bun.build({
  entrypoints: [`${root}src/client.ts`],
  outdir: `${root}dist`,
  target: "browser",
  minify: true
})

/** One file that serves with a DATABASE_URL: no runtime, no packages, no source beside it. */
const binary = await Bun.build({
  entrypoints: [`${root}src/main.ts`],
  // A bunfig.toml in the folder of a start is about somebody else's program.
  compile: { outfile: `${root}dist/tracepipe`, autoloadBunfig: false },
  plugins: [builtInMigrations, noBundledPostgres],
  minify: { whitespace: true, syntax: true },
  // Half the time to the first line of output, for an eighth more of size.
  format: "esm",
  bytecode: true,
  sourcemap: "none"
})

for (const log of [...client.logs, ...binary.logs]) process.stderr.write(`${String(log)}\n`)
if (!client.success || !binary.success) process.exit(1)
process.stdout.write("dist/tracepipe, dist/client.js\n")
