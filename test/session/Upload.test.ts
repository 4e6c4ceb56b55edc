import { readdirSync } from "node:fs"
import { buffer } from "node:stream/consumers"
import { gzipSync, zstdCompressSync } from "node:zlib"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import tar from "tar-stream"
import { Format } from "../../src/domain/session/Session.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { rawConnection, uploadHead } from "../support/RawHttp.ts"
import { describeShared, sharedBytes, sharedFile } from "../support/SharedData.ts"
import { TestServer } from "../support/TestServer.ts"
import {
  call,
  chat,
  contentOf,
  download,
  filesOf,
  formOf,
  inputEvents,
  longChat,
  networkTraffic,
  newSuite,
  type Part,
  png,
  recorder,
  type Sending,
  send,
  sha256,
  streamed
} from "../support/Uploading.ts"
import { zipOf } from "../support/ZipBuilder.ts"

const tarOf = (files: Readonly<Record<string, string>>): Effect.Effect<Buffer> =>
  Effect.promise(() => {
    const pack = tar.pack()
    for (const [name, content] of Object.entries(files)) pack.entry({ name }, content)
    pack.finalize()
    return buffer(pack)
  })

const browserFiles = { "input_events.jsonl": inputEvents, "network_traffic.jsonl": networkTraffic }
const browserZip = zipOf(Object.entries(browserFiles).map(([name, content]) => ({ name, content })))

/** An upload to a suite of its own. */
const upload = ({ query = {}, ...sending }: Sending) =>
  Effect.gen(function* () {
    const server = yield* TestServer
    const suite_id = query["suite_id"] ?? (yield* newSuite(server))
    return yield* send(server, { ...sending, query: { suite_id, ...query } })
  })

const uploadForm = (parts: ReadonlyArray<Part>) =>
  Effect.gen(function* () {
    const server = yield* TestServer
    return yield* send(server, { body: formOf([["suite_id", yield* newSuite(server)], ...parts]) })
  })

/** What a session holds after an upload that has to succeed. */
const stored = (parts: ReadonlyArray<Part>) =>
  Effect.gen(function* () {
    const { status, json } = yield* uploadForm(parts)
    expect([status, json["detail"]]).toEqual([201, undefined])
    return { session: json, files: yield* contentOf(yield* TestServer, json["id"]) }
  })

const storedRaw = (sending: Sending) =>
  Effect.gen(function* () {
    const { status, json } = yield* upload(sending)
    expect([status, json["detail"]]).toEqual([201, undefined])
    return { session: json, files: yield* contentOf(yield* TestServer, json["id"]) }
  })

const count = (table: "sessions" | "idempotency_keys") =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const rows = yield* sql<{ count: string }>`select count(*) as count from ${sql(table)}`
    return Number(rows[0]?.count)
  })

