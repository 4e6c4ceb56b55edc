import { mkdir } from "node:fs/promises"
import { join } from "node:path"
import { gzipSync } from "node:zlib"
import { expect, layer } from "@effect/vitest"
import { Context, Duration, Effect, Fiber, Layer, Schema } from "effect"
import { CurrentPrincipal, Principal } from "../../src/domain/Principal.ts"
import { SessionReady } from "../../src/domain/session/SessionReady.ts"
import * as Database from "../../src/platform/Database.ts"
import { Id } from "../../src/platform/Id.ts"
import * as S3ObjectStore from "../../src/platform/S3ObjectStore.ts"
import { Settings } from "../../src/platform/Settings.ts"
import { Uploads } from "../../src/session/Uploads.ts"
import { eventually } from "../support/Eventually.ts"
import type { FaultProxy, ProxiedRequest } from "../support/FaultProxy.ts"
import { rawConnection, uploadHead } from "../support/RawHttp.ts"
import { atRest, nothingLeft, type Scene, traces } from "../support/Remains.ts"
import { optionsFor } from "../support/S3Server.ts"
import { Stage, type StageOptions } from "../support/Stage.ts"
import type { TcpProxy } from "../support/TcpProxy.ts"
import { TestServer } from "../support/TestServer.ts"
import {
  type Answer,
  call,
  chat,
  contentOf,
  formOf,
  longChat,
  newSuite,
  type Part,
  png,
  send,
  streamed
} from "../support/Uploading.ts"
import { zipOf } from "../support/ZipBuilder.ts"

const MIB = 1024 ** 2

/** So that what is gone afterwards was removed by the upload itself. */
const withoutCollector: StageOptions = { environment: { UPLOAD_GC_INTERVAL: "1 h" } }

const stage = (options: StageOptions) => Stage.layer(options)

/** Does something to a service that must leave nothing behind. */
const leavingNothing = <A, E, R>(fault: (scene: Scene) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const { scene } = yield* Stage
    const before = yield* atRest(scene)
    yield* fault(scene)
    yield* nothingLeft(scene, before)
  })

const bytesOf = (pieces: Iterable<Uint8Array>) => Buffer.concat([...pieces])

interface Body {
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: Buffer
}

const formBody = (parts: ReadonlyArray<Part>) =>
  Effect.promise(async (): Promise<Body> => {
    const request = new Request("http://x", { method: "POST", body: formOf(parts) })
    return {
      headers: { "content-type": request.headers.get("content-type") ?? "" },
      bytes: Buffer.from(await request.arrayBuffer())
    }
  })

const long = bytesOf(longChat(24 * MIB))
const short = bytesOf(longChat(2 * MIB))
const middling = bytesOf(longChat(3 * MIB))
const large = bytesOf(longChat(9 * MIB))

const bodies: Readonly<Record<string, Effect.Effect<Body>>> = {
  "a raw body": Effect.succeed({ headers: {}, bytes: long }),
  "a form of several files": formBody([
    ["a", chat, "a.jsonl"],
    ["b", long, "b.jsonl"],
    ["c", png, "c.png"]
  ]),
  "a zip": Effect.succeed({
    headers: {},
    bytes: zipOf([
      { name: "a.jsonl", content: chat },
      { name: "b.jsonl", content: long, stored: true }
    ])
  }),
  "a gzip": Effect.succeed({ headers: {}, bytes: gzipSync(long, { level: 0 }) })
}

const clientsGone = (store: "file" | "s3") =>
  layer(stage({ ...withoutCollector, store }), { excludeTestServices: true })(
    `a client that goes away (${store})`,
    (it) => {
      const cases = Object.keys(bodies).flatMap((kind) =>
        [0.01, 0.5, 0.99].flatMap((share) => (["abort", "end"] as const).map((how) => ({ kind, share, how })))
      )
      it.effect.each(cases)("at $share of $kind ($how) leaves nothing", ({ kind, share, how }) =>
        leavingNothing((scene) =>
          Effect.gen(function* () {
            const { headers, bytes } = yield* bodies[kind] ?? Effect.dieMessage(kind)
            const connection = yield* rawConnection(scene)
            const suite_id = yield* newSuite(scene)
            yield* connection.send(
              uploadHead(scene, `suite_id=${suite_id}`, { ...headers, "content-length": bytes.length })
            )
            yield* connection.send(bytes.subarray(0, Math.floor(share * bytes.length)))
            yield* connection[how]
          }).pipe(Effect.scoped)
        )
      )
    }
  )

