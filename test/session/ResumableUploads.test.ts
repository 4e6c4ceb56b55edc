import { createHash, randomUUID } from "node:crypto"
import { readdirSync } from "node:fs"
import { rm } from "node:fs/promises"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { Duration, Effect } from "effect"
import { eventually } from "../support/Eventually.ts"
import { key, organization } from "../support/Organizations.ts"
import { rawConnection } from "../support/RawHttp.ts"
import { traces } from "../support/Remains.ts"
import { idOf, metadataOf, sendAll, tusCall, validated } from "../support/Resumable.ts"
import { Stage } from "../support/Stage.ts"
import { TestServer } from "../support/TestServer.ts"
import { call, chat, contentOf, longChat, newSuite, recorder, send, type Target } from "../support/Uploading.ts"
import { zipOf } from "../support/ZipBuilder.ts"

const MIB = 1024 ** 2
const LIMIT_MS = 60_000

const stream = { "content-type": "application/offset+octet-stream" }

/** A new upload of so many bytes; answers its path. */
const opened = (target: Target, length: number, headers: Readonly<Record<string, string>> = {}) =>
  Effect.map(
    tusCall(target, "POST", "/v1/uploads", { "upload-length": String(length), ...headers }),
    (answer) => answer.headers.get("location") ?? `status ${answer.status}`
  )

const offsetOf = (target: Target, path: string) =>
  Effect.map(tusCall(target, "HEAD", path), ({ headers }) => Number(headers.get("upload-offset")))

const append = (
  target: Target,
  path: string,
  offset: number,
  body: BodyInit,
  headers: Readonly<Record<string, string>> = {}
) => tusCall(target, "PATCH", path, { ...stream, "upload-offset": String(offset), ...headers }, body)

const sha1 = (text: string | Uint8Array) => createHash("sha1").update(text).digest("base64")