layer(TestServer.layer(), { excludeTestServices: true })("an upload form", (it) => {
  it.effect("with its fields and files makes a session that holds the files as they were", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const suite_id = yield* newSuite(server)
      const body = formOf([
        ["description", "bought a coffee"],
        ["metadata", '{"who":"me","n":1}'],
        ["suite_id", suite_id],
        ["shot", png, "end.png"],
        ["network_traffic", networkTraffic, "net.log"],
        ["notes", "free text", "notes/read me.txt"],
        ["input_events", inputEvents, "events.log"]
      ])
      const { status, headers, json } = yield* send(server, { body })
      expect(status).toBe(201)
      expect(headers.get("location")).toBe(`/v1/sessions/${json["id"]}`)
      expect(json).toMatchObject({
        suite_id,
        description: "bought a coffee",
        metadata: { who: "me", n: 1 },
        format: "tracepipe.browser/v1",
        status: "READY",
        record_source: "upload",
        file_count: 4,
        size_bytes: inputEvents.length + networkTraffic.length + png.length + 9
      })
      expect(yield* contentOf(server, json["id"])).toEqual({
        "end.png": png.toString("latin1"),
        "input_events.jsonl": inputEvents,
        "network_traffic.jsonl": networkTraffic,
        "notes/read me.txt": "free text"
      })
      const lines = Object.fromEntries((yield* filesOf(server, json["id"])).map((file) => [file.path, file.line_count]))
      expect(lines).toEqual({
        "end.png": null,
        "input_events.jsonl": 1,
        "network_traffic.jsonl": 1,
        "notes/read me.txt": null
      })
      expect((yield* call(server, "GET", `/v1/sessions/${json["id"]}`)).json).toEqual(json)
    })
  )

  it.effect("takes screenshots as files and as a zip, whatever its name says", () =>
    Effect.gen(function* () {
      const zip = zipOf([
        { name: "shots/2.png", content: png },
        { name: "shots/3.png", content: png }
      ])
      const { files } = yield* stored([
        ["input_events", inputEvents, "e.jsonl"],
        ["screenshots", png, "folder/1.png"],
        ["screenshots", zip, "blob"]
      ])
      expect(Object.keys(files).sort()).toEqual([
        "input_events.jsonl",
        "screenshots/1.png",
        "screenshots/2.png",
        "screenshots/3.png"
      ])
    })
  )

  it.effect("takes a bundle as zip, tar, tar.gz and tar.zst", () =>
    Effect.gen(function* () {
      const packed = yield* tarOf(browserFiles)
      const bundles = [browserZip, packed, gzipSync(packed), zstdCompressSync(packed), gzipSync(browserZip)]
      for (const bundle of bundles) {
        const { files, session } = yield* stored([["bundle", bundle, "bundle.bin"]])
        expect(files).toEqual(browserFiles)
        expect(session["format"]).toBe("tracepipe.browser/v1")
      }
    })
  )

  it.effect("keeps files of every other part under their own names, of any script", () =>
    Effect.gen(function* () {
      const { files } = yield* stored([
        ["file", chat, "録画/対話 é.jsonl"],
        ["file", "{}", "a b;c'd.json"]
      ])
      expect(files).toEqual({ "録画/対話 é.jsonl": chat, "a b;c'd.json": "{}" })
    })
  )

  it.effect("may send a field as a browser sends a Blob, and a file input that was left empty", () =>
    Effect.gen(function* () {
      const { files, session } = yield* stored([
        ["metadata", '{"from":"blob"}', "blob"],
        ["input_events", "", ""],
        ["file", chat, "chat.jsonl"]
      ])
      expect(session["metadata"]).toEqual({ from: "blob" })
      expect(files).toEqual({ "chat.jsonl": chat })
    })
  )

  it.effect("may have its fields in the query", () =>
    Effect.gen(function* () {
      const { status, json } = yield* upload({
        query: { description: "from the query", metadata: '{"a":1}' },
        body: formOf([["file", chat, "chat.jsonl"]])
      })
      expect(status).toBe(201)
      expect(json).toMatchObject({ description: "from the query", metadata: { a: 1 } })
    })
  )

  it.effect.each<readonly [string, ReadonlyArray<Part>, number, string]>([
    ["nothing", [], 422, "suite_id: must be given before the first file, or in the query"],
    ["a file before its suite", [["f", chat, "chat.jsonl"]], 422, "suite_id: must be given before the first file"],
    [
      "a field that is none",
      [
        ["suite_id", "x"],
        ["input_events", "text"]
      ],
      422,
      "input_events: is not a field; a file part needs a file name"
    ],
    [
      "a field twice",
      [
        ["suite_id", "x"],
        ["suite_id", "y"]
      ],
      422,
      "suite_id: is given twice"
    ],
    ["a suite that is no id", [["suite_id", "x"]], 422, "suite_id: "],
    [
      "a suite that does not exist",
      [["suite_id", "01a1fcd8-1f7b-779d-a182-9bf645c8c852"]],
      404,
      "there is no suite 01a1fcd8-1f7b-779d-a182-9bf645c8c852"
    ]
  ])("that holds %s is refused", ([, parts, status, detail]) =>
    Effect.gen(function* () {
      const answer = yield* send(yield* TestServer, { body: formOf(parts) })
      expect(answer.status).toBe(status)
      expect(answer.json["detail"]).toContain(detail)
      expect(answer.headers.get("content-type")).toBe("application/problem+json")
    })
  )

  it.effect.each<readonly [string, ReadonlyArray<Part>, number, string]>([
    ["no file", [], 422, "the upload holds no file"],
    ["only an empty file of no kind", [["f", "", "empty.bin"]], 415, "no file is a known recording: empty.bin"],
    [
      "a field after a file",
      [
        ["f", chat, "c.jsonl"],
        ["description", "late"]
      ],
      422,
      "description: fields come before the first file"
    ],
    [
      "two files of one name",
      [
        ["f", chat, "c.jsonl"],
        ["g", chat, "c.jsonl"]
      ],
      422,
      "c.jsonl: two files have this name"
    ],
    [
      "a file where another has a folder",
      [
        ["f", chat, "a/c.jsonl"],
        ["g", chat, "a"]
      ],
      422,
      "a: a folder has this name"
    ],
    [
      "a folder where another is a file",
      [
        ["f", chat, "a"],
        ["g", chat, "a/b/c.jsonl"]
      ],
      422,
      'a/b/c.jsonl: its folder "a" is a file'
    ],
    ["metadata that is no JSON", [["metadata", "{"]], 422, "metadata: "],
    ["metadata that is no object", [["metadata", "[1]"]], 422, "metadata: "],
    ["metadata with a NUL", [["metadata", '{"a":"\\u0000"}']], 422, "metadata: must hold no NUL"],
    ["metadata with half a surrogate", [["metadata", '{"a":"\\ud800"}']], 422, "metadata: must hold no NUL"],
    [
      "metadata above 64 KiB",
      [["metadata", JSON.stringify({ a: "b".repeat(65_530) })]],
      422,
      "metadata: must be at most 65536 bytes of JSON"
    ],
    ["a description above 10,000 characters", [["description", "d".repeat(10_001)]], 422, "description: "],
    ["a description with a NUL", [["description", "a\0b"]], 422, "description: must hold no NUL"],
    ["a field above 128 KiB", [["description", "d".repeat(140_000)]], 413, '"description": a form field has at most'],
    ["an unknown format", [["format", "betamax"]], 415, 'format: "betamax" is not known']
  ])("that holds %s is refused and leaves nothing", ([, parts, status, detail]) =>
    Effect.gen(function* () {
      const before = yield* count("sessions")
      const answer = yield* uploadForm(parts)
      expect([answer.status, answer.json["detail"]]).toEqual([status, expect.stringContaining(detail)])
      expect(yield* count("sessions")).toBe(before)
    })
  )

  it.effect("that gives a field in the form and in the query is refused", () =>
    Effect.gen(function* () {
      const answer = yield* upload({ query: { description: "a" }, body: formOf([["description", "b"]]) })
      expect([answer.status, answer.json["detail"]]).toEqual([422, "description: is given twice"])
    })
  )

  it.effect("holds metadata of exactly 64 KiB, and a description of 10,000 characters", () =>
    Effect.gen(function* () {
      const metadata = JSON.stringify({ a: "b".repeat(65_536 - 8) })
      const { session } = yield* stored([
        ["metadata", metadata],
        ["description", "é".repeat(10_000)],
        ["f", chat, "c.jsonl"]
      ])
      expect(JSON.stringify(session["metadata"])).toBe(metadata)
    })
  )

  it.effect("holds metadata that takes more room in the database than on the wire", () =>
    Effect.gen(function* () {
      const answer = yield* uploadForm([
        ["metadata", JSON.stringify({ a: Array.from({ length: 10_000 }, () => 1e300) })],
        ["f", chat, "c.jsonl"]
      ])
      expect(answer.status).toBeLessThan(500)
    })
  )

  it.effect("may hold empty files", () =>
    Effect.gen(function* () {
      const { files, session } = yield* stored([
        ["input_events", inputEvents, "e.jsonl"],
        ["network_traffic", "", "n.jsonl"]
      ])
      expect(files).toEqual({ "input_events.jsonl": inputEvents, "network_traffic.jsonl": "" })
      expect(session).toMatchObject({ file_count: 2, size_bytes: inputEvents.length })
    })
  )

  it.effect("lists the formats it knows when it finds none, or is named one that it does not know", () =>
    Effect.gen(function* () {
      const { status, json } = yield* uploadForm([["f", '{"hello":"world"}', "x.json"]])
      expect(status).toBe(415)
      expect(json).toMatchObject({ code: "unsupported_media_type", known: Format.literals })
      expect(json["detail"]).toContain("x.json")
      const named = yield* uploadForm([["format", "betamax"]])
      expect(named.json).toMatchObject({ code: "unsupported_media_type", known: Format.literals })
    })
  )

  it.effect("may name its format", () =>
    Effect.gen(function* () {
      const { session } = yield* stored([
        ["format", "har"],
        ["f", '{"hello":"world"}', "x.json"]
      ])
      expect(session["format"]).toBe("har")
    })
  )

  it.effect("names the part and the line that are wrong, ten lines at most", () =>
    Effect.gen(function* () {
      const { status, json } = yield* uploadForm([
        ["input_events", `${inputEvents}{\n${inputEvents}${"nonsense\n".repeat(20)}`, "e.jsonl"]
      ])
      expect(status).toBe(422)
      const numbers = [2, 4, 5, 6, 7, 8, 9, 10, 11, 12]
      expect(json["errors"]).toEqual([
        ...numbers.map((line) => ({
          path: `input_events.jsonl:${line}`,
          message: expect.stringContaining("not JSON")
        })),
        { path: "input_events.jsonl", message: "11 more lines are bad" }
      ])
    })
  )

  it.effect.each(["../../etc/passwd", "/etc/passwd", "a/../b", "a\\b", "C:/x", "a//b", "./a", "a/", "."])(
    "refuses a file named %j, as a file, a screenshot and in a zip",
    (name) =>
      Effect.gen(function* () {
        const forms: ReadonlyArray<ReadonlyArray<Part>> = [
          [["f", chat, name]],
          [
            ["input_events", inputEvents, "e.jsonl"],
            ["screenshots", png, name]
          ],
          [["bundle", zipOf([{ name, content: chat }]), "b.zip"]]
        ]
        for (const parts of forms) {
          const { status, json } = yield* uploadForm(parts)
          expect([parts[0]?.[0], status, json["code"]]).toEqual([parts[0]?.[0], 422, "validation_error"])
        }
      })
  )
})

