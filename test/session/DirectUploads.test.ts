import { createHash } from "node:crypto"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import { organization } from "../support/Organizations.ts"
import { traces } from "../support/Remains.ts"
import { validated } from "../support/Resumable.ts"
import { listsUploads } from "../support/S3Server.ts"
import { Stage } from "../support/Stage.ts"
import { TestServer } from "../support/TestServer.ts"
import { call, contentOf, longChat, newSuite, sha256, type Target } from "../support/Uploading.ts"

const MIB = 1024 ** 2
const LIMIT_MS = 60_000

interface Part {
  readonly number: number
  readonly size_bytes: number
  readonly url: string
}

const begun = (target: Target, length: number) =>
  Effect.gen(function* () {
    const suite_id = yield* newSuite(target)
    const made = yield* call(target, "POST", "/v1/uploads/direct", { suite_id, filename: "run.jsonl", length })
    const parts = Array.isArray(made.json["parts"]) ? (made.json["parts"] as ReadonlyArray<Part>) : []
    return { ...made, suite_id, parts, path: `/v1/uploads/direct/${made.json["id"]}` }
  })

/** Sends a part as anybody could who has its URL. */
const put = (url: string, body: Uint8Array | string) =>
  Effect.promise(async () => {
    const response = await fetch(url, { method: "PUT", body: Buffer.from(body) })
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") === true
    return { status: response.status, etag: response.headers.get("etag") ?? "", json: isJson ? JSON.parse(text) : text }
  })

const partOf = (bytes: Uint8Array, { number }: Part, size: number) => bytes.subarray((number - 1) * size, number * size)

const bytes = Buffer.concat([...longChat(40 * MIB)])

// The server that the suite starts cannot tell the parts of an upload.
const stores = listsUploads ? (["file", "s3"] as const) : (["file"] as const)

for (const store of stores) {
  layer(Stage.layer({ store, environment: { LOG_LEVEL: "WARNING" } }), {
    excludeTestServices: true,
    timeout: LIMIT_MS
  })(`a direct upload to ${store === "s3" ? "S3" : "files"}`, (it) => {
    it.effect("goes past the service's credentials, is compared, and becomes a session", () =>
      Effect.gen(function* () {
        const { scene } = yield* Stage
        const before = yield* traces(scene)
        const { status, json, suite_id, parts, path } = yield* begun(scene, bytes.length)
        expect(status).toBe(201)
        expect(json).toMatchObject({ part_size: 16 * MIB, part_count: 3, status: "OPEN", offset: 0 })
        const own = parts.map(({ url }) => url.startsWith(scene.base_url))
        expect(own).toEqual(parts.map(() => store === "file"))
        const told = yield* Effect.forEach(
          parts.toReversed(),
          (part) =>
            Effect.map(put(part.url, partOf(bytes, part, 16 * MIB)), ({ status, etag }) => {
              expect(status).toBe(200)
              return { number: part.number, etag }
            }),
          { concurrency: "unbounded" }
        )
        const done = yield* call(scene, "POST", `${path}/complete`, { parts: told, sha256: sha256(bytes) })
        expect(done.json).toMatchObject({ status: "COMPLETE", offset: bytes.length, parts: [] })
        expect((yield* call(scene, "POST", `${path}/complete`, {})).json["status"]).toBe("COMPLETE")
        const made = yield* call(scene, "POST", "/v1/sessions", { suite_id, upload_ids: [json["id"]] })
        const session = yield* validated(scene, made.json["id"])
        expect(session).toMatchObject({ status: "READY", size_bytes: bytes.length })
        const content = yield* contentOf(scene, session["id"])
        expect(sha256(Buffer.from(content["run.jsonl"] ?? "", "latin1"))).toBe(sha256(bytes))
        const left = yield* eventually(traces(scene), (now) => now.objects.length === before.objects.length + 1)
        expect(left.objects).toHaveLength(before.objects.length + 1)
      })
    )

    it.effect("is not complete while parts are missing, short, or others than was said", () =>
      Effect.gen(function* () {
        const { scene } = yield* Stage
        const { parts, path } = yield* begun(scene, 17 * MIB)
        const [first, second] = parts
        const complete = (body: object) => call(scene, "POST", `${path}/complete`, body)
        const { etag } = yield* put(first?.url ?? "", bytes.subarray(0, 16 * MIB))
        const missing = yield* complete({})
        expect(missing.status).toBe(422)
        expect(missing.json["errors"]).toEqual([{ path: "parts.2", message: "is missing" }])
        const short = yield* put(second?.url ?? "", "short")
        if (store === "file") expect(short.status).toBe(400)
        else {
          expect(short.status).toBe(200)
          expect((yield* complete({})).json["errors"]).toEqual([
            { path: "parts.2", message: `has 5 bytes, and ${MIB} belong to it` }
          ])
        }
        yield* put(second?.url ?? "", bytes.subarray(0, MIB))
        const other = createHash("md5").update("other").digest("hex")
        const wrong = yield* complete({
          parts: [
            { number: 1, etag },
            { number: 2, etag: other }
          ]
        })
        expect(wrong.json["errors"]).toMatchObject([{ path: "parts.2", message: expect.stringContaining("ETag") }])
        expect((yield* complete({ parts: [{ number: 1, etag }] })).status).toBe(200)
      })
    )

    it.effect("whose SHA-256 is another ends in a REJECTED session", () =>
      Effect.gen(function* () {
        const { scene } = yield* Stage
        const { parts, path, suite_id, json } = yield* begun(scene, MIB)
        yield* put(parts[0]?.url ?? "", bytes.subarray(0, MIB))
        yield* call(scene, "POST", `${path}/complete`, { sha256: sha256(Buffer.from("other")) })
        const made = yield* call(scene, "POST", "/v1/sessions", { suite_id, upload_ids: [json["id"]] })
        expect(yield* validated(scene, made.json["id"])).toMatchObject({
          status: "REJECTED",
          errors: [{ path: "run.jsonl", message: expect.stringContaining("SHA-256") }]
        })
      })
    )

    it.effect("that is ended leaves nothing", () =>
      Effect.gen(function* () {
        const { scene } = yield* Stage
        const before = yield* traces(scene)
        const { parts, path } = yield* begun(scene, MIB)
        yield* put(parts[0]?.url ?? "", bytes.subarray(0, MIB))
        expect((yield* call(scene, "DELETE", path)).status).toBe(204)
        expect((yield* traces(scene)).objects).toEqual(before.objects)
        expect((yield* call(scene, "GET", path)).status).toBe(404)
        expect((yield* put(parts[0]?.url ?? "", bytes.subarray(0, MIB))).status).toBeGreaterThanOrEqual(400)
      })
    )
  })
}

