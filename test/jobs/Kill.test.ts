import { describe, expect, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import Pg from "pg"
import { type ChildService, childService } from "../support/ChildService.ts"
import { eventually } from "../support/Eventually.ts"
import { gate, type Stop } from "../support/Gate.ts"
import { example, exampleEnded, mappedSuite, messages, recorded } from "../support/Recorded.ts"
import { type Scene, traces } from "../support/Remains.ts"
import { type Bucket, bucketBehindProxy } from "../support/Stage.ts"

const LIMIT_MS = 240_000

const test = (name: string, body: () => Effect.Effect<void, never, Scope.Scope>) => it.scopedLive(name, body, LIMIT_MS)

/** What uploads and writes leave is collected after four seconds. */
const command = [new URL("../session/Serve.fixture.ts", import.meta.url).pathname]
const environment = { LOG_LEVEL: "WARNING", UPLOAD_GC_INTERVAL: "300 ms" }

/** A service with one session, of which it has made one example undisturbed. */
const running = (bucket?: Bucket) =>
  Effect.gen(function* () {
    const service = yield* childService({ command, environment: { ...environment, ...bucket?.environment } })
    const scene: Scene = {
      base_url: service.base_url,
      api_key: service.api_key,
      data_dir: service.data_dir,
      database_url: service.database.app,
      ...(bucket === undefined ? {} : { s3: bucket.s3 })
    }
    const { suite_id } = yield* mappedSuite(service)
    const session_id = yield* recorded(service, suite_id)
    const first = yield* example(service, session_id)
    expect(yield* exampleEnded(service, first)).toMatchObject({ status: "COMPLETED" })
    const undisturbed = yield* messages(service, first)
    expect(undisturbed).toContain('"create_customer"')
    return { service, scene, session_id, undisturbed }
  })

interface Rows {
  readonly examples: number
  readonly audited: number
  readonly runs: number
  readonly unprocessed: number
}

/** What the database holds of examples and their runs. */
const rows = ({ database }: ChildService): Effect.Effect<Rows> =>
  Effect.promise(async () => {
    const client = new Pg.Client({ connectionString: database.owner })
    await client.connect()
    const { rows: found } = await client.query(
      `select (select count(*)::int from examples) as examples,
        (select count(*)::int from audit_entries where resource like 'example/%') as audited,
        (select count(*)::int from cluster_messages where entity_type = 'Workflow/Example' and tag = 'run') as runs,
        (select count(*)::int from cluster_messages where entity_type = 'Workflow/Example' and not processed) as unprocessed`
    )
    await client.end()
    return found[0]
  })

/** After kills: each example was made once and whole, and nothing else is there. */
const whole = (
  { service, scene, undisturbed }: Effect.Effect.Success<ReturnType<typeof running>>,
  ids: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    for (const id of ids) {
      const made = yield* exampleEnded(service, id, 60_000)
      expect(made).toMatchObject({ status: "COMPLETED", attempts: 1, error_code: null })
      expect(yield* messages(service, id)).toBe(undisturbed)
    }
    const count = ids.length + 1
    const left = yield* eventually(rows(service), ({ unprocessed }) => unprocessed === 0)
    expect(left).toEqual({ examples: count, audited: count, runs: count, unprocessed: 0 })
    const isTemp = (key: string) => key.startsWith(".tmp/")
    const { objects, uploads, removals } = yield* eventually(traces(scene), (now) => !now.objects.some(isTemp))
    const files = objects.filter((key) => key.includes("/examples/")).map((key) => key.split("/").slice(-2).join("/"))
    const expected = ids.flatMap((id) => [`${id}/messages.jsonl`, `${id}/tools.json`])
    expect(files).toHaveLength(2 * count)
    expect(files).toEqual(expect.arrayContaining(expected))
    expect({ temps: objects.filter(isTemp), uploads, removals }).toEqual({
      temps: [],
      uploads: [],
      removals: 0
    })
  })

const stages = ["load", "classify", "write", "record"]
const stops: ReadonlyArray<readonly [string, Stop]> = [
  ...stages.map((stage) => [`at the begin of ${stage}`, { stage }] as const),
  ["before the outcome is visible", { status: "COMPLETED" }],
  ...stages.map((stage) => [`between the end of ${stage} and its note`, { noted: stage }] as const),
  ["between the last note and the workflow's own", "ended"]
]

describe("an example whose service is killed with -9", () => {
  for (const outcome of ["refuse", "pass"] as const) {
    const what = outcome === "refuse" ? "has not begun" : "goes on"
    test(`is made once and the same, at every stage at which the database ${what}`, () =>
      Effect.gen(function* () {
        const scene = yield* running()
        const { service, session_id } = scene
        const ids: Array<string> = []
        for (const [name, stop] of stops) {
          const closed = yield* gate(service.database, stop)
          const id = yield* example(service, session_id)
          yield* closed.reached
          yield* service.end("SIGKILL")
          yield* closed[outcome]
          yield* service.start
          expect(yield* exampleEnded(service, id), name).toMatchObject({ status: "COMPLETED" })
          ids.push(id)
        }
        yield* whole(scene, ids)
      }).pipe(Effect.scoped))
  }

  const requests = [
    ["while its recording is read", "GET", "input_events.jsonl"],
    ["while its messages are written", "PUT", "messages.jsonl"],
    ["between its messages and its tools", "PUT", "tools.json"]
  ] as const
  test("is made once and the same, in the middle of what it asks of the object store", () =>
    Effect.gen(function* () {
      const bucket = yield* bucketBehindProxy
      const scene = yield* running(bucket)
      const { service, session_id } = scene
      const ids: Array<string> = []
      for (const [name, method, file] of requests) {
        let hung = 0
        bucket.proxy.fault = (request) => {
          if (request.method !== method || !request.url.pathname.endsWith(file)) return undefined
          hung += 1
          return { kind: "hang" }
        }
        const id = yield* example(service, session_id)
        const came = yield* eventually(
          Effect.sync(() => hung),
          (count) => count > 0
        )
        expect(came, name).toBeGreaterThan(0)
        yield* service.end("SIGKILL")
        bucket.proxy.fault = () => undefined
        yield* service.start
        expect(yield* exampleEnded(service, id), name).toMatchObject({ status: "COMPLETED" })
        ids.push(id)
      }
      yield* whole(scene, ids)
    }))

  test("is made once and the same, with many others, again and again", () =>
    Effect.gen(function* () {
      const scene = yield* running()
      const { service, session_id } = scene
      const ids: Array<string> = []
      const completed = Effect.map(
        Effect.promise(async () => {
          const client = new Pg.Client({ connectionString: service.database.owner })
          await client.connect()
          const { rows: found } = await client.query(
            "select count(*)::int as n from examples where status = 'COMPLETED'"
          )
          await client.end()
          return Number(found[0]?.n)
        }),
        (count) => count - 1
      )
      for (let turn = 0; turn < 3; turn++) {
        const before = yield* completed
        ids.push(
          ...(yield* Effect.all(
            Array.from({ length: 30 }, () => example(service, session_id)),
            { concurrency: 8 }
          ))
        )
        yield* eventually(completed, (count) => count > before + 3)
        yield* service.end("SIGKILL")
        yield* service.start
      }
      yield* whole(scene, ids)
    }))
})