layer(TestServer.layer(), { excludeTestServices: true })("a raw upload", (it) => {
  const packed = Effect.runPromise(tarOf(browserFiles))

  it.effect("of one file is kept under the name it is given, or one that fits its type", () =>
    Effect.gen(function* () {
      const named = yield* storedRaw({ query: { file_name: "checkout.json" }, body: recorder })
      expect(named.files).toEqual({ "checkout.json": recorder })
      expect(named.session["format"]).toBe("chrome.recorder")
      const json = yield* storedRaw({ headers: { "content-type": "application/json" }, body: recorder })
      expect(json.files).toEqual({ "recording.json": recorder })
      const lines = yield* storedRaw({ headers: { "content-type": "application/x-ndjson" }, body: chat })
      expect(lines.files).toEqual({ "recording.jsonl": chat })
      // What `curl --data-binary` says by itself.
      const form = { "content-type": "application/x-www-form-urlencoded" }
      expect((yield* storedRaw({ headers: form, body: chat })).files).toEqual({ recording: chat })
    })
  )

  it.effect("has its fields in the query", () =>
    Effect.gen(function* () {
      const { session } = yield* storedRaw({
        query: { description: "d", metadata: '{"a":1}', format: "openai.chat" },
        body: chat
      })
      expect(session).toMatchObject({ description: "d", metadata: { a: 1 }, format: "openai.chat" })
    })
  )

  it.effect("of an archive is expanded", () =>
    Effect.gen(function* () {
      const archive = yield* Effect.promise(() => packed)
      for (const body of [browserZip, archive, gzipSync(archive), zstdCompressSync(archive)]) {
        expect((yield* storedRaw({ body: Uint8Array.from(body) })).files).toEqual(browserFiles)
      }
    })
  )

  it.effect("of a compressed file is kept decompressed, without the ending", () =>
    Effect.gen(function* () {
      const gz = yield* storedRaw({ query: { file_name: "c.jsonl.gz" }, body: gzipSync(chat) })
      expect(gz.files).toEqual({ "c.jsonl": chat })
      const zst = yield* storedRaw({ query: { file_name: "c.jsonl.zst" }, body: zstdCompressSync(chat) })
      expect(zst.files).toEqual({ "c.jsonl": chat })
    })
  )

  it.effect("may be compressed for the way, whatever it is", () =>
    Effect.gen(function* () {
      const archive = yield* Effect.promise(() => packed)
      const gzip = { "content-encoding": "gzip" }
      expect(
        (yield* storedRaw({ headers: gzip, query: { file_name: "c.jsonl" }, body: gzipSync(chat) })).files
      ).toEqual({
        "c.jsonl": chat
      })
      const zstd = { "content-encoding": "ZSTD" }
      expect((yield* storedRaw({ headers: zstd, body: zstdCompressSync(chat) })).files).toEqual({ recording: chat })
      expect((yield* storedRaw({ headers: gzip, body: gzipSync(browserZip) })).files).toEqual(browserFiles)
      expect((yield* storedRaw({ headers: gzip, body: gzipSync(gzipSync(archive)) })).files).toEqual(browserFiles)
    })
  )

  it.effect.each([
    ["an encoding that is not known", { "content-encoding": "br" }, chat, 415, "Content-Encoding: br"],
    ["two encodings", { "content-encoding": "gzip, zstd" }, chat, 415, "Content-Encoding: gzip, zstd"],
    ["an encoding that it does not have", { "content-encoding": "gzip" }, chat, 422, "the archive is broken"],
    ["half of an archive", {}, browserZip.subarray(0, 100), 422, "the archive is broken"],
    ["half of a gzip", {}, gzipSync(chat).subarray(0, 30), 422, "the archive is broken"],
    ["no bytes", {}, null, 400, "the body is empty"],
    ["a key that is no key", { "idempotency-key": "x".repeat(256) }, chat, 400, "Idempotency-Key must be"]
  ] as const)("with %s is refused", ([, headers, body, status, detail]) =>
    Effect.gen(function* () {
      const bytes = typeof body === "string" || body === null ? body : Uint8Array.from(body)
      const answer = yield* upload({ headers, body: bytes })
      expect([answer.status, answer.json["detail"]]).toEqual([status, expect.stringContaining(detail)])
    })
  )

  it.effect("of a form with an encoding is refused", () =>
    Effect.gen(function* () {
      const answer = yield* upload({ headers: { "content-encoding": "gzip" }, body: formOf([["f", chat, "c.jsonl"]]) })
      expect([answer.status, answer.json["code"]]).toEqual([415, "unsupported_media_type"])
    })
  )

  it.effect("that says the same field twice is a 400", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const suite_id = yield* newSuite(server)
      const response = yield* Effect.promise(() =>
        fetch(`${server.base_url}/v1/sessions?suite_id=${suite_id}&suite_id=${suite_id}`, {
          method: "POST",
          headers: { "x-api-key": server.api_key },
          body: chat
        })
      )
      expect(response.status).toBe(400)
    })
  )

  it.effect("of 200 MB comes back as it was", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const sent = new Bun.CryptoHasher("sha256")
      const pieces = function* () {
        for (const piece of longChat(200_000_000)) {
          sent.update(piece)
          yield piece
        }
      }
      const { status, json } = yield* upload({ query: { file_name: "long.jsonl" }, body: streamed(pieces()) })
      expect(status).toBe(201)
      const digest = sent.digest("hex")
      expect(yield* filesOf(server, json["id"])).toMatchObject([{ path: "long.jsonl", sha256: digest }])
      const received = new Bun.CryptoHasher("sha256")
      yield* Effect.promise(async () => {
        const path = `${server.base_url}/v1/sessions/${json["id"]}/files/content?path=long.jsonl`
        const { body } = await fetch(path, { headers: { "x-api-key": server.api_key } })
        await body?.pipeTo(new WritableStream({ write: (chunk) => void received.update(chunk) }))
      })
      expect(received.digest("hex")).toBe(digest)
    })
  )
})

