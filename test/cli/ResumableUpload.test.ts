import { readdir, truncate, utimes, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { Effect, Schema } from "effect"
import { segmentsOf, slice, totalOf } from "../../src/cli/upload/Segments.ts"
import { Session } from "../../src/domain/session/Session.ts"
import { childService } from "../support/ChildService.ts"
import { eventually } from "../support/Eventually.ts"
import { TestServer } from "../support/TestServer.ts"
import { call, contentOf, longChat, newSuite, sha256 } from "../support/Uploading.ts"
import { folder, run, start } from "./Tracepipe.ts"

const MIB = 1024 ** 2

const decoded = Schema.decodeSync(Schema.parseJson(Session))

const recording = (root: string, bytes: number) =>
  Effect.promise(async () => {
    const content = Buffer.concat([...longChat(bytes)])
    await writeFile(join(root, "run.jsonl"), content)
    return { path: join(root, "run.jsonl"), content }
  })

interface Row {
  readonly id: string
  readonly offset: number
  readonly status: string
}

const uploadsOf = Effect.flatMap(
  TestServer,
  ({ sql }) => sql<Row>`select id, "offset", status from uploads order by created_at`
).pipe(Effect.orDie)

const environmentOf = (state: string) =>
  Effect.map(TestServer, ({ base_url, api_key }) => ({
    TRACEPIPE_URL: base_url,
    TRACEPIPE_API_KEY: api_key,
    XDG_STATE_HOME: state
  }))

const remembered = (state: string) =>
  Effect.promise(() => readdir(join(state, "tracepipe", "uploads")).catch((): ReadonlyArray<string> => []))

layer(TestServer.layer(), { excludeTestServices: true })("tracepipe upload of a large bundle", (it) => {
  it.scoped("goes on where it was killed, and remembers nothing once there is a session", () =>
    Effect.gen(function* () {
      const suite_id = yield* newSuite(yield* TestServer)
      const [root, state] = [yield* folder, yield* folder]
      const { path, content } = yield* recording(root, 160 * MIB)
      const environment = yield* environmentOf(state)
      const args = ["upload", path, "--suite", suite_id, "--json", "--metadata", '{"run":7}']
      const first = yield* start(args, environment)
      const [begun] = yield* eventually(uploadsOf, ([row]) => (row?.offset ?? 0) > 0)
      first.child.kill("SIGKILL")
      yield* Effect.promise(() => first.child.exited)
      expect(begun?.status).toBe("OPEN")
      expect(yield* remembered(state)).toHaveLength(1)
      const [stopped] = yield* uploadsOf
      const second = yield* run(args, environment)
      expect({ code: second.code, stderr: second.stderr }).toEqual({ code: 0, stderr: "" })
      const session = decoded(second.stdout)
      expect(session).toMatchObject({ status: "READY", suite_id, metadata: { run: 7 }, size_bytes: content.length })
      // The same upload, and not a new one.
      expect((yield* uploadsOf).map(({ id }) => id)).toEqual([stopped?.id])
      const files = yield* contentOf(yield* TestServer, session.id)
      expect(sha256(Buffer.from(files["run.jsonl"] ?? "", "latin1"))).toBe(sha256(content))
      expect(yield* remembered(state)).toEqual([])
    })
  )

  it.scoped("sends a folder as one tar, and says why a recording is refused", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      yield* Effect.orDie(sql`delete from uploads`)
      const suite_id = yield* newSuite(yield* TestServer)
      const [root, state] = [yield* folder, yield* folder]
      const { content } = yield* recording(root, 64 * MIB)
      yield* Effect.promise(() => writeFile(join(root, "empty.txt"), ""))
      const environment = yield* environmentOf(state)
      const sent = yield* run(["upload", root, "--suite", suite_id, "--json"], environment)
      expect(sent.stderr).toBe("")
      const session = decoded(sent.stdout)
      const files = yield* contentOf(yield* TestServer, session.id)
      expect(Object.keys(files).sort()).toEqual(["empty.txt", "run.jsonl"])
      expect(sha256(Buffer.from(files["run.jsonl"] ?? "", "latin1"))).toBe(sha256(content))
      expect(yield* uploadsOf).toHaveLength(1)

      yield* Effect.promise(() => truncate(join(root, "run.jsonl"), content.length - 10))
      const refused = yield* run(["upload", root, "--suite", suite_id], environment)
      expect(refused.code).toBe(1)
      expect(refused.stderr).toMatch(/run\.jsonl:\d+/)
      expect(refused.stdout).toBe("")
      expect(yield* remembered(state)).toEqual([])
    })
  )

  it.scoped("waits for a service that is started again", () =>
    Effect.gen(function* () {
      const service = yield* childService({})
      const suite_id = yield* newSuite(service)
      const [root, state] = [yield* folder, yield* folder]
      const { path, content } = yield* recording(root, 160 * MIB)
      const { child, stderr } = yield* start(["upload", path, "--suite", suite_id, "--json"], {
        TRACEPIPE_URL: service.base_url,
        TRACEPIPE_API_KEY: service.api_key,
        XDG_STATE_HOME: state
      })
      yield* eventually(remembered(state), (names) => names.length > 0)
      yield* service.end("SIGKILL")
      yield* service.start
      const stdout = yield* Effect.promise(() => new Response(child.stdout).text())
      expect(yield* Effect.promise(() => child.exited), yield* Effect.promise(() => stderr)).toBe(0)
      const session = decoded(stdout)
      expect(session).toMatchObject({ status: "READY", size_bytes: content.length })
      const sessions = yield* call(service, "GET", "/v1/sessions")
      expect(sessions.json["items"]).toHaveLength(1)
    })
  )

  it.scoped("cuts a tar anywhere and has the same bytes", () =>
    Effect.gen(function* () {
      const root = yield* folder
      const names = ["a", `${"long/".repeat(40)}name.txt`, "ü.txt", "empty"]
      const files = yield* Effect.promise(async () => {
        const path = join(root, "source")
        await writeFile(path, "0123456789".repeat(100))
        await utimes(path, 1, 1)
        await writeFile(join(root, "nothing"), "")
        await utimes(join(root, "nothing"), 1, 1)
        return names.map((name) =>
          name === "empty"
            ? { name, path: join(root, "nothing"), size_bytes: 0, modified_ms: 1000 }
            : { name, path, size_bytes: 1000, modified_ms: 1000 }
        )
      })
      const bundle = { name: "x", kind: "folder" as const, files, skipped: 0 }
      const whole = yield* Effect.promise(async () => {
        const segments = await segmentsOf(bundle)
        return slice(segments, { start: 0, end: totalOf(segments) })
      })
      expect(whole.length % 512).toBe(0)
      for (const at of [1, 511, 512, 1600, whole.length - 1]) {
        const halves = yield* Effect.promise(async () => {
          const segments = await segmentsOf(bundle)
          return [
            await slice(segments, { start: 0, end: at }),
            await slice(segments, { start: at, end: Number.POSITIVE_INFINITY })
          ]
        })
        expect(Buffer.concat(halves).equals(Buffer.from(whole)), `cut at ${at}`).toBe(true)
      }
      const listed = Bun.spawn(["tar", "-tf", "-"], { stdin: whole, stdout: "pipe" })
      const text = yield* Effect.promise(() => new Response(listed.stdout).text())
      expect(text.trim().split("\n")).toHaveLength(4)
    })
  )
})