for (const store of ["file", "s3"] as const) {
  layer(Stage.layer({ store }), { excludeTestServices: true, timeout: LIMIT_MS })(
    `a resumable upload to ${store === "s3" ? "S3" : "files"}`,
    (it) => {
      it.effect("becomes a session of the same bytes by POST /v1/sessions, and leaves nothing beside it", () =>
        Effect.gen(function* () {
          const { scene } = yield* Stage
          const before = yield* traces(scene)
          const suite_id = yield* newSuite(scene)
          const bytes = Buffer.concat([...longChat(40 * MIB)])
          const { url, session_id } = yield* sendAll(scene, bytes, {
            chunkSize: 17 * MIB,
            metadata: { filename: "run.jsonl", suite_id }
          })
          expect(session_id).toBeUndefined()
          const made = yield* call(scene, "POST", "/v1/sessions", { suite_id, upload_ids: [idOf(url)] })
          expect(made.status).toBe(201)
          expect(made.json).toMatchObject({ status: "VALIDATING", record_source: "resumable", format: null })
          const session = yield* validated(scene, made.json["id"])
          expect(session).toMatchObject({ status: "READY", format: "openai.chat", file_count: 1, errors: [] })
          const content = yield* contentOf(scene, session["id"])
          expect(Buffer.from(content["run.jsonl"] ?? "", "latin1").equals(bytes)).toBe(true)
          const after = yield* eventually(traces(scene), (now) => now.objects.length === before.objects.length + 1)
          expect(after.objects.filter((name) => name.includes("/uploads/"))).toEqual([])
          const head = yield* tusCall(scene, "HEAD", url)
          expect([head.headers.get("upload-offset"), head.headers.get("tracepipe-session-id")]).toEqual([
            String(bytes.length),
            session["id"]
          ])
          expect((yield* call(scene, "DELETE", `/v1/sessions/${session["id"]}`)).status).toBe(204)
          expect((yield* traces(scene)).objects).toEqual(before.objects)
        })
      )

      it.effect("in parallel parts becomes one file, and a session by itself", () =>
        Effect.gen(function* () {
          const { scene } = yield* Stage
          const suite_id = yield* newSuite(scene)
          const bytes = Buffer.concat([...longChat(9 * MIB)])
          const { url, session_id } = yield* sendAll(scene, bytes, {
            parallelUploads: 3,
            metadata: { filename: "run.jsonl", suite_id, description: "joined", create_session: "true" }
          })
          const session = yield* validated(scene, session_id)
          expect(session).toMatchObject({ status: "READY", suite_id, description: "joined", file_count: 1 })
          const content = yield* contentOf(scene, session_id)
          expect(Buffer.from(content["run.jsonl"] ?? "", "latin1").equals(bytes)).toBe(true)
          const head = yield* tusCall(scene, "HEAD", url)
          expect([head.headers.get("upload-concat"), head.headers.get("upload-length")]).toEqual([
            expect.stringMatching(/^final;(\/v1\/uploads\/[0-9a-f-]{36} ?){3}$/),
            String(bytes.length)
          ])
          expect((yield* append(scene, url, bytes.length, "more")).status).toBe(403)
        })
      )

      it.effect("keeps of a request that is cut off what came, and goes on there", () =>
        Effect.gen(function* () {
          const { scene } = yield* Stage
          const suite_id = yield* newSuite(scene)
          const bytes = Buffer.concat([...longChat(40 * MIB)])
          const path = yield* opened(scene, bytes.length, {
            "upload-metadata": metadataOf({ suite_id, filename: "run.jsonl", create_session: "" })
          })
          const half = bytes.length / 2 + 12_345
          yield* Effect.scoped(
            Effect.gen(function* () {
              const connection = yield* rawConnection(scene)
              yield* connection.send(
                [
                  `PATCH ${path} HTTP/1.1`,
                  "host: test",
                  `x-api-key: ${scene.api_key}`,
                  "tus-resumable: 1.0.0",
                  "upload-offset: 0",
                  `content-type: ${stream["content-type"]}`,
                  `content-length: ${bytes.length}`,
                  "\r\n"
                ].join("\r\n")
              )
              yield* connection.send(bytes.subarray(0, half))
              // The first parts are durable: what follows them is cut.
              expect(yield* eventually(offsetOf(scene, path), (offset) => offset >= 16 * MIB)).toBe(16 * MIB)
            })
          )
          const offset = yield* eventually(offsetOf(scene, path), (now) => now > 16 * MIB)
          expect(offset).toBeGreaterThan(16 * MIB)
          expect(offset).toBeLessThanOrEqual(half)
          const rest = yield* append(scene, path, offset, bytes.subarray(offset))
          expect([rest.status, rest.headers.get("upload-offset")]).toEqual([204, String(bytes.length)])
          const session = yield* validated(scene, rest.headers.get("tracepipe-session-id"))
          expect(session["status"]).toBe("READY")
          const content = yield* contentOf(scene, session["id"])
          expect(Buffer.from(content["run.jsonl"] ?? "", "latin1").equals(bytes)).toBe(true)
        })
      )

      it.effect("whose content is refused ends in a REJECTED session that says why and holds nothing", () =>
        Effect.gen(function* () {
          const { scene } = yield* Stage
          const before = yield* traces(scene)
          const suite_id = yield* newSuite(scene)
          const zip = zipOf([{ name: "input_events.jsonl", content: '{"type":"click"}\n' }])
          const metadata = { filename: "run.zip", suite_id, create_session: "true" }
          const { session_id } = yield* sendAll(scene, zip, { metadata })
          const session = yield* validated(scene, session_id)
          expect(session).toMatchObject({
            status: "REJECTED",
            status_reason: expect.stringContaining("input_events.jsonl:1"),
            errors: [{ path: "input_events.jsonl:1", message: expect.stringContaining("timestamp") }],
            format: null,
            file_count: 0
          })
          const left = yield* eventually(
            traces(scene),
            (now) => now.objects.length === before.objects.length && now.removals === 0
          )
          expect(left).toEqual({ ...before, sessions: before.sessions + 1 })
          for (const rest of ["files", "timeline", "files/content?path=a"]) {
            const answer = yield* call(scene, "GET", `/v1/sessions/${session_id}/${rest}`)
            expect(answer.status, rest).toBe(409)
            expect(answer.json).toMatchObject({ _tag: "SessionNotReady", code: "conflict", session_status: "REJECTED" })
          }
        })
      )

      it.effect("with a checksum is kept whole or not at all", () =>
        Effect.gen(function* () {
          const { scene } = yield* Stage
          const path = yield* opened(scene, 10)
          const before = yield* traces(scene)
          const wrong = yield* append(scene, path, 0, "hello", { "upload-checksum": `sha1 ${sha1("other")}` })
          expect(wrong.status).toBe(460)
          expect(wrong.json).toMatchObject({ code: "checksum_mismatch", status: 460 })
          expect(yield* offsetOf(scene, path)).toBe(0)
          expect((yield* traces(scene)).objects).toEqual(before.objects)
          const right = yield* append(scene, path, 0, "hello", { "upload-checksum": `sha1 ${sha1("hello")}` })
          expect([right.status, right.headers.get("upload-offset")]).toEqual([204, "5"])
          const unknown = yield* append(scene, path, 5, "hello", { "upload-checksum": "crc7 AAAA" })
          expect(unknown.status).toBe(400)
        })
      )

      it.effect("that is ended leaves nothing", () =>
        Effect.gen(function* () {
          const { scene } = yield* Stage
          const before = yield* traces(scene)
          const path = yield* opened(scene, 10)
          yield* append(scene, path, 0, "hello")
          expect((yield* traces(scene)).objects).toHaveLength(before.objects.length + 1)
          expect((yield* tusCall(scene, "DELETE", path)).status).toBe(204)
          expect(yield* traces(scene)).toEqual(before)
          expect((yield* tusCall(scene, "HEAD", path)).status).toBe(404)
          expect((yield* append(scene, path, 5, "world")).status).toBe(404)
        })
      )
    }
  )
}