layer(TestServer.layer(), { excludeTestServices: true })("an upload by a key", (it) => {
  const keyFor = (body: Readonly<Record<string, unknown>>) =>
    Effect.gen(function* () {
      const { status, json } = yield* call(yield* TestServer, "POST", "/v1/api-keys", { name: "restricted", ...body })
      expect(status).toBe(201)
      return String(json["key"])
    })

  it.effect("that is restricted to a suite goes there and nowhere else", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const [mine, other] = [yield* newSuite(server), yield* newSuite(server)]
      const api_key = yield* keyFor({ suite_ids: [mine] })
      expect((yield* upload({ api_key, query: { suite_id: mine }, body: chat })).status).toBe(201)
      const refused = yield* upload({ api_key, query: { suite_id: other }, body: chat })
      expect([refused.status, refused.json["detail"]]).toEqual([404, `there is no suite ${other}`])
    })
  )

  it.effect("that may only read is a 403", () =>
    Effect.gen(function* () {
      const api_key = yield* keyFor({ scopes: ["sessions:read", "suites:read"] })
      expect((yield* upload({ api_key, body: chat })).status).toBe(403)
    })
  )

  it.effect("that is none is a 401", () =>
    Effect.gen(function* () {
      expect((yield* upload({ api_key: KeyFormat.make(), body: chat })).status).toBe(401)
    })
  )
})

