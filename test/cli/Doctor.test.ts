import { readFileSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import Pg from "pg"
import { configurationTable } from "../../src/cli/doctor/ConfigurationTable.ts"
import { kmsServer } from "../support/KmsServer.ts"
import { llmKey, llmServer } from "../support/LlmServer.ts"
import { testDatabase } from "../support/TestDatabase.ts"
import { vaultServer } from "../support/VaultServer.ts"
import { folder, run } from "./Tracepipe.ts"

const findings = (stdout: string) =>
  (stdout.split("\n\n")[1] ?? "")
    .trimEnd()
    .split("\n")
    .map((line) => [line.slice(0, 4).trim(), line.slice(6)] as const)

it.scoped("a sound configuration is ok, line by line", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const DATA_DIR = yield* folder
    yield* Effect.promise(() => mkdir(join(DATA_DIR, "objects")))
    const { code, stdout, stderr } = yield* run(["doctor"], {
      DATABASE_URL: app,
      DATABASE_MIGRATION_URL: owner,
      DATA_DIR
    })
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    expect(stdout).toMatch(/^DATABASE_URL +<redacted> +environment$/m)
    expect(stdout).toMatch(/^PORT +8000 +default$/m)
    expect(stdout).not.toContain(app)
    const found = findings(stdout)
    expect(found.map(([status]) => status)).toEqual(found.map(() => "ok"))
    expect(found.map(([, what]) => what.split(":")[0])).toEqual([
      "configuration",
      "data folder",
      "disk space",
      "database",
      "clocks",
      "roles",
      "migrations",
      "object store",
      "secrets"
    ])
  })
)

it.scoped("one role for everything, pending migrations and a slip of the keyboard are warnings", () =>
  Effect.gen(function* () {
    const { owner } = yield* testDatabase
    const environment = { DATABASE_URL: owner, S3_BUKET: "x" }
    yield* run(["migrate", "--down", "3"], environment)
    const { code, stdout } = yield* run(["doctor"], environment)
    expect(code).toBe(0)
    const warnings = findings(stdout).flatMap(([status, what]) => (status === "warn" ? [what] : []))
    expect(warnings).toEqual([
      expect.stringMatching(/S3_BUKET .* misspelt/),
      expect.stringMatching(/^roles: .* set DATABASE_MIGRATION_URL/),
      expect.stringMatching(/^migrations: pending: 0004_sessions.* — .*tracepipe migrate/)
    ])
    const strict = yield* run(["doctor"], { ...environment, MIGRATE_ON_START: "false" })
    expect(strict.code).toBe(1)
    expect(strict.stdout).toMatch(/^fail {2}migrations: pending/m)
  })
)

it.scoped("what fails ends with 1, and says what to do", () =>
  Effect.gen(function* () {
    const { code, stdout, stderr } = yield* run(["doctor"], {
      DATABASE_URL: "postgres://tracepipe@127.0.0.1:1/tracepipe",
      DATA_DIR: "/dev/null/data",
      BOOTSTRAP_API_KEY: "secret",
      S3_BUCKET: "recordings",
      S3_ENDPOINT: "http://127.0.0.1:1",
      S3_ACCESS_KEY_ID: "key",
      S3_SECRET_ACCESS_KEY: "secret"
    })
    expect({ code, stderr }).toEqual({ code: 1, stderr: "tracepipe: 4 of the checks failed\n" })
    const failed = findings(stdout).flatMap(([status, what]) => (status === "fail" ? [what] : []))
    expect(failed).toEqual([
      expect.stringMatching(/BOOTSTRAP_API_KEY .* — `tracepipe keys generate`/),
      expect.stringMatching(/^data folder: \/dev\/null\/data .* — .*DATA_DIR/),
      expect.stringMatching(/^database: .*ECONNREFUSED.* — .*DATABASE_URL/),
      expect.stringMatching(/^object store: bucket recordings at http:\/\/127\.0\.0\.1:1.* — .*S3_ENDPOINT/)
    ])
  })
)