clientsGone("file")
clientsGone("s3")

layer(stage(withoutCollector), { excludeTestServices: true })("an upload that is not what it says", (it) => {
  it.effect("with a body shorter than declared is a 400 or nothing, and leaves nothing", () =>
    leavingNothing((scene) =>
      Effect.gen(function* () {
        const connection = yield* rawConnection(scene)
        const suite_id = yield* newSuite(scene)
        yield* connection.send(uploadHead(scene, `suite_id=${suite_id}`, { "content-length": 1000 }))
        yield* connection.send(chat)
        yield* connection.end
        yield* connection.closed
      }).pipe(Effect.scoped)
    )
  )

  it.effect("with a body longer than declared is taken as far as it is declared; the rest is no request", () =>
    leavingNothing((scene) =>
      Effect.gen(function* () {
        const connection = yield* rawConnection(scene)
        const body = `${chat.slice(0, -5)}`
        yield* connection.send(uploadHead(scene, "suite_id=x", { "content-length": body.length }))
        yield* connection.send(`${body}and more than that\r\n\r\n`)
        expect((yield* connection.answer).status).toBe(422)
        yield* connection.closed
      }).pipe(Effect.scoped)
    )
  )

  it.effect("with chunks that are cut off is dropped", () =>
    leavingNothing((scene) =>
      Effect.gen(function* () {
        const connection = yield* rawConnection(scene)
        const suite_id = yield* newSuite(scene)
        yield* connection.send(uploadHead(scene, `suite_id=${suite_id}`, { "transfer-encoding": "chunked" }))
        yield* connection.send(`${chat.length.toString(16)}\r\n${chat}\r\n`)
        yield* connection.end
        yield* connection.closed
      }).pipe(Effect.scoped)
    )
  )

  const good: ReadonlyArray<Part> = [
    ["f", chat, "chat.jsonl"],
    ["g", short, "long.jsonl"]
  ]
  const refusals: ReadonlyArray<readonly [string, ReadonlyArray<Part>, number, string]> = [
    [
      "that climbs out of its folder",
      [...good, ["f", chat, "../../etc/passwd"]],
      422,
      '"../../etc/passwd": the path has'
    ],
    [
      "whose archive does",
      [...good, ["bundle", zipOf([{ name: "../../x", content: "" }]), "b.zip"]],
      422,
      '"../../x" is refused'
    ],
    ["with two files of one name", [...good, ["h", chat, "chat.jsonl"]], 422, "chat.jsonl: two files have this name"],
    ["with a field after its files", [...good, ["description", "late"]], 422, "description: fields come before"],
    ["with a bad line", [...good, ["h", "{", "bad.jsonl"]], 422, "bad.jsonl:1: not JSON"],
    ["with a picture that is none", [...good, ["h", "x", "a.png"]], 422, "a.png: not a PNG file"],
    ["of two formats", [...good, ["h", '{"resourceSpans":[]}', "o.json"]], 415, "the files are of several formats"]
  ]
  it.effect.each(refusals)("%s is refused and leaves nothing", ([, parts, status, detail]) =>
    leavingNothing((scene) =>
      Effect.gen(function* () {
        const answer = yield* send(scene, { body: formOf([["suite_id", yield* newSuite(scene)], ...parts]) })
        expect([answer.status, answer.json["detail"]]).toEqual([status, expect.stringContaining(detail)])
      })
    )
  )

  it.effect("with another boundary than it names is refused and leaves nothing", () =>
    leavingNothing((scene) =>
      Effect.gen(function* () {
        const suite_id = yield* newSuite(scene)
        const { bytes } = yield* formBody(good)
        const headers = { "content-type": "multipart/form-data; boundary=other" }
        const answer = yield* send(scene, { query: { suite_id }, headers, body: Uint8Array.from(bytes) })
        expect([answer.status, answer.json["detail"]]).toEqual([
          400,
          expect.stringContaining("boundary did not come within")
        ])
      })
    )
  )
})

