import { readdirSync } from "node:fs"
import { mkdir, utimes, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Effect } from "effect"
import { firstIdAt } from "../../src/platform/Id.ts"
import { childService } from "../support/ChildService.ts"
import { idOf, sendAll } from "../support/Resumable.ts"
import { chat, newSuite } from "../support/Uploading.ts"
import { run } from "./Tracepipe.ts"

const HOUR_MS = 3_600_000

it.scopedLive("tracepipe uploads collect shows what it would remove, and then removes just that", () =>
  Effect.gen(function* () {
    const service = yield* childService({ environment: { UPLOAD_GC_INTERVAL: "24 h" } })
    const suite_id = yield* newSuite(service)
    const kept = yield* sendAll(service, Buffer.from(chat), { metadata: { suite_id } })
    const expired = yield* sendAll(service, Buffer.from(chat), { metadata: { suite_id } })
    const { database } = service
    const client = new (yield* Effect.promise(() => import("pg"))).default.Client({ connectionString: database.owner })
    const rows = yield* Effect.promise(async () => {
      await client.connect()
      await client.query("update uploads set expires_at = now() - interval '1 minute' where id = $1", [
        idOf(expired.url)
      ])
      const { rows } = await client.query<{ org_id: string }>("select org_id from uploads")
      await client.end()
      return rows
    })
    const org = `orgs/${rows[0]?.org_id}`
    const orphan = firstIdAt(Date.now() - HOUR_MS).replace("-7000-8000-", "-7abc-8abc-")
    const objects = join(service.data_dir, "objects")
    const remains = [`${org}/sessions/${orphan}/`, `${org}/uploads/${orphan}/`, `${org}/uploads/${idOf(expired.url)}/`]
    const part = `${org}/uploads/${idOf(kept.url)}/0000000000000000-cut-off/`
    const temp = join(objects, ".tmp", `${encodeURIComponent(part)}@12345678`)
    yield* Effect.promise(async () => {
      for (const prefix of remains.slice(0, 2)) {
        await mkdir(join(objects, prefix), { recursive: true })
        await writeFile(join(objects, prefix, "bytes"), "left")
      }
      await mkdir(temp)
      await writeFile(join(temp, "bytes"), "left")
      const old = (Date.now() - 2 * HOUR_MS) / 1000
      for (const path of [join(temp, "bytes"), temp]) await utimes(path, old, old)
    })
    yield* service.end("SIGTERM")

    const files = () =>
      readdirSync(objects, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => dirname(join(entry.parentPath, entry.name)).slice(objects.length + 1))
        // The audit log's checkpoints are no remains.
        .filter((folder) => !folder.endsWith("/audit"))
        .sort()
    const collect = (...args: ReadonlyArray<string>) =>
      run(["uploads", "collect", ...args], {
        DATABASE_URL: database.app,
        DATABASE_MIGRATION_URL: database.owner,
        DATA_DIR: service.data_dir
      })
    const before = files()
    const dry = yield* collect("--dry-run")
    expect({ code: dry.code, stderr: dry.stderr }).toEqual({ code: 0, stderr: "4 remains would be removed\n" })
    expect(dry.stdout.trim().split("\n").sort()).toEqual([...remains, part].sort())
    expect(files()).toEqual(before)

    const real = yield* collect()
    expect({ code: real.code, stderr: real.stderr }).toEqual({ code: 0, stderr: "4 remains removed\n" })
    expect(real.stdout.trim().split("\n").sort()).toEqual([...remains, part].sort())
    const left = files()
    expect(left).toHaveLength(1)
    expect(left[0]).toContain(idOf(kept.url))
    expect((yield* collect()).stderr).toBe("0 remains removed\n")
  })
)