it.scoped("a provider of language models is asked for its models, with the key that it gets", () =>
  Effect.gen(function* () {
    const server = yield* llmServer
    const { app } = yield* testDatabase
    const asked = (LLM_PROVIDER: string, path: string, LLM_API_KEY: string) =>
      Effect.map(
        run(["doctor"], {
          DATABASE_URL: app,
          LLM_PROVIDER,
          LLM_BASE_URL: server.origin + path,
          LLM_API_KEY
        }),
        ({ stdout }) => findings(stdout).filter(([, what]) => what.startsWith("language model"))
      )
    expect(yield* asked("custom", "/v1", llmKey)).toEqual([
      ["ok", `language model: CUSTOM at ${server.origin}/v1 answers`]
    ])
    expect(yield* asked("anthropic", "", llmKey)).toEqual([["ok", expect.stringContaining("ANTHROPIC")]])
    expect(yield* asked("google", "/v1beta", "wrong")).toEqual([
      ["fail", expect.stringMatching(/GOOGLE .* refuses the key \(401\) — give it another one/)]
    ])
  })
)

it.scoped("the store of the secrets is asked, whichever it is", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const asked = (environment: Readonly<Record<string, string>>) =>
      Effect.map(run(["doctor"], { DATABASE_URL: app, DATABASE_MIGRATION_URL: owner, ...environment }), ({ stdout }) =>
        findings(stdout).filter(([, what]) => what.startsWith("secrets"))
      )
    const vault = yield* vaultServer
    const VAULT_ADDR = vault.address
    expect(yield* asked({ VAULT_ADDR, VAULT_TOKEN: vault.root_token })).toEqual([
      ["ok", `secrets: Vault at ${VAULT_ADDR}, mount secret answers`]
    ])
    expect(yield* asked({ VAULT_ADDR, VAULT_TOKEN: "wrong" })).toEqual([
      ["fail", expect.stringMatching(/403: permission denied.* — check VAULT_ADDR/)]
    ])
    const kms = yield* kmsServer
    const aws = {
      AWS_KMS_KEY_ID: "alias/tracepipe",
      AWS_ENDPOINT_URL_KMS: kms.endpoint,
      AWS_REGION: "eu-central-1",
      AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
      AWS_SECRET_ACCESS_KEY: "only-for-tests"
    }
    expect(yield* asked(aws)).toEqual([["ok", expect.stringMatching(/alias\/tracepipe makes and opens/)]])
    expect(yield* asked({ ...aws, AWS_KMS_KEY_ID: "alias/other" })).toEqual([
      ["fail", expect.stringMatching(/NotFoundException.* — check AWS_KMS_KEY_ID/)]
    ])
    yield* Effect.promise(async () => {
      const client = new Pg.Client({ connectionString: app })
      await client.connect()
      await client.query(`insert into secrets (path, version, ciphertext, nonce, data_key, kek_id)
        values ('a', 1, '', '\\x000000000000000000000000', '', 'local:0123456789abcdef')`)
      await client.end()
    })
    expect(yield* asked({ API_KEY_ENCRYPTION_KEY: "00".repeat(32) })).toEqual([
      ["fail", expect.stringMatching(/with local:0123456789abcdef, .* — set API_KEY_ENCRYPTION_KEY/)]
    ])
  })
)

it.effect("a configuration that cannot be read is a line for each variable", () =>
  Effect.gen(function* () {
    const { code, stdout } = yield* run(["doctor"], { PORT: "x", LOG_FORMAT: "xml" })
    expect(code).toBe(1)
    const found = findings(stdout)
    expect(found.map(([status]) => status)).toEqual(["fail", "fail"])
    expect(found.map(([, what]) => what).join()).toMatch(/PORT: expected.*LOG_FORMAT: expected/)
  })
)

it.scoped("an empty folder stays empty: the bundled database is tried elsewhere", () =>
  Effect.gen(function* () {
    const DATA_DIR = join(yield* folder, "data")
    const { code, stdout } = yield* run(["doctor"], { DATA_DIR })
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ok {4}database: bundled PostgreSQL 18.*will be made by the first start$/m)
    expect(yield* Effect.promise(() => Bun.file(DATA_DIR).exists())).toBe(false)
  })
)

const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8")
const table = /<!-- configuration -->\n([\s\S]*?)<!-- \/configuration -->/.exec(readme)?.[1]?.trim() ?? ""

it.skipIf(table === "")("README.md has the table of `tracepipe doctor --markdown` (skipped while it has none)", () => {
  expect(table).toBe(configurationTable())
})