layer(
  stage({ environment: { ...withoutCollector.environment, MAX_SESSION_BYTES: "8MiB", MAX_FILES_PER_SESSION: "20" } }),
  {
    excludeTestServices: true
  }
)("an upload above a limit", (it) => {
  const many = Array.from({ length: 21 }, (_, at): Part => ["f", chat, `${at}.jsonl`])
  const cases: ReadonlyArray<readonly [string, ReadonlyArray<Part>]> = [
    ["of bytes", [["f", large, "a.jsonl"]]],
    ["of bytes in several files", [0, 1, 2].map((at): Part => ["f", middling, `${at}.jsonl`])],
    ["of bytes unpacked", [["bundle", gzipSync(large), "a.jsonl.gz"]]],
    ["of files", many],
    ["of files in an archive", [["bundle", zipOf(many.map(([, , name = ""]) => ({ name, content: chat }))), "a.zip"]]]
  ]
  it.effect.each(cases)("%s is a 413 that names it, and leaves nothing", ([, parts]) =>
    leavingNothing((scene) =>
      Effect.gen(function* () {
        const { status, json } = yield* send(scene, { body: formOf([["suite_id", yield* newSuite(scene)], ...parts]) })
        expect([status, json["code"], json["limit"]]).toEqual([413, "payload_too_large", expect.any(Number)])
      })
    )
  )
})

layer(stage({ environment: { ...withoutCollector.environment, UPLOAD_IDLE_TIMEOUT: "300 ms" } }), {
  excludeTestServices: true
})("a client that stops sending", (it) => {
  it.effect.each([1, 70_000])("after %d bytes gets a 408, and the connection is closed", (bytes) =>
    leavingNothing((scene) =>
      Effect.gen(function* () {
        const connection = yield* rawConnection(scene)
        const suite_id = yield* newSuite(scene)
        yield* connection.send(uploadHead(scene, `suite_id=${suite_id}`, { "content-length": 1_000_000 }))
        yield* connection.send(long.subarray(0, bytes))
        const answer = yield* connection.answer
        expect([answer.status, JSON.parse(answer.body).code]).toEqual([408, "request_timeout"])
        yield* connection.closed
      }).pipe(Effect.scoped)
    )
  )

  it.effect("but goes on in time is waited for, however long it takes", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const connection = yield* rawConnection(scene)
      const suite_id = yield* newSuite(scene)
      yield* connection.send(uploadHead(scene, `suite_id=${suite_id}`, { "content-length": chat.length }))
      const started = performance.now()
      for (const letter of chat.slice(0, 10)) {
        yield* connection.send(letter)
        yield* Effect.sleep("100 millis")
      }
      yield* connection.send(chat.slice(10))
      expect((yield* connection.answer).status).toBe(201)
      expect(performance.now() - started).toBeGreaterThan(900)
    }).pipe(Effect.scoped)
  )
})

const isUpload = ({ method, url }: ProxiedRequest) =>
  method === "PUT" || (method === "POST" && url.searchParams.has("uploads"))

/** The first user, as the service would know them. */
const owner = Effect.gen(function* () {
  const { sql } = yield* TestServer
  const rows = yield* sql<{ org_id: string; user_id: string }>`select org_id, user_id from memberships`
  return yield* Schema.decodeUnknown(Principal)({
    ...rows[0],
    agent_id: null,
    role: "owner",
    scopes: ["*"],
    suite_ids: null,
    key_id: null,
    auth_method: "api_key"
  })
})

