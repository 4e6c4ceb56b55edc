import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { childService } from "../support/ChildService.ts"
import { eventually } from "../support/Eventually.ts"
import { atRest, type Scene, traces } from "../support/Remains.ts"
import { begun, idOf, sendAll, tusCall, validated } from "../support/Resumable.ts"
import { bucketBehindProxy } from "../support/Stage.ts"
import { call, contentOf, longChat, newSuite, sha256 } from "../support/Uploading.ts"

const MIB = 1024 ** 2
const LIMIT_MS = 180_000

const long = Buffer.concat([...longChat(96 * MIB)])

const running = (store: "file" | "s3") =>
  Effect.gen(function* () {
    const bucket = store === "s3" ? yield* bucketBehindProxy : undefined
    const service = yield* childService({ environment: { LOG_LEVEL: "WARNING", ...bucket?.environment } })
    const scene: Scene = {
      base_url: service.base_url,
      api_key: service.api_key,
      data_dir: service.data_dir,
      database_url: service.database.app,
      ...(bucket === undefined ? {} : { s3: bucket.s3 })
    }
    return { service, scene }
  })

const test = (name: string, body: () => Effect.Effect<void, unknown, Scope.Scope>) =>
  it.scopedLive(name, () => Effect.orDie(body()), LIMIT_MS)

const offsetOf = (scene: Scene, url: string) =>
  Effect.map(tusCall(scene, "HEAD", url), ({ headers }) => Number(headers.get("upload-offset")))

describe("a service that is killed with -9", () => {
  for (const store of ["file", "s3"] as const) {
    test(`in the middle of a resumable upload to ${store} tells the right offset, and the client goes on`, () =>
      Effect.gen(function* () {
        const { service, scene } = yield* running(store)
        const suite_id = yield* newSuite(scene)
        let resumed_at: number | undefined
        let killed = false
        const { upload, sent } = begun(scene, long, {
          metadata: { suite_id, filename: "run.jsonl", create_session: "true" },
          retryDelays: Array.from({ length: 100 }, () => 200),
          onProgress: (at) => {
            // The first figure after the start is where the service said that it was.
            if (killed) resumed_at ??= at
          }
        })
        upload.start()
        yield* eventually(
          Effect.sync(() => upload.url),
          (url) => url !== null
        )
        const url = upload.url ?? ""
        const before = yield* eventually(offsetOf(scene, url), (offset) => offset >= 16 * MIB)
        yield* service.end("SIGKILL")
        killed = true
        yield* service.start
        const offset = yield* offsetOf(scene, url)
        expect(offset).toBeGreaterThanOrEqual(before)
        const { session_id } = yield* Effect.promise(() => sent)
        expect(before).toBeLessThan(long.length)
        expect(resumed_at).toBeGreaterThanOrEqual(before)
        const session = yield* validated(scene, session_id, 60_000)
        expect(session).toMatchObject({ status: "READY", size_bytes: long.length })
        const content = yield* contentOf(scene, session_id)
        expect(sha256(Buffer.from(content["run.jsonl"] ?? "", "latin1"))).toBe(sha256(long))
      }))

    test(`in the middle of a validation over ${store} validates again, and leaves nothing of the first attempt`, () =>
      Effect.gen(function* () {
        const { service, scene } = yield* running(store)
        const before = yield* atRest(scene)
        const suite_id = yield* newSuite(scene)
        const { url } = yield* sendAll(scene, long, { metadata: { filename: "run.jsonl" } })
        const stored = (yield* traces(scene)).objects
        const { json } = yield* call(scene, "POST", "/v1/sessions", { suite_id, upload_ids: [idOf(url)] })
        if (store === "file") {
          const begun = yield* eventually(traces(scene), (now) => now.objects.length > stored.length)
          expect(begun.objects.length).toBeGreaterThan(stored.length)
        }
        expect((yield* call(scene, "GET", `/v1/sessions/${json["id"]}`)).json["status"]).toBe("VALIDATING")
        yield* service.end("SIGKILL")
        yield* service.start
        const session = yield* validated(scene, json["id"], 60_000)
        expect(session).toMatchObject({ status: "READY", size_bytes: long.length })
        const content = yield* contentOf(scene, json["id"])
        expect(sha256(Buffer.from(content["run.jsonl"] ?? "", "latin1"))).toBe(sha256(long))
        const left = yield* eventually(
          traces(scene),
          ({ objects }) => objects.length === before.traces.objects.length + 1
        )
        expect(left.objects).toHaveLength(before.traces.objects.length + 1)
        expect((yield* call(scene, "DELETE", `/v1/sessions/${json["id"]}`)).status).toBe(204)
        expect(yield* traces(scene)).toEqual(before.traces)
      }))
  }
})
