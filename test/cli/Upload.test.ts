import { randomBytes } from "node:crypto"
import { appendFile, mkdir, readdir, readFile, symlink, truncate, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { dirname, join } from "node:path"
import { expect, it, layer } from "@effect/vitest"
import { Effect, Schedule, Schema, TestServices } from "effect"
import { Session } from "../../src/domain/session/Session.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { faultProxy } from "../support/FaultProxy.ts"
import { client, request, TestServer } from "../support/TestServer.ts"
import { folder, run, start } from "./Tracepipe.ts"

const MIB = 1024 ** 2
const SUITE = "Coffee shop"

const events = [1, 2, 3].map((timestamp) => JSON.stringify({ timestamp, type: "click", x: 1, y: 2 })).join("\n")

const recorder = JSON.stringify({
  title: "Checkout",
  steps: [
    { type: "navigate", url: "https://coffee.example/" },
    { type: "click", selectors: [["#buy"]] }
  ]
})

const write = (root: string, files: Readonly<Record<string, string | Uint8Array>>) =>
  Effect.promise(async () => {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(root, name)), { recursive: true })
      await writeFile(join(root, name), content)
    }
  })

const sparse = (path: string, bytes: number) =>
  Effect.promise(async () => {
    await writeFile(path, "")
    await truncate(path, bytes)
  })

const upload = (path: string, ...args: ReadonlyArray<string>) =>
  Effect.flatMap(TestServer, ({ base_url, api_key }) =>
    run(["upload", path, "--suite", SUITE, ...args], { TRACEPIPE_URL: base_url, TRACEPIPE_API_KEY: api_key })
  )

const content = (session: Session, path: string) =>
  Effect.flatMap(request(`/v1/sessions/${session.id}/files/content?path=${encodeURIComponent(path)}`), (response) =>
    Effect.promise(async () => Buffer.from(await response.arrayBuffer()))
  )

const decoded = Schema.decodeSync(Schema.parseJson(Session))

const sessions = Effect.flatMap(client(), (api) => api.sessions.list({ urlParams: { limit: 100 } }))

const suite = Effect.flatMap(client(), ({ suites }) =>
  suites.create({ payload: { name: SUITE, description: "", version: "", base_url: null } })
)