layer(stage({ ...withoutCollector, store: "s3" }), { excludeTestServices: true })(
  "an object store that fails",
  (it) => {
    const sendLong = (scene: Scene) =>
      Effect.flatMap(newSuite(scene), (suite_id) =>
        send(scene, { query: { suite_id, file_name: "long.jsonl" }, body: streamed([long, long, long]) })
      )

    const faulty = <A, E, R>(fault: FaultProxy["fault"], work: (scene: Scene) => Effect.Effect<A, E, R>) =>
      leavingNothing((scene) =>
        Effect.flatMap(Stage, ({ s3: { proxy: s3 } }) =>
          Effect.acquireUseRelease(
            Effect.sync(() => {
              s3.fault = fault
            }),
            () => work(scene),
            () =>
              Effect.sync(() => {
                s3.fault = () => undefined
              })
          )
        )
      )

    it.effect("every third request is asked again, and the upload succeeds", () =>
      Effect.gen(function* () {
        const {
          scene,
          s3: { proxy: s3 }
        } = yield* Stage
        let requests = 0
        let failed = 0
        s3.fault = (request) => {
          if (!isUpload(request) || ++requests % 3 !== 0) return undefined
          failed += 1
          return { kind: "answer", status: 503, code: "SlowDown" }
        }
        const { status, json } = yield* sendLong(scene)
        s3.fault = () => undefined
        expect([status, json["size_bytes"]]).toEqual([201, 3 * long.length])
        expect(failed).toBeGreaterThanOrEqual(2)
      })
    )

    it.effect("always is a 503 that says so, and leaves nothing", () =>
      faulty(
        (request) => (isUpload(request) ? { kind: "answer", status: 500, code: "InternalError" } : undefined),
        (scene) =>
          Effect.gen(function* () {
            for (const answer of [
              yield* sendLong(scene),
              yield* send(scene, { query: { suite_id: yield* newSuite(scene) }, body: chat })
            ]) {
              expect([answer.status, answer.json["code"]]).toEqual([503, "unavailable"])
              expect(answer.headers.get("retry-after")).toBe("5")
            }
          })
      )
    )

    it.effect("when an upload is to be completed is a 503, and leaves nothing", () =>
      faulty(
        ({ method, url }) =>
          method === "POST" && url.searchParams.has("uploadId")
            ? { kind: "answer", status: 500, code: "InternalError" }
            : undefined,
        (scene) => Effect.map(sendLong(scene), ({ status }) => expect(status).toBe(503))
      )
    )

    it.effect("because it is full is a 503 that says so, and leaves nothing", () =>
      faulty(
        (request) => (isUpload(request) ? { kind: "answer", status: 507, code: "InsufficientStorage" } : undefined),
        (scene) =>
          Effect.map(sendLong(scene), ({ status, json }) => {
            expect([status, json["detail"]]).toEqual([503, "the object store is full"])
          })
      )
    )

    it.effect("to be reached is a 503, and leaves nothing", () =>
      leavingNothing((scene) =>
        Effect.gen(function* () {
          const { link } = (yield* Stage).s3
          yield* link.cut
          const answers = [
            yield* sendLong(scene),
            yield* send(scene, { query: { suite_id: yield* newSuite(scene) }, body: chat })
          ]
          yield* link.mend
          expect(answers.map(({ status }) => status)).toEqual([503, 503])
        })
      )
    )

    it.effect("to answer does not hold up a client that leaves", () => {
      let hanging = 0
      // Four attempts of 30 s each would be made if they were not given up.
      const hang: FaultProxy["fault"] = ({ method, url }) => {
        if (method !== "PUT" || !url.searchParams.has("partNumber")) return undefined
        hanging += 1
        return { kind: "hang" }
      }
      return faulty(hang, (scene) =>
        Effect.gen(function* () {
          const suite_id = yield* newSuite(scene)
          const connection = yield* rawConnection(scene)
          yield* connection.send(uploadHead(scene, `suite_id=${suite_id}`, { "content-length": 10 * long.length }))
          yield* connection.send(long)
          const asked = yield* eventually(
            Effect.sync(() => hanging),
            (now) => now > 0
          )
          expect(asked).toBeGreaterThan(0)
          yield* connection.abort
        }).pipe(Effect.scoped)
      )
    })

    it.effect("to answer at all is given up within a bounded time, and leaves nothing", () =>
      Effect.gen(function* () {
        const { s3 } = yield* Stage
        yield* faulty(
          (request) => (isUpload(request) ? { kind: "hang" } : undefined),
          (scene) =>
            Effect.gen(function* () {
              const impatient = S3ObjectStore.layer({
                ...optionsFor(s3.s3.server, s3.s3.bucket),
                endpoint: s3.environment["S3_ENDPOINT"],
                part_buffers: 2,
                request_timeout: Duration.millis(300)
              })
              const uploads = Context.get(
                yield* Layer.build(
                  Uploads.Default.pipe(
                    Layer.provide(impatient),
                    Layer.provide(Layer.mergeAll(Database.layer, Id.layer, nothingFollows)),
                    Layer.provideMerge(Settings.layer({ DATABASE_URL: scene.database_url, MIGRATE_ON_START: "false" }))
                  )
                ),
                Uploads
              )
              const fields = { suite_id: yield* newSuite(scene) }
              for (const body of [[long], [Buffer.from(chat)]]) {
                const upload = uploads.create({ fields, file_name: "a.jsonl", headers: {}, body: streamed(body) })
                const error = yield* Effect.flip(Effect.provideService(upload, CurrentPrincipal, yield* owner))
                expect(error).toMatchObject({ _tag: "Unavailable", retry_after_s: 5 })
              }
            }).pipe(Effect.scoped)
        )
      })
    )
  }
)