layer(TestServer.layer(), { excludeTestServices: true })("an upload with an Idempotency-Key", (it) => {
  const one: ReadonlyArray<Part> = [
    ["description", "once"],
    ["metadata", '{"a":1,"b":2}'],
    ["f", chat, "c.jsonl"],
    ["g", "{}", "d.json"]
  ]

  const keyed = (suite_id: string, key: string, parts: ReadonlyArray<Part>, api_key?: string) =>
    Effect.flatMap(TestServer, (server) =>
      send(server, {
        headers: { "idempotency-key": key },
        query: { suite_id },
        body: formOf(parts),
        ...(api_key === undefined ? {} : { api_key })
      })
    )

  const objectFolders = Effect.gen(function* () {
    const { data_dir } = yield* TestServer
    const glob = new Bun.Glob("orgs/*/sessions/*")
    return [...glob.scanSync({ cwd: `${data_dir}/objects`, onlyFiles: false })]
  })

  it.effect("answers the same session to the same content, in whatever order, and stores it once", () =>
    Effect.gen(function* () {
      const suite_id = yield* newSuite(yield* TestServer)
      const first = yield* keyed(suite_id, "again", one)
      expect(first.status).toBe(201)
      const folders = yield* objectFolders
      const other: ReadonlyArray<Part> = [
        ["metadata", '{"b":2,  "a":1}'],
        ["description", "once"],
        ["x", "{}", "d.json"],
        ["y", chat, "c.jsonl"]
      ]
      for (const parts of [one, other]) {
        const again = yield* keyed(suite_id, "again", parts)
        expect([again.status, again.json]).toEqual([201, first.json])
      }
      const zip = zipOf([
        { name: "c.jsonl", content: chat },
        { name: "d.json", content: "{}" }
      ])
      const packed = yield* keyed(suite_id, "again", [...one.slice(0, 2), ["bundle", zip, "b.zip"]])
      expect(packed.json).toEqual(first.json)
      expect(yield* objectFolders).toEqual(folders)
    })
  )

  it.effect("is a 422 with other content, another field or another suite", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const suite_id = yield* newSuite(server)
      expect((yield* keyed(suite_id, "taken", one)).status).toBe(201)
      const [folders, sessions] = [yield* objectFolders, yield* count("sessions")]
      const others: ReadonlyArray<readonly [string, ReadonlyArray<Part>]> = [
        [suite_id, [...one, ["h", "{}", "e.json"]]],
        [suite_id, one.with(0, ["description", "twice"])],
        [suite_id, one.with(2, ["f", chat, "renamed.jsonl"])],
        [suite_id, one.with(2, ["f", chat + chat, "c.jsonl"])],
        [yield* newSuite(server), one]
      ]
      for (const [suite, parts] of others) {
        const refused = yield* keyed(suite, "taken", parts)
        expect([refused.status, refused.json["code"]]).toEqual([422, "validation_error"])
        expect(refused.json["detail"]).toBe('the Idempotency-Key "taken" was used with other content')
      }
      expect([yield* objectFolders, yield* count("sessions")]).toEqual([folders, sessions])
    })
  )

  it.effect("makes one session of eight that come at once", () =>
    Effect.gen(function* () {
      const suite_id = yield* newSuite(yield* TestServer)
      const [folders, sessions] = [yield* objectFolders, yield* count("sessions")]
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, () => keyed(suite_id, "race", one)),
        { concurrency: "unbounded" }
      )
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
      expect(new Set(answers.map(({ json }) => json["id"])).size).toBe(1)
      expect(yield* count("sessions")).toBe(sessions + 1)
      expect((yield* objectFolders).length).toBe(folders.length + 1)
      expect(yield* contentOf(yield* TestServer, answers[0]?.json["id"])).toEqual({ "c.jsonl": chat, "d.json": "{}" })
    })
  )

  it.effect("makes one session of those that come at once and refuses those of other content", () =>
    Effect.gen(function* () {
      const suite_id = yield* newSuite(yield* TestServer)
      const answers = yield* Effect.forEach(
        [0, 1, 0, 1, 0, 1],
        (which) => keyed(suite_id, "race of two", [["f", chat.repeat(1 + which), "c.jsonl"]]),
        { concurrency: "unbounded" }
      )
      const ids = answers.filter(({ status }) => status === 201).map(({ json }) => json["id"])
      expect(new Set(ids).size).toBe(1)
      expect(ids).toHaveLength(3)
      expect(answers.filter(({ status }) => status === 422)).toHaveLength(3)
    })
  )

  it.effect("makes a new session when the first was deleted", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const suite_id = yield* newSuite(server)
      const first = yield* keyed(suite_id, "deleted", one)
      expect((yield* call(server, "DELETE", `/v1/sessions/${first.json["id"]}`)).status).toBe(204)
      const second = yield* keyed(suite_id, "deleted", one)
      expect(second.status).toBe(201)
      expect(second.json["id"]).not.toBe(first.json["id"])
    })
  )

  it.effect("makes a new session when the key's day is over", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const suite_id = yield* newSuite(server)
      const first = yield* keyed(suite_id, "yesterday", one)
      yield* server.sql`update idempotency_keys set expires_at = now() - interval '1 second' where key = 'yesterday'`
      const second = yield* keyed(suite_id, "yesterday", [["f", chat, "other.jsonl"]])
      expect(second.status).toBe(201)
      expect(second.json["id"]).not.toBe(first.json["id"])
      expect((yield* keyed(suite_id, "yesterday", [["f", chat, "other.jsonl"]])).json).toEqual(second.json)
    })
  )

  it.effect("is the caller's own: two users' keys of the same text never meet", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const { sql } = server
      const suite_id = yield* newSuite(server)
      const other = KeyFormat.make()
      const user_id = Bun.randomUUIDv7()
      yield* sql`with u as (insert into users (id, display_name, issuer, subject)
          values (${user_id}, 'Other', 'test', ${user_id}) returning id),
        m as (insert into memberships (id, org_id, user_id, role)
          select ${Bun.randomUUIDv7()}::uuid, org_id, ${user_id}::uuid, 'member' from suites where id = ${suite_id})
        insert into api_keys (id, org_id, user_id, name, prefix, hash, scopes)
          select ${Bun.randomUUIDv7()}::uuid, org_id, ${user_id}::uuid, 'other', 'tp', ${KeyFormat.hash(other)}, '{*}'
          from suites where id = ${suite_id}`
      const mine = yield* keyed(suite_id, "shared", one)
      const theirs = yield* keyed(suite_id, "shared", [["f", chat, "theirs.jsonl"]], other)
      expect([mine.status, theirs.status]).toEqual([201, 201])
      expect(theirs.json["user_id"]).toBe(user_id)
      expect(theirs.json["id"]).not.toBe(mine.json["id"])
    })
  )

  it.effect("without one, equal content makes two sessions", () =>
    Effect.gen(function* () {
      const suite_id = yield* newSuite(yield* TestServer)
      const first = yield* upload({ query: { suite_id }, body: chat })
      const second = yield* upload({ query: { suite_id }, body: chat })
      expect([first.status, second.status]).toEqual([201, 201])
      expect(first.json["id"]).not.toBe(second.json["id"])
    })
  )
})

