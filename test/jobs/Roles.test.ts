import { expect, it } from "@effect/vitest"
import { Effect, Fiber, type Scope } from "effect"
import Pg from "pg"
import { folder, run } from "../cli/Tracepipe.ts"
import { type ChildOptions, type ChildService, childService, main } from "../support/ChildService.ts"
import { eventually } from "../support/Eventually.ts"
import { example, exampleEnded, mappedSuite, messages, recorded } from "../support/Recorded.ts"
import { traces } from "../support/Remains.ts"
import { bucketBehindProxy } from "../support/Stage.ts"
import { call } from "../support/Uploading.ts"

const test = (name: string, body: () => Effect.Effect<void, never, Scope.Scope>) => it.scopedLive(name, body, 240_000)

/** Shards of each kind of job. */
const SHARDS = 64
const EXAMPLES = 200

const asked = <A>({ database }: Pick<ChildService, "database">, query: string) =>
  Effect.promise(async () => {
    const client = new Pg.Client({ connectionString: database.owner })
    await client.connect()
    const { rows } = await client.query(query)
    await client.end()
    return rows as ReadonlyArray<A>
  })

/** How many shards of each kind somebody holds: the kinds' locks are numbered from a million each on. */
const held = (service: Pick<ChildService, "database">) =>
  asked<{ kind: string; count: number; holders: number }>(
    service,
    `select case objid::bigint / 1000000 when 1 then 'other' else 'examples' end as kind, count(*)::int as count,
        count(distinct pid)::int as holders
      from pg_locks where locktype = 'advisory' and granted and objsubid = 1 and objid::bigint between 1000000 and 2999999
        and database = (select oid from pg_database where datname = current_database())
      group by 1 order by 1`
  )

const all = { examples: SHARDS, other: SHARDS }
const counts = (rows: Effect.Effect.Success<ReturnType<typeof held>>) =>
  Object.fromEntries(rows.map(({ kind, count }) => [kind, count]))
const areAllHeld = (rows: Effect.Effect.Success<ReturnType<typeof held>>) =>
  JSON.stringify(counts(rows)) === JSON.stringify(all)

/** An api process, and what starts workers beside it. */
const cluster = Effect.gen(function* () {
  const bucket = yield* bucketBehindProxy
  const environment = { LOG_LEVEL: "WARNING", DATABASE_POOL_SIZE: "6", ...bucket.environment }
  const api = yield* childService({ environment: { ...environment, ROLE: "api" } })
  const worker = (options: ChildOptions = {}) =>
    childService({
      command: [main, "worker"],
      beside: api,
      ...options,
      environment: { ...environment, ...options.environment }
    })
  const { suite_id } = yield* mappedSuite(api)
  const session_id = yield* recorded(api, suite_id)
  return { api, worker, session_id, bucket }
})

test("an api process starts examples and runs none, a worker runs them and has no API", () =>
  Effect.gen(function* () {
    const { api, worker, session_id } = yield* cluster
    const id = yield* example(api, session_id)
    expect(yield* asked(api, "select address from cluster_runners")).toEqual([])
    expect(yield* held(api)).toEqual([])
    const messages = yield* asked(api, "select tag, last_read, processed from cluster_messages")
    expect(messages).toEqual([{ tag: "run", last_read: null, processed: false }])

    const other = yield* worker({ environment: { WORKER_KINDS: "other" } })
    expect(counts(yield* eventually(held(api), (rows) => rows.length > 0))).toEqual({ other: SHARDS })
    expect((yield* call(api, "GET", `/v1/examples/${id}`)).json).toMatchObject({ status: "PENDING" })

    const one = yield* worker({ environment: { WORKER_KINDS: "examples" } })
    expect(yield* exampleEnded(api, id)).toMatchObject({ status: "COMPLETED", attempts: 1 })
    expect(counts(yield* eventually(held(api), areAllHeld))).toEqual(all)
    for (const service of [one, other]) {
      expect((yield* call(service, "GET", "/live")).json).toEqual({ status: "ok" })
      expect((yield* call(service, "GET", "/ready")).json).toEqual({ status: "ok" })
      const refused = yield* call(service, "GET", "/v1/suites")
      expect([refused.status, refused.json["code"]]).toEqual([404, "not_found"])
      const exposition = yield* Effect.promise(() =>
        fetch(`${service.base_url}/metrics`).then((answer) => answer.text())
      )
      expect(exposition).toContain("process_resident_memory_bytes")
    }
  }))