/** No suite here asks for anything. */
const nothingFollows = Layer.succeed(SessionReady, {
  begin: () => Effect.dieMessage("nothing follows from these uploads"),
  began: Effect.void
})

const Upload = Effect.gen(function* () {
  const { scene } = yield* Stage
  return { scene, suite_id: yield* newSuite(scene) }
})

/** A tmpfs of so many bytes in the place of a folder; the service sees nothing of the change. */
const smallDisk = (folder: string, bytes: number) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      await mkdir(folder, { recursive: true })
      await Bun.$`mount -t tmpfs -o size=${bytes} tmpfs ${folder}`.quiet()
    }),
    () => Effect.promise(() => Bun.$`umount ${folder}`.quiet())
  )

const canMount =
  Bun.spawnSync(["sh", "-c", "d=$(mktemp -d) && mount -t tmpfs -o size=64k tmpfs $d && umount $d"]).exitCode === 0

layer(stage(withoutCollector), { excludeTestServices: true })("a disk that is full", (it) => {
  const onSmallDisk = (folder: string, body: Buffer) =>
    Effect.gen(function* () {
      const { scene, suite_id } = yield* Upload
      const before = yield* atRest(scene)
      yield* Effect.gen(function* () {
        yield* smallDisk(join(scene.data_dir, folder), 16 * MIB)
        const { status, headers, json } = yield* send(scene, { query: { suite_id }, body: Uint8Array.from(body) })
        expect([status, json["code"], json["detail"]]).toEqual([503, "unavailable", "the object store is full"])
        expect(headers.get("retry-after")).toBe("60")
        yield* nothingLeft(scene, before)
      }).pipe(Effect.scoped)
      yield* nothingLeft(scene, before)
    })

  it.effect.skipIf(!canMount)("(objects, needs mount) is a 503 that says so, and leaves nothing", () =>
    onSmallDisk("objects", long)
  )

  it.effect.skipIf(!canMount)("(spool, needs mount) is a 503 that says so, and leaves nothing", () =>
    onSmallDisk("spool", zipOf([{ name: "a.jsonl", content: long, stored: true }]))
  )
})

layer(stage(withoutCollector), { excludeTestServices: true })("a database that goes away", (it) => {
  /** Uploads and reads, one after the other, until told to stop. */
  const load = (suite_id: string, until: () => boolean) =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const answers: Array<Answer> = []
      while (!until()) {
        answers.push(yield* send(scene, { query: { suite_id }, body: chat }))
        const read = yield* call(scene, "GET", "/v1/suites")
        expect([200, 503]).toContain(read.status)
      }
      return answers
    })

  const outage = (seconds: number) =>
    Effect.gen(function* () {
      const { scene, database } = yield* Stage
      const suite_id = yield* newSuite(scene)
      const { sessions } = yield* traces(scene)

      let over = false
      const loads = yield* Effect.fork(
        Effect.all(
          Array.from({ length: 4 }, () => load(suite_id, () => over)),
          { concurrency: "unbounded" }
        )
      )
      const connection = yield* rawConnection(scene)
      yield* connection.send(uploadHead(scene, `suite_id=${suite_id}`, { "content-length": long.length }))
      yield* connection.send(long.subarray(0, 10 * MIB))

      yield* eventually(traces(scene), (now) => now.sessions > sessions + 20)
      yield* database.cut
      const away = yield* Effect.all(
        [
          call(scene, "GET", "/ready"),
          call(scene, "GET", "/v1/suites"),
          send(scene, { query: { suite_id }, body: chat }),
          send(scene, { query: { suite_id }, body: formOf([["f", chat, "f.jsonl"]]) })
        ],
        { concurrency: "unbounded" }
      )
      for (const { status, headers, json } of away) {
        expect([status, json["code"], Number(headers.get("retry-after"))]).toEqual([
          503,
          "unavailable",
          expect.any(Number)
        ])
        expect(headers.has("retry-after")).toBe(true)
      }
      yield* Effect.sleep(Duration.seconds(seconds))
      yield* database.mend
      const ready = yield* eventually(call(scene, "GET", "/ready"), ({ status }) => status === 200)
      expect(ready.status).toBe(200)

      yield* connection.send(long.subarray(10 * MIB))
      expect((yield* connection.answer).status).toBe(201)
      const { sessions: there } = yield* traces(scene)
      yield* eventually(traces(scene), (now) => now.sessions > there + 20)
      over = true
      const answers = (yield* Fiber.join(loads)).flat()

      const of = (status: number) => answers.filter((answer) => answer.status === status)
      expect(of(201).length + of(503).length).toBe(answers.length)
      expect(of(503).filter(({ headers }) => !headers.has("retry-after"))).toEqual([])
      const after = yield* traces(scene)
      expect(after.sessions).toBe(sessions + of(201).length + 1)
      const folders = new Set(after.objects.map((key) => key.split("/")[3]))
      expect(folders.size).toBe(after.sessions)
      for (const { json } of of(201)) expect(folders).toContain(json["id"])
    }).pipe(Effect.scoped)

  it.effect("for 3 s under load is a 503 until it is back; what was under way succeeds or leaves nothing", () =>
    outage(3)
  )

  it.effect("for 10 s as well", () => outage(10), 90_000)
})