layer(TestServer.layer())("tracepipe upload", (it) => {
  it.scoped("one file is sent as it is, to the suite of this name", () =>
    Effect.gen(function* () {
      const { id } = yield* suite
      const root = yield* folder
      yield* write(root, { "checkout.json": recorder })
      const file = join(root, "checkout.json")
      const args = ["--description", "buys", "--metadata", '{"run":"ü"}']
      const { code, stdout, stderr } = yield* upload(file, "--json", ...args)
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      const session = decoded(stdout)
      expect(session).toMatchObject({ suite_id: id, format: "chrome.recorder", description: "buys", file_count: 1 })
      expect(session.metadata).toEqual({ run: "ü" })
      expect(yield* content(session, "checkout.json")).toEqual(yield* Effect.promise(() => readFile(file)))

      const plain = yield* upload(file, "--format", "chrome.recorder")
      expect(plain.stdout).toMatch(/^recorded session [0-9a-f-]{36} \(chrome\.recorder, 1 file, \d+ B\)\n$/)
      expect(plain.stderr).toBe("")
    })
  )

  it.scoped("a folder is sent with every file below it, without hidden files and links", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const files = {
        "input_events.jsonl": events,
        "screenshots/0001.png": Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), randomBytes(3 * MIB)]),
        "notes/日本 'é' \"100%\".txt": "any name",
        "notes/empty.txt": ""
      }
      yield* write(root, { ...files, ".DS_Store": "no", ".git/config": "no" })
      yield* Effect.promise(() => symlink("/etc/passwd", join(root, "link")))
      const { code, stdout, stderr } = yield* upload(root, "--json")
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      const session = decoded(stdout)
      const { sessions } = yield* client()
      const { items } = yield* sessions.files({ path: { id: session.id }, urlParams: { limit: 100 } })
      expect(items.map(({ path }) => path).sort()).toEqual(Object.keys(files).sort())
      for (const [path, bytes] of Object.entries(files)) {
        expect((yield* content(session, path)).equals(Buffer.from(bytes))).toBe(true)
      }
    })
  )

  it.scoped("what is refused is printed line by line, before the rest is sent", () =>
    Effect.gen(function* () {
      const root = yield* folder
      yield* write(root, { "input_events.jsonl": '{"type":"click"}\nno\n' })
      yield* sparse(join(root, "screen.webm"), 64 * 1024 * MIB)
      const { code, stdout, stderr } = yield* upload(root, "--format", "tracepipe.browser/v1", "--at-once")
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
      const [first, ...lines] = stderr.trimEnd().split("\n")
      // The body is larger than a session may be: the declared length is enough to refuse it.
      expect(first).toMatch(/^tracepipe: the body declares \d+ bytes/)
      expect(lines).toEqual([])

      yield* sparse(join(root, "screen.webm"), 4 * 1024 * MIB)
      const invalid = yield* upload(root, "--at-once")
      expect(invalid.code).toBe(1)
      expect(invalid.stderr.trimEnd().split("\n")).toEqual([
        "tracepipe: The recording is not valid",
        "  input_events.jsonl:1: timestamp is missing",
        expect.stringMatching(/^ {2}input_events\.jsonl:2: not JSON/)
      ])
    })
  )

  it.scoped("what cannot be uploaded is told without asking the service", () =>
    Effect.gen(function* () {
      const empty = yield* folder
      yield* write(empty, { ".hidden": "" })
      for (const [path, reason] of [
        [empty, "there is nothing to upload in this folder"],
        [join(empty, "missing"), "there is no such file or folder"],
        ["/dev/null", "it is neither a file nor a folder"]
      ] as const) {
        expect(yield* upload(path)).toMatchObject({ code: 1, stderr: expect.stringContaining(reason) })
      }
    })
  )

  it.scoped("Ctrl-C ends with 130, and nothing is left on the service", () =>
    Effect.gen(function* () {
      const { base_url, api_key, data_dir } = yield* TestServer
      const before = (yield* sessions).items.length
      const root = yield* folder
      yield* write(root, { "input_events.jsonl": events })
      yield* sparse(join(root, "screen.webm"), 8 * 1024 * MIB)
      const { child, stderr } = yield* start(
        ["upload", root, "--at-once", "--suite", SUITE, "--url", base_url, "--api-key", api_key],
        {}
      )
      const health = Effect.flatMap(client(), ({ system }) => system.health_detailed())
      const uploads = (wanted: number) =>
        Effect.repeat(health, {
          until: ({ active_uploads }) => active_uploads === wanted,
          schedule: Schedule.spaced("20 millis")
        }).pipe(TestServices.provideLive)
      yield* uploads(1)
      child.kill("SIGINT")
      expect(yield* Effect.promise(() => child.exited)).toBe(130)
      expect(yield* Effect.promise(() => stderr)).toContain("nothing is kept of the upload")
      yield* uploads(0)
      expect((yield* sessions).items).toHaveLength(before)
      const kept = yield* Effect.promise(() => readdir(join(data_dir, "objects"), { recursive: true }))
      expect(kept.filter((name) => name.includes("screen.webm"))).toEqual([])
    })
  )

  it.scoped("a lost answer is asked for once more, and makes no second session", () =>
    Effect.gen(function* () {
      const { base_url, api_key } = yield* TestServer
      const before = (yield* sessions).items.length
      const proxy = yield* faultProxy(base_url)
      let posts = 0
      proxy.fault = ({ method }) => (method === "POST" && ++posts === 1 ? { kind: "cut", after: 0 } : undefined)
      const root = yield* folder
      yield* write(root, { "checkout.json": recorder })
      const args = ["upload", join(root, "checkout.json"), "--suite", SUITE, "--json"]
      const { code, stdout } = yield* run(args, { TRACEPIPE_URL: proxy.endpoint, TRACEPIPE_API_KEY: api_key })
      expect({ code, posts }).toEqual({ code: 0, posts: 2 })
      const { items } = yield* sessions
      expect(items).toHaveLength(before + 1)
      expect(items[0]?.id).toBe(decoded(stdout).id)
    })
  )
})

/** A service that takes the beginning of each request and then waits to be told to take the rest. */
const hesitant = Effect.acquireRelease(
  Effect.promise(async () => {
    const begun = Promise.withResolvers<void>()
    const goOn = Promise.withResolvers<void>()
    const server = createServer((socket) => {
      socket.once("data", () => {
        socket.pause()
        begun.resolve()
        void goOn.promise.then(() => socket.resume())
      })
      socket.on("data", () => undefined)
      socket.on("error", () => undefined)
    })
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
    const address = server.address()
    const port = typeof address === "object" ? address?.port : 0
    return { server, base_url: `http://127.0.0.1:${port}`, begun: begun.promise, goOn: goOn.resolve }
  }),
  ({ server }) => Effect.sync(() => server.close())
)

it.scoped("a file that changes while it is sent ends the upload", () =>
  Effect.gen(function* () {
    const { base_url, begun, goOn } = yield* hesitant
    const root = yield* folder
    yield* sparse(join(root, "a.webm"), 64 * MIB)
    yield* write(root, { "b.txt": "short" })
    const suite_id = Bun.randomUUIDv7()
    const { child, stderr } = yield* start(["upload", root, "--at-once", "--suite", suite_id], {
      TRACEPIPE_URL: base_url,
      TRACEPIPE_API_KEY: KeyFormat.make()
    })
    yield* Effect.promise(() => begun)
    yield* Effect.promise(() => appendFile(join(root, "b.txt"), " no more"))
    goOn()
    expect(yield* Effect.promise(() => child.exited)).toBe(1)
    expect(yield* Effect.promise(() => stderr)).toBe(
      `tracepipe: ${join(root, "b.txt")}: the file changed while it was uploaded; nothing was kept, run the command again\n`
    )
  })
)