for (const store of stores) {
  layer(Stage.layer({ store, environment: { UPLOAD_TTL: "3 s", UPLOAD_GC_INTERVAL: "1 s" } }), {
    excludeTestServices: true,
    timeout: LIMIT_MS
  })(`a direct upload to ${store === "s3" ? "S3" : "files"} that nobody completes`, (it) => {
    it.effect("expires, and its parts are gone", () =>
      Effect.gen(function* () {
        const { scene } = yield* Stage
        const before = yield* traces(scene)
        const { parts, path } = yield* begun(scene, 17 * MIB)
        expect((yield* put(parts[0]?.url ?? "", bytes.subarray(0, 16 * MIB))).status).toBe(200)
        expect(yield* traces(scene)).not.toEqual(before)
        // Not by asking for URLs, which keeps it where the store alone knows what comes.
        const late = yield* eventually(call(scene, "POST", `${path}/complete`, {}), ({ status }) => status !== 422)
        expect([404, 410]).toContain(late.status)
        expect((yield* call(scene, "GET", path)).status).toBe(late.status)
        const left = yield* eventually(traces(scene), (now) => JSON.stringify(now) === JSON.stringify(before))
        expect(left).toEqual(before)
      })
    )
  })
}

const small = Stage.layer({ environment: { MAX_SESSION_BYTES: "1MiB", PUBLIC_URL: "https://tracepipe.example" } })

layer(small, { excludeTestServices: true, timeout: LIMIT_MS })("a URL that this service has signed", (it) => {
  it.effect("holds for its part, its upload and its time alone", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const { parts, json } = yield* begun(scene, 10)
      const { json: other } = yield* begun(scene, 10)
      const url = parts[0]?.url ?? ""
      expect(url).toMatch(/^https:\/\/tracepipe\.example\/v1\/uploads\/direct\//)
      const here = url.replace("https://tracepipe.example", scene.base_url)
      const refused = [
        here.replace("number=1", "number=2"),
        here.replace(String(json["id"]), String(other["id"])),
        here.replace(/expires=\d+/, "expires=99999999999"),
        here.replace(/signature=.*/, `signature=${"0".repeat(64)}`)
      ]
      for (const one of refused) {
        const { status, json } = yield* put(one, "0123456789")
        expect([status, json._tag], one).toEqual([404, "NotFound"])
      }
      expect((yield* put(here, "0123456789 and more")).status).toBe(413)
      expect((yield* put(here, "0123456789")).status).toBe(200)
      expect((yield* put(here, "9876543210")).status).toBe(200)
      const { sql } = yield* TestServer
      const [row] = yield* sql<{
        parts: ReadonlyArray<object>
      }>`select parts from uploads where id = ${String(json["id"])}`
      expect(row?.parts).toHaveLength(1)
      const objects = (yield* traces(scene)).objects.filter((name) => name.includes(String(json["id"])))
      expect(objects).toHaveLength(1)
    })
  )

  it.effect("is made for no upload that is too large, and shown to no other organization", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      expect((yield* begun(scene, MIB + 1)).status).toBe(413)
      const { path } = yield* begun(scene, 10)
      const { api_key } = yield* organization()
      const stranger = { ...scene, api_key }
      expect((yield* call(stranger, "GET", path)).status).toBe(404)
      expect((yield* call(stranger, "POST", `${path}/complete`, {})).status).toBe(404)
      expect((yield* call(stranger, "DELETE", path)).status).toBe(404)
      const again = yield* call(scene, "GET", path)
      expect(again.json["parts"]).toMatchObject([{ number: 1, size_bytes: 10 }])
    })
  )
})