const brief: StageOptions = {
  environment: { UPLOAD_GC_INTERVAL: "100 ms" },
  times: {
    quiet: Duration.millis(20),
    renew: Duration.millis(50),
    lease: Duration.millis(800),
    margin: Duration.millis(400)
  }
}

layer(stage(brief), { excludeTestServices: true })(
  "a database connection that is lost while a session is written",
  (it) => {
    /** Does something once, when the service sends the statement that writes a session. */
    const whenWritten = (database: TcpProxy, act: Effect.Effect<void>) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          database.onData = (bytes) => {
            if (!bytes.includes("insert into sessions")) return
            database.onData = () => undefined
            Effect.runSync(act)
            setTimeout(() => Effect.runPromise(database.mend), 300)
          }
        }),
        () =>
          Effect.sync(() => {
            database.onData = () => undefined
          })
      )

    const cases = (["before", "after"] as const).flatMap((moment) =>
      [undefined, "a key"].map((key) => ({ moment, key }))
    )

    it.effect.each(cases)(
      "$moment the database has it (Idempotency-Key: $key) makes one whole session",
      ({ moment, key }) =>
        Effect.gen(function* () {
          const { scene, database } = yield* Stage
          const suite_id = yield* newSuite(scene)
          const { sessions } = yield* traces(scene)
          yield* whenWritten(database, moment === "before" ? database.cut : database.abandon)
          const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": `${key} ${moment}` }
          const { status, json } = yield* send(scene, { headers, query: { suite_id }, body: chat })
          expect([status, json["detail"]]).toEqual([201, undefined])
          expect((yield* traces(scene)).sessions).toBe(sessions + 1)
          expect(yield* contentOf(scene, json["id"])).toEqual({ recording: chat })
          const again = yield* send(scene, { headers, query: { suite_id }, body: chat })
          expect(again.json["id"] === json["id"]).toBe(key !== undefined)
        }).pipe(Effect.scoped)
    )
  }
)

layer(stage(brief), { excludeTestServices: true })("an upload that takes longer than a lease", (it) => {
  const slowly = (between: Effect.Effect<void>) =>
    Effect.gen(function* () {
      const { scene, suite_id } = yield* Upload
      const connection = yield* rawConnection(scene)
      yield* connection.send(uploadHead(scene, `suite_id=${suite_id}`, { "content-length": long.length }))
      yield* connection.send(long.subarray(0, 12 * MIB))
      yield* between
      yield* connection.send(long.subarray(12 * MIB))
      return yield* connection.answer
    }).pipe(Effect.scoped)

  it.effect("keeps its bytes while the collector goes round", () =>
    Effect.gen(function* () {
      const { scene } = yield* Stage
      const answer = yield* slowly(Effect.sleep("2 seconds"))
      expect(answer.status).toBe(201)
      expect(yield* contentOf(scene, JSON.parse(answer.body).id)).toEqual({ recording: long.toString("latin1") })
    })
  )

  it.effect("is a 503 when the database was away for so long that nobody could tell that it lived", () =>
    leavingNothing(() =>
      Effect.gen(function* () {
        const { database } = yield* Stage
        const away = Effect.gen(function* () {
          yield* database.cut
          yield* Effect.sleep("1 seconds")
          yield* database.mend
        })
        const answer = yield* slowly(away)
        expect([answer.status, JSON.parse(answer.body).detail]).toEqual([
          503,
          expect.stringContaining("lease was lost")
        ])
      })
    )
  )
})