describeShared("uploads of real recordings", () => {
  layer(TestServer.layer(), { excludeTestServices: true })((it) => {
    const formats: Readonly<Record<string, string>> = {
      "chrome-trace-timespan-responsiveness-m103.json": "chrome.trace",
      "claude-code-representative-messages.jsonl": "claude-code",
      "har-chrome-github.com-home.har": "har",
      "langfuse-claude-agent-2025-12-22.trace.json": "langfuse",
      "otlp-trace.json": "otlp",
      "recorder-coffee-checkout.json": "chrome.recorder",
      "swe-agent-marshmallow-1867-function-calling.traj": "swe-agent",
      "tau-bench-gpt-4o-airline-first8.json": "openai.chat"
    }

    it("are all of those there are", () => {
      const names = readdirSync(sharedFile("")).filter((name) => !/\.(md|zip)$/.test(name))
      expect(names.sort()).toEqual(Object.keys(formats))
    })

    it.effect.each(Object.keys(formats))("%s comes back as it was", (name) =>
      Effect.gen(function* () {
        const bytes = sharedBytes(name)
        for (const parts of [[["file", bytes, name]], [["bundle", gzipSync(bytes), `${name}.gz`]]] satisfies Array<
          Array<Part>
        >) {
          const { session } = yield* stored(parts)
          expect(session["format"]).toBe(formats[name])
          expect(sha256(yield* download(yield* TestServer, session["id"], name))).toBe(sha256(bytes))
        }
      })
    )

    it.effect("a Playwright trace stays whole and is expanded", () =>
      Effect.gen(function* () {
        const bytes = sharedBytes("playwright-trace-1.37.zip")
        const { session, files } = yield* stored([["bundle", bytes, "my trace.zip"]])
        expect(session["format"]).toBe("playwright.trace")
        expect(files["my trace.zip"]).toBe(bytes.toString("latin1"))
        expect(Object.keys(files)).toContain("0-trace.trace")
        expect(Object.keys(files)).toHaveLength(10)
        const raw = yield* storedRaw({ body: Uint8Array.from(bytes) })
        expect(raw.files["trace.zip"]).toBe(bytes.toString("latin1"))
        const kept = yield* stored([["file", bytes, "kept.zip"]])
        expect(kept.files).toEqual({ "kept.zip": bytes.toString("latin1") })
        expect(kept.session["format"]).toBe("playwright.trace")
      })
    )
  })
})

