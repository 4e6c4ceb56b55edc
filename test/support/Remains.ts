import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { ListMultipartUploadsCommand, ListObjectsV2Command, S3Client } from "@aws-sdk/client-s3"
import { Effect, Redacted } from "effect"
import Pg from "pg"
import { expect } from "vitest"
import { eventually } from "./Eventually.ts"
import type { S3Server } from "./S3Server.ts"
import { call, chat, newSuite, send, type Target } from "./Uploading.ts"

/** A service whose traces can be looked for past it. */
export interface Scene extends Target {
  readonly data_dir: string
  /** The database's address, past every proxy. */
  readonly database_url: string
  /** Where the objects are, when they are not below the data folder. */
  readonly s3?: { readonly server: S3Server; readonly bucket: string }
  /** The service's process, where it is one of its own. */
  readonly pid?: () => number
}

/** Everything that an upload could leave behind. */
export interface Traces {
  readonly sessions: number
  readonly keys: number
  readonly removals: number
  /** Keys of objects and names of temp files. */
  readonly objects: ReadonlyArray<string>
  readonly uploads: ReadonlyArray<string>
  readonly spooled: ReadonlyArray<string>
}

/** The audit log's checkpoints come on their own time, whatever an upload does. */
const isOfAudit = (key: string) => /(^|\/)audit\//.test(key)

const filesBelow = (folder: string): ReadonlyArray<string> => {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory() || entry.parentPath.endsWith("/.tmp"))
      .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
      .filter((name) => !isOfAudit(name))
      .sort()
  } catch {
    // Not made before the first upload, or gone while it was read: then it is looked at again.
    return []
  }
}

const inBucket = ({ server, bucket: Bucket }: NonNullable<Scene["s3"]>) =>
  Effect.promise(async () => {
    const client = new S3Client({
      endpoint: server.endpoint,
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: server.access_key_id, secretAccessKey: Redacted.value(server.secret_access_key) }
    })
    const { Contents = [] } = await client.send(new ListObjectsV2Command({ Bucket }))
    const { Uploads = [] } = server.lists_uploads ? await client.send(new ListMultipartUploadsCommand({ Bucket })) : {}
    client.destroy()
    const objects = Contents.map(({ Key = "" }) => Key).filter((key) => !isOfAudit(key))
    return { objects: objects.sort(), uploads: Uploads.map(({ Key = "" }) => Key).sort() }
  })

const rowsOf = (database_url: string) =>
  Effect.promise(async () => {
    const client = new Pg.Client({ connectionString: database_url })
    await client.connect()
    const { rows } = await client.query<{ sessions: number; keys: number; removals: number }>(
      `select (select count(*)::int from sessions) as sessions, (select count(*)::int from idempotency_keys) as keys,
        (select count(*)::int from object_removals) as removals`
    )
    await client.end()
    return rows[0] ?? { sessions: -1, keys: -1, removals: -1 }
  })

/** What there is now. */
export const traces = ({ data_dir, database_url, s3 }: Scene): Effect.Effect<Traces> =>
  Effect.gen(function* () {
    const local = { objects: filesBelow(join(data_dir, "objects")), uploads: [] }
    return {
      ...(yield* rowsOf(database_url)),
      ...(s3 === undefined ? local : yield* inBucket(s3)),
      spooled: filesBelow(join(data_dir, "spool"))
    }
  })

/** Resident memory of a process in MiB. */
export const memory = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

/** The most that a process has had resident since it was last {@link atRest}, in MiB. */
export const highest = (pid: number): number =>
  Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024

const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other)

/** A service that has done everything once, so that its memory is what it has at rest. */
export const atRest = (scene: Scene): Effect.Effect<{ readonly traces: Traces; readonly memory_mib: number }> =>
  Effect.gen(function* () {
    yield* works(scene)
    const found = yield* traces(scene)
    if (scene.pid === undefined) return { traces: found, memory_mib: 0 }
    // From here on the kernel counts the highest anew: what a start takes is not what is looked at.
    writeFileSync(`/proc/${scene.pid()}/clear_refs`, "5")
    return { traces: found, memory_mib: memory(scene.pid()) }
  })

/** An ordinary upload is taken, and can be deleted again. */
const works = (scene: Scene) =>
  Effect.gen(function* () {
    const { status, json } = yield* send(scene, { query: { suite_id: yield* newSuite(scene) }, body: chat })
    expect(json["detail"]).toBeUndefined()
    expect(status).toBe(201)
    expect((yield* call(scene, "DELETE", `/v1/sessions/${json["id"]}`)).status).toBe(204)
  })

/** Memory that a runtime may keep of what it once needed. */
const KEPT_MIB = 128

/**
 * After a fault: no new row, object, open multipart upload or spooled file is left, the service is
 * ready and takes an upload, and its memory is back near to where it was.
 */
export const nothingLeft = (scene: Scene, before: Effect.Effect.Success<ReturnType<typeof atRest>>) =>
  Effect.gen(function* () {
    const left = yield* eventually(traces(scene), (found) => same(found, before.traces))
    expect(left).toEqual(before.traces)
    const ready = yield* eventually(call(scene, "GET", "/ready"), ({ status }) => status === 200)
    expect(ready.status).toBe(200)
    yield* works(scene)
    // A checkpoint that is being written has a temp file for a moment.
    expect(yield* eventually(traces(scene), (found) => same(found, before.traces))).toEqual(before.traces)
    if (scene.pid === undefined) return
    const { pid } = scene
    const bound = before.memory_mib + KEPT_MIB
    const kept = yield* eventually(
      Effect.sync(() => memory(pid())),
      (now) => now <= bound
    )
    expect(kept, `MiB kept, with ${before.memory_mib} at rest`).toBeLessThanOrEqual(bound)
  })