const small = Stage.layer({ environment: { MAX_SESSION_BYTES: "1MiB", CORS_ORIGINS: "https://a.example" } })

layer(small, { excludeTestServices: true, timeout: LIMIT_MS })("the protocol", (it) => {
  it.effect("says what is spoken", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const { status, headers } = yield* tusCall(scene, "OPTIONS", "/v1/uploads")
      expect(status).toBe(204)
      expect(Object.fromEntries(headers)).toMatchObject({
        "tus-resumable": "1.0.0",
        "tus-version": "1.0.0",
        "tus-extension": "creation,creation-with-upload,checksum,expiration,termination,concatenation",
        "tus-max-size": String(MIB),
        "tus-checksum-algorithm": expect.stringContaining("sha1")
      })
    })
  )

  it.effect("lets browsers of allowed origins in, and shows them its headers", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const preflight = yield* tusCall(scene, "OPTIONS", "/v1/uploads", {
        origin: "https://a.example",
        "access-control-request-method": "PATCH",
        "access-control-request-headers": "tus-resumable,upload-offset,upload-metadata"
      })
      const allowed = preflight.headers.get("access-control-allow-headers") ?? ""
      for (const name of ["tus-resumable", "upload-length", "upload-offset", "upload-metadata", "upload-concat"]) {
        expect(allowed.split(",")).toContain(name)
      }
      const path = yield* opened(scene, 5)
      const head = yield* tusCall(scene, "HEAD", path, { origin: "https://a.example" })
      const shown = head.headers.get("access-control-expose-headers") ?? ""
      for (const name of ["upload-offset", "upload-length", "location", "tus-resumable", "upload-expires"]) {
        expect(shown.split(",")).toContain(name)
      }
    })
  )

  it.effect("refuses another version, and says which it speaks", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const path = yield* opened(scene, 5)
      for (const [method, at] of [
        ["POST", "/v1/uploads"],
        ["HEAD", path],
        ["PATCH", path],
        ["DELETE", path]
      ] as const) {
        const { status, headers } = yield* tusCall(scene, method, at, { ...stream, "tus-resumable": "0.2.2" })
        expect([status, headers.get("tus-version"), headers.get("tus-resumable")], method).toEqual([
          412,
          "1.0.0",
          "1.0.0"
        ])
      }
    })
  )

  it.effect("takes bytes at the upload's offset only, and no more than are missing", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const path = yield* opened(scene, 10)
      expect((yield* append(scene, path, 0, "hello")).status).toBe(204)
      const wrong = yield* append(scene, path, 3, "lo wo")
      expect(wrong.status).toBe(409)
      expect(wrong.json).toMatchObject({ _tag: "OffsetMismatch", offset: 5 })
      expect((yield* append(scene, path, 5, "too many bytes")).status).toBe(413)
      expect((yield* append(scene, path, 5, "json!", { "content-type": "application/json" })).status).toBe(415)
      expect(yield* offsetOf(scene, path)).toBe(5)
      expect((yield* append(scene, path, 5, "world")).status).toBe(204)
      expect((yield* append(scene, path, 10, "!")).status).toBe(409)
    })
  )

  it.effect("takes the first bytes with the creation, and a method that is named in a header", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const made = yield* tusCall(scene, "POST", "/v1/uploads", { ...stream, "upload-length": "10" }, "hello")
      expect([made.status, made.headers.get("upload-offset")]).toEqual([201, "5"])
      expect(made.json).toMatchObject({ offset: 5, length: 10, status: "OPEN" })
      const path = made.headers.get("location") ?? ""
      const tunnelled = yield* tusCall(
        scene,
        "POST",
        path,
        { ...stream, "upload-offset": "5", "x-http-method-override": "PATCH" },
        "world"
      )
      expect([tunnelled.status, tunnelled.headers.get("upload-offset")]).toEqual([204, "10"])
    })
  )

  it.effect("refuses what is too large, malformed, or of no known suite, before a byte is sent", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const status = (headers: Readonly<Record<string, string>>) =>
        Effect.map(tusCall(scene, "POST", "/v1/uploads", headers), (answer) => answer.status)
      expect(yield* status({ "upload-length": String(MIB + 1) })).toBe(413)
      expect(yield* status({ "upload-length": "-1" })).toBe(400)
      expect(yield* status({})).toBe(400)
      const metadata = (pairs: Readonly<Record<string, string>>) =>
        status({ "upload-length": "5", "upload-metadata": metadataOf(pairs) })
      expect(yield* status({ "upload-length": "5", "upload-metadata": "filename not*base64" })).toBe(400)
      expect(yield* metadata({ suite_id: randomUUID() })).toBe(404)
      expect(yield* metadata({ suite_id: "no-id" })).toBe(422)
      expect(yield* metadata({ create_session: "true" })).toBe(422)
      expect(yield* metadata({ format: "tape" })).toBe(415)
      expect(yield* metadata({ metadata: "{" })).toBe(422)
      expect(yield* metadata({ other: "kept", filename: "a.jsonl" })).toBe(201)
      const two = yield* Effect.forEach([1, 2], () => opened(scene, 700_000, { "upload-concat": "partial" }))
      for (const path of two) yield* append(scene, path, 0, Buffer.alloc(700_000))
      expect(yield* status({ "upload-concat": `final;${two.join(" ")}` })).toBe(413)
    })
  )

  it.effect("joins only partial uploads that are whole, and once", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const joined = (...paths: ReadonlyArray<string>) =>
        tusCall(scene, "POST", "/v1/uploads", { "upload-concat": `final;${paths.join(" ")}` })
      const [first, second] = [
        yield* opened(scene, 5, { "upload-concat": "partial" }),
        yield* opened(scene, 5, { "upload-concat": "partial" })
      ]
      yield* append(scene, first, 0, "hello")
      expect((yield* joined(first, second)).status).toBe(409)
      yield* append(scene, second, 0, "world")
      expect((yield* joined(first, yield* opened(scene, 0))).status).toBe(422)
      expect((yield* joined(first, "/v1/uploads/no-id")).status).toBe(400)
      expect((yield* joined(first, `/v1/uploads/${Bun.randomUUIDv7()}`)).status).toBe(404)
      const final = yield* joined(first, `${scene.base_url}${second}`)
      expect([final.status, final.headers.get("upload-offset")]).toEqual([201, "10"])
      expect((yield* joined(first, second)).status).toBe(409)
      expect((yield* tusCall(scene, "DELETE", first)).status).toBe(409)
      const before = yield* traces(scene)
      expect((yield* tusCall(scene, "DELETE", final.headers.get("location") ?? "")).status).toBe(204)
      expect((yield* traces(scene)).objects).toHaveLength(before.objects.length - 2)
    })
  )

  it.effect("of two requests to one upload lets the later one go on", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const path = yield* opened(scene, 10)
      const connection = yield* rawConnection(scene)
      yield* connection.send(
        [
          `PATCH ${path} HTTP/1.1`,
          "host: test",
          `x-api-key: ${scene.api_key}`,
          "tus-resumable: 1.0.0",
          "upload-offset: 0",
          `content-type: ${stream["content-type"]}`,
          "content-length: 10",
          "\r\nold"
        ].join("\r\n")
      )
      const { sql } = yield* TestServer
      const writer = Effect.map(
        sql<{ writer: string | null }>`select writer from uploads where id = ${idOf(path)}`,
        ([row]) => row?.writer
      )
      expect(yield* eventually(writer, (now) => now !== null)).toEqual(expect.any(String))
      expect((yield* append(scene, path, 0, "new")).headers.get("upload-offset")).toBe("3")
      yield* connection.send("oldold!")
      expect((yield* connection.answer).status).toBe(409)
      expect(yield* offsetOf(scene, path)).toBe(3)
      const parts = (folder: string) =>
        readdirSync(join(scene.data_dir, "objects", "orgs"), { recursive: true })
          .map(String)
          .filter((name) => name.includes(folder) && name.endsWith("/bytes"))
      expect(parts(idOf(path))).toHaveLength(1)
    }).pipe(Effect.scoped)
  )

  it.effect("shows an organization nothing of another's, and a suite's key nothing of other suites", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const suite_id = yield* newSuite(scene)
      const path = yield* opened(scene, 5, { "upload-metadata": metadataOf({ suite_id }) })
      const theirs = yield* organization()
      const restricted = yield* key(theirs, { suite_ids: [yield* newSuite({ ...scene, api_key: theirs.api_key })] })
      for (const { api_key } of [theirs, restricted]) {
        const stranger = { ...scene, api_key }
        expect((yield* tusCall(stranger, "HEAD", path)).status).toBe(404)
        expect((yield* append(stranger, path, 0, "hello")).status).toBe(404)
        expect((yield* tusCall(stranger, "DELETE", path)).status).toBe(404)
        expect((yield* tusCall(stranger, "POST", "/v1/uploads", { "upload-concat": `final;${path}` })).status).toBe(404)
        expect(yield* opened(stranger, 5, { "upload-metadata": metadataOf({ suite_id }) })).toBe("status 404")
        const own = yield* newSuite({ ...scene, api_key: theirs.api_key })
        const claimed = yield* call(stranger, "POST", "/v1/sessions", { suite_id: own, upload_ids: [idOf(path)] })
        expect(claimed.status).toBe(404)
      }
      const own = { ...scene, api_key: restricted.api_key }
      const nameless = yield* opened(own, 5)
      expect((yield* tusCall(own, "HEAD", nameless)).status).toBe(200)
      expect(yield* offsetOf(scene, path)).toBe(0)
    })
  )
})