const GIB = 1024 ** 3
const MUCH = 400_000_000

layer(TestServer.layer({ MAX_SESSION_BYTES: "512MiB" }), { excludeTestServices: true })(
  "a refusal that is known before the body has come",
  (it) => {
    const nowhere = "suite_id=01a1fcd8-1f7b-779d-a182-9bf645c8c852"
    const multipart = { "content-type": "multipart/form-data; boundary=X" }
    const early = '--X\r\ncontent-disposition: form-data; name="f"; filename="a"\r\n\r\n'
    const chunked = { "transfer-encoding": "chunked" }

    it.effect.each([
      ["no such suite", nowhere, { "content-length": MUCH }, "", 404],
      ["too large by its declared length", "", { "content-length": GIB }, "", 413],
      ["too large as it comes", "", chunked, "", 413],
      ["an unknown format", "&format=betamax", { "content-length": MUCH }, "", 415],
      ["a file before its suite", "", { ...multipart, "content-length": MUCH }, early, 422],
      ["another boundary", "", { ...multipart, "content-length": MUCH }, "-", 400]
    ] as const)("(%s) reaches a client that reads only when it has sent all", ([, query, headers, first, status]) =>
      Effect.gen(function* () {
        const server = yield* TestServer
        const suite =
          query.startsWith("suite_id") || first === early ? query : `suite_id=${yield* newSuite(server)}${query}`
        const connection = yield* rawConnection(server, { paused: true })
        yield* connection.send(uploadHead(server, suite, headers))
        const length = "content-length" in headers ? headers["content-length"] : GIB
        const piece = Buffer.alloc(1024 ** 2, "a")
        const frame = (bytes: Uint8Array) =>
          headers === chunked
            ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")])
            : bytes
        if (first !== "") yield* connection.send(first)
        for (let sent = first.length; sent < length; sent += piece.length) {
          yield* connection.send(frame(piece.subarray(0, length - sent)))
        }
        if (headers === chunked) yield* connection.send("0\r\n\r\n")
        const answer = yield* connection.answer
        expect([answer.status, JSON.parse(answer.body).status]).toEqual([status, status])
        expect(answer.headers["content-type"]).toBe("application/problem+json")
      }).pipe(Effect.scoped)
    )

    it.effect("reaches fetch, with a body that is made while it is sent and with one that is there", () =>
      Effect.gen(function* () {
        const server = yield* TestServer
        const query = { suite_id: "01a1fcd8-1f7b-779d-a182-9bf645c8c852" }
        const made = yield* send(server, { query, body: streamed(longChat(MUCH)) })
        expect([made.status, made.json["code"]]).toEqual([404, "not_found"])
        const there = yield* send(server, { query, body: new Uint8Array(MUCH / 2) })
        expect([there.status, there.json["code"]]).toEqual([404, "not_found"])
      })
    )

    /** Runs another program against the server; what it prints. */
    const printed = (command: string) =>
      Effect.flatMap(TestServer, ({ base_url, api_key }) =>
        Effect.promise(async () => {
          const URL = `${base_url}/v1/sessions?${nowhere}`
          const child = Bun.spawn(["sh", "-c", command], {
            env: { ...process.env, URL, KEY: api_key },
            stderr: "inherit"
          })
          return new Response(child.stdout).text()
        })
      )

    it.effect.skipIf(Bun.which("curl") === null)("reaches curl", () =>
      Effect.gen(function* () {
        const body = "head -c 400000000 /dev/zero"
        const known = yield* printed(`${body} | curl -sS -H "x-api-key: $KEY" -H expect: -X POST -T - "$URL"`)
        expect(JSON.parse(known)).toMatchObject({ status: 404, code: "not_found" })
        const asking = yield* printed(`${body} | curl -sS -H "x-api-key: $KEY" --data-binary @- "$URL"`)
        expect(JSON.parse(asking)).toMatchObject({ status: 404, code: "not_found" })
      })
    )

    it.effect.skipIf(Bun.which("node") === null)("reaches Node's http and fetch", () =>
      Effect.gen(function* () {
        const http = `
          const headers = { "x-api-key": process.env.KEY, "content-length": 400_000_000 }
          const request = require("http").request(process.env.URL, { method: "POST", headers }, (response) => {
            let text = ""
            response.on("data", (data) => { text += data }).on("end", () => { console.log(text); process.exit() })
          })
          const piece = Buffer.alloc(1_000_000)
          let sent = 0
          const push = () => {
            while ((sent += piece.length) <= 400_000_000) if (!request.write(piece)) return request.once("drain", push)
            request.end()
          }
          push()`
        expect(JSON.parse(yield* printed(`node -e '${http}'`))).toMatchObject({ status: 404, code: "not_found" })
        const fetching = `
          const headers = { "x-api-key": process.env.KEY }
          fetch(process.env.URL, { method: "POST", headers, body: Buffer.alloc(400_000_000) })
            .then((response) => response.text()).then(console.log).then(() => process.exit())`
        expect(JSON.parse(yield* printed(`node -e '${fetching}'`))).toMatchObject({ status: 404, code: "not_found" })
      })
    )

    it.effect("leaves the connection as good as it was for a client that goes on sending", () =>
      Effect.gen(function* () {
        const server = yield* TestServer
        const connection = yield* rawConnection(server)
        yield* connection.send(uploadHead(server, nowhere, { "content-length": 3_000_000 }))
        yield* connection.send(Buffer.alloc(3_000_000))
        expect((yield* connection.answer).status).toBe(404)
        yield* connection.send(uploadHead(server, "suite_id=x", { "content-length": 1 }))
        yield* connection.send("x")
        expect((yield* connection.answer).status).toBe(422)
      }).pipe(Effect.scoped)
    )
  }
)