test("workers that come, are killed and end lose no example and make none twice", () =>
  Effect.gen(function* () {
    const { api, worker, session_id, bucket } = yield* cluster
    const [one, two] = yield* Effect.all([worker(), worker()], { concurrency: 2 })
    yield* eventually(held(api), (rows) => areAllHeld(rows) && rows.every(({ holders }) => holders === 2))
    const finished = Effect.map(
      asked<{ count: number }>(api, "select count(*)::int from examples where status not in ('PENDING', 'RUNNING')"),
      ([row]) => row?.count ?? 0
    )
    const asking = yield* Effect.fork(
      Effect.all(
        Array.from({ length: EXAMPLES }, () => example(api, session_id)),
        { concurrency: 8 }
      )
    )
    const reached = (count: number) => eventually(finished, (now) => now >= count, 60_000)

    yield* reached(20)
    yield* worker()
    yield* reached(60)
    yield* one.end("SIGKILL")
    const killed = performance.now()
    expect(counts(yield* eventually(held(api), areAllHeld))).toEqual(all)
    console.log(`the shards of a killed worker were held again after ${Math.round(performance.now() - killed)} ms`)
    yield* reached(100)
    expect(yield* two.end("SIGTERM")).toBe(0)

    const ids = yield* Fiber.join(asking)
    expect(yield* reached(EXAMPLES)).toBe(EXAMPLES)
    expect(yield* asked(api, "select status, attempts, count(*)::int from examples group by status, attempts")).toEqual(
      [{ status: "COMPLETED", attempts: 1, count: EXAMPLES }]
    )
    const [first = ""] = ids
    const text = yield* messages(api, first)
    expect(yield* messages(api, ids.at(-1) ?? "")).toBe(text)
    const hashes = yield* asked(api, "select distinct content_hash from examples")
    expect(hashes).toHaveLength(1)
    const runs = yield* asked(
      api,
      "select count(*)::int, count(distinct entity_id)::int as entities from cluster_messages where tag = 'run' and entity_type = 'Workflow/Example'"
    )
    expect(runs).toEqual([{ count: EXAMPLES, entities: EXAMPLES }])
    const audited = yield* asked(api, "select count(*)::int from audit_entries where resource like 'example/%'")
    expect(audited).toEqual([{ count: EXAMPLES }])
    const { objects, uploads } = yield* traces({ ...api, database_url: api.database.app, s3: bucket.s3 })
    expect(uploads).toEqual([])
    expect(objects.filter((key) => key.includes("/examples/"))).toHaveLength(2 * EXAMPLES)
  }))

test("behind a pooler, where locks are rows, what a killed worker held goes on at another", () =>
  Effect.gen(function* () {
    const { api, worker, session_id } = yield* cluster
    const environment = { DATABASE_DIRECT_URL: api.database.app }
    const one = yield* worker({ environment })
    const first = yield* example(api, session_id)
    expect(yield* exampleEnded(api, first)).toMatchObject({ status: "COMPLETED" })
    expect(yield* held(api)).toEqual([])
    expect(yield* asked(api, "select count(distinct address)::int as runners from cluster_locks")).toEqual([
      { runners: 1 }
    ])
    yield* worker({ environment })
    const ids = yield* Effect.all(
      Array.from({ length: 20 }, () => example(api, session_id)),
      { concurrency: 8 }
    )
    yield* one.end("SIGKILL")
    for (const id of ids) {
      expect(yield* exampleEnded(api, id, 60_000)).toMatchObject({ status: "COMPLETED", attempts: 1 })
    }
  }))

for (const [args, environment] of [
  [["worker"], {}],
  [["serve"], { ROLE: "worker" }],
  [["serve"], { ROLE: "api" }]
] as const) {
  const role = "ROLE" in environment ? environment.ROLE : "worker"
  test(`tracepipe ${args.join(" ")} as ${role} without DATABASE_URL says what it needs`, () =>
    Effect.gen(function* () {
      const DATA_DIR = yield* folder
      const { code, stderr } = yield* run(args, { ...environment, DATA_DIR, PORT: "0" })
      expect(code).toBe(1)
      expect(stderr).toContain(`DATABASE_URL: needed with ROLE=${role}`)
      expect(stderr).toContain("the bundled database serves the one process that starts it")
    }))
}