layer(Stage.layer(), { excludeTestServices: true, timeout: LIMIT_MS })("a session of uploads", (it) => {
  const whole = (target: Target, content: string | Uint8Array, pairs: Readonly<Record<string, string>>) =>
    Effect.map(sendAll(target, Buffer.from(content), { metadata: { ...pairs } }), ({ url }) => idOf(url))

  it.effect("is made of several files, with a zip of screenshots unpacked", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const suite_id = yield* newSuite(scene)
      const events = '{"timestamp":1,"type":"click","target":{"selector":"#a"}}\n'
      const png = Buffer.from("89504e470d0a1a0a0000", "hex")
      const upload_ids = [
        yield* whole(scene, events, { filename: "input_events.jsonl" }),
        yield* whole(scene, zipOf([{ name: "0001.png", content: png }]), { filename: "screenshots.zip" }),
        yield* whole(scene, "note", { filename: "notes/a.txt" })
      ]
      const wanted = { suite_id, upload_ids, description: "three", metadata: { run: 7 } }
      const { json } = yield* call(scene, "POST", "/v1/sessions", wanted)
      const session = yield* validated(scene, json["id"])
      expect(session).toMatchObject({ status: "READY", format: "tracepipe.browser/v1", metadata: { run: 7 } })
      expect(yield* contentOf(scene, session["id"])).toEqual({
        "input_events.jsonl": events,
        "notes/a.txt": "note",
        "screenshots/0001.png": png.toString("latin1")
      })
    })
  )

  it.effect("has the same outcome as the same bytes in one request", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const suite_id = yield* newSuite(scene)
      const recordings = [
        ["a.json", recorder],
        ["a.jsonl", `${chat}{"role":`],
        ["a.bin", "nothing known"],
        ["a.zip", zipOf([{ name: "a/b.jsonl", content: chat }])],
        ["../a.jsonl", chat]
      ] as const
      for (const [file_name, content] of recordings) {
        const bytes = Buffer.from(content)
        const once = yield* send(scene, { query: { suite_id, file_name }, body: bytes })
        const id = yield* whole(scene, bytes, { filename: file_name })
        const { json } = yield* call(scene, "POST", "/v1/sessions", { suite_id, upload_ids: [id] })
        const session = yield* validated(scene, json["id"])
        if (once.status === 201) {
          expect(session, file_name).toMatchObject({ status: "READY", format: once.json["format"] })
          expect(yield* contentOf(scene, session["id"])).toEqual(yield* contentOf(scene, once.json["id"]))
        } else {
          const reason = String(once.json["detail"])
          expect(session, file_name).toMatchObject({ status: "REJECTED", status_reason: reason })
          if (once.json["errors"] !== undefined) expect(session["errors"]).toEqual(once.json["errors"])
        }
      }
    })
  )

  it.effect("whose bytes are gone from the store is REJECTED, and does not stay VALIDATING", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const suite_id = yield* newSuite(scene)
      const id = yield* whole(scene, chat, { filename: "a.jsonl" })
      const [part = ""] = (yield* traces(scene)).objects.filter((name) => name.includes(id))
      yield* Effect.promise(() => rm(join(scene.data_dir, "objects", part)))
      const { json } = yield* call(scene, "POST", "/v1/sessions", { suite_id, upload_ids: [id] })
      const session = yield* validated(scene, json["id"])
      expect(session).toMatchObject({
        status: "REJECTED",
        status_reason: expect.stringContaining("Upload it again"),
        errors: [{ path: "" }]
      })
      const left = yield* eventually(traces(scene), ({ removals }) => removals === 0)
      expect(left.objects.filter((name) => name.includes(id) || name.includes(String(json["id"])))).toEqual([])
    })
  )

  it.effect("takes each upload once and whole; the same key answers the same session", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const suite_id = yield* newSuite(scene)
      const id = yield* whole(scene, chat, { filename: "a.jsonl", suite_id })
      const create = (body: object, headers: Readonly<Record<string, string>> = {}) =>
        Effect.promise(async () => {
          const response = await fetch(`${scene.base_url}/v1/sessions`, {
            method: "POST",
            headers: { "x-api-key": scene.api_key, "content-type": "application/json", ...headers },
            body: JSON.stringify(body)
          })
          const json: Readonly<Record<string, unknown>> = Object(await response.json())
          return { status: response.status, json }
        })
      const half = idOf(yield* opened(scene, 5))
      expect((yield* create({ suite_id, upload_ids: [half] })).json).toMatchObject({
        _tag: "UploadState",
        status: 409,
        upload_status: "OPEN"
      })
      expect((yield* create({ suite_id: yield* newSuite(scene), upload_ids: [id] })).status).toBe(422)
      expect((yield* create({ suite_id, upload_ids: [] })).status).toBe(422)
      expect((yield* create({ upload_ids: [id] })).status).toBe(422)
      expect((yield* create({ suite_id, upload_ids: [id, id] })).status).toBe(422)
      const idempotency = { "idempotency-key": randomUUID() }
      const first = yield* create({ suite_id, upload_ids: [id] }, idempotency)
      expect(first.status).toBe(201)
      const again = yield* create({ suite_id, upload_ids: [id] }, idempotency)
      expect([again.status, again.json["id"]]).toEqual([201, first.json["id"]])
      expect((yield* create({ suite_id, upload_ids: [id], description: "x" }, idempotency)).status).toBe(422)
      expect((yield* create({ suite_id, upload_ids: [id] })).status).toBe(409)
      expect((yield* validated(scene, first.json["id"]))["status"]).toBe("READY")
    })
  )
})

const short = Stage.layer({
  environment: { UPLOAD_TTL: "2 s", UPLOAD_GC_INTERVAL: "1 s" },
  times: { lease: Duration.millis(500), margin: Duration.millis(500) }
})

layer(short, { excludeTestServices: true, timeout: LIMIT_MS })("an upload that nobody comes back for", (it) => {
  it.effect("expires: it is gone, and so are its bytes", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const before = yield* traces(scene)
      const path = yield* opened(scene, 10)
      const head = yield* tusCall(scene, "HEAD", path)
      expect(Date.parse(head.headers.get("upload-expires") ?? "")).toBeGreaterThan(Date.now() - 2000)
      yield* append(scene, path, 0, "hello")
      const gone = yield* eventually(tusCall(scene, "HEAD", path), ({ status }) => status !== 200)
      expect(gone.status).toBe(410)
      const left = yield* eventually(traces(scene), (now) => now.objects.length === before.objects.length)
      expect(left.objects).toEqual(before.objects)
      const { sql } = yield* TestServer
      const rows = Effect.map(sql`select id from uploads`, (found) => found.length)
      expect(yield* eventually(rows, (count) => count === 0)).toBe(0)
      const { text } = yield* Effect.promise(async () => ({
        text: await (await fetch(`${scene.base_url}/metrics`)).text()
      }))
      expect(text).toMatch(/tracepipe_collected_prefixes_total\{kind="expired_uploads"\} 1/)
    })
  )
})
