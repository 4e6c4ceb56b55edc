import { expect, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import type { UsageGroup } from "../../src/domain/telemetry/Usage.ts"
import { type Caller, key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const next = () => Bun.randomUUIDv7()
const moment = (text: string) => DateTime.unsafeMake(text)

const suite = ({ org_id }: Caller, name: string) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const id = next()
    yield* Effect.orDie(sql`insert into suites ${sql.insert({ id, org_id, name })}`)
    return id
  })

/** A session of some bytes, with examples of it, at a time; straight in the database. */
const recorded = (
  { org_id, user_id }: Pick<Caller, "org_id" | "user_id">,
  suite_id: string,
  created_at: string,
  size_bytes: number,
  examples: ReadonlyArray<{ readonly status: string; readonly model?: string; readonly tokens?: number }> = []
) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const session_id = next()
    const session = { id: session_id, org_id, user_id, suite_id, format: "messages", status: "READY" }
    yield* sql`insert into sessions ${sql.insert({
      ...session,
      record_source: "test",
      storage_path: "",
      file_count: 1,
      size_bytes,
      created_at
    })}`
    for (const { status, model = "BUILTIN/lexical", tokens } of examples) {
      const used = tokens === undefined ? {} : { tokens_in: tokens, tokens_out: 2 * tokens, cost: tokens / 100 }
      yield* sql`insert into examples ${sql.insert({
        id: next(),
        org_id,
        session_id,
        suite_id,
        model,
        storage_path: "",
        status,
        created_at,
        ...used
      })}`
    }
  }).pipe(Effect.orDie)

const counts = (groups: ReadonlyArray<UsageGroup>) =>
  groups.map(({ key, name, sessions, bytes, examples, tokens_in, tokens_out, cost }) => [
    name ?? key,
    sessions,
    bytes,
    Object.values(examples).reduce((sum, one) => sum + one, 0),
    tokens_in,
    tokens_out,
    Math.round(cost * 100) / 100
  ])

/** Three sessions of two people in two suites, on two days. */
const world = Effect.gen(function* () {
  const ann = yield* organization()
  const ben = yield* member(ann.org_id)
  const shop = yield* suite(ann, "Shop")
  const bank = yield* suite(ann, "Bank")
  yield* recorded(ann, shop, "2026-03-01T10:10:00Z", 100, [
    { status: "COMPLETED" },
    { status: "COMPLETED", model: "OPENAI/large", tokens: 50 }
  ])
  yield* recorded(ben, shop, "2026-03-01T10:59:59Z", 30, [{ status: "FAILED", model: "OPENAI/large", tokens: 7 }])
  yield* recorded(ben, bank, "2026-03-02T00:00:00Z", 5_000_000_000, [{ status: "PENDING" }])
  const { sql } = yield* TestServer
  yield* Effect.orDie(sql`update users set display_name = 'Ann' where id = ${ann.user_id}`)
  yield* Effect.orDie(sql`update users set display_name = 'Ben' where id = ${ben.user_id}`)
  return { ann, ben, shop, bank }
})

const march = { from: moment("2026-03-01T00:00:00Z"), to: moment("2026-03-08T00:00:00Z") }

layer(TestServer.layer(), { excludeTestServices: true })("usage", (it) => {
  it.effect("is counted by day, hour, user, model and suite, and in all", () =>
    Effect.gen(function* () {
      const { ann } = yield* world
      const { metrics } = yield* client(ann.api_key)
      const read = (group_by: "day" | "hour" | "user" | "model" | "suite") =>
        metrics.usage({ urlParams: { group_by, ...march } })
      const days = yield* read("day")
      expect(counts(days.groups)).toEqual([
        ["2026-03-01T00:00:00Z", 2, 130, 3, 57, 114, 0.57],
        ["2026-03-02T00:00:00Z", 1, 5_000_000_000, 1, 0, 0, 0]
      ])
      expect(days.groups[0]?.examples).toEqual({ PENDING: 0, RUNNING: 0, COMPLETED: 2, FAILED: 1, CANCELLED: 0 })
      expect(days).toMatchObject({ ...march, group_by: "day", truncated: false })
      const total = { sessions: 3, bytes: 5_000_000_130, tokens_in: 57, tokens_out: 114 }
      for (const group_by of ["day", "hour", "user", "suite"] as const) {
        expect((yield* read(group_by)).total, group_by).toMatchObject(total)
      }
      expect(counts((yield* read("hour")).groups)).toEqual([
        ["2026-03-01T10:00:00Z", 2, 130, 3, 57, 114, 0.57],
        ["2026-03-02T00:00:00Z", 1, 5_000_000_000, 1, 0, 0, 0]
      ])
      expect(counts((yield* read("user")).groups)).toEqual([
        ["Ben", 2, 5_000_000_030, 2, 7, 14, 0.07],
        ["Ann", 1, 100, 2, 50, 100, 0.5]
      ])
      expect(counts((yield* read("suite")).groups)).toEqual([
        ["Shop", 2, 130, 3, 57, 114, 0.57],
        ["Bank", 1, 5_000_000_000, 1, 0, 0, 0]
      ])
      // A session is of no model: what is made of it is.
      expect(counts((yield* read("model")).groups)).toEqual([
        ["BUILTIN/lexical", 0, 0, 2, 0, 0, 0],
        ["OPENAI/large", 0, 0, 2, 57, 114, 0.57]
      ])
    })
  )

  it.effect("is of the time that is asked for, without its end, and of the own organization and suites", () =>
    Effect.gen(function* () {
      const { ann, bank } = yield* world
      const { metrics } = yield* client(ann.api_key)
      const until = yield* metrics.usage({
        urlParams: { group_by: "suite", from: march.from, to: moment("2026-03-02T00:00:00Z") }
      })
      expect(counts(until.groups).map(([name]) => name)).toEqual(["Shop"])
      const limited = yield* client((yield* key(ann, { suite_ids: [bank] })).api_key)
      const { groups, total } = yield* limited.metrics.usage({ urlParams: { group_by: "day", ...march } })
      expect(groups.map(({ key }) => key)).toEqual(["2026-03-02T00:00:00Z"])
      expect(total.sessions).toBe(1)
      const other = yield* client((yield* organization()).api_key)
      const nothing = yield* other.metrics.usage({ urlParams: { group_by: "user", ...march } })
      expect(nothing).toMatchObject({ groups: [], total: { sessions: 0, bytes: 0, tokens_in: 0, cost: 0 } })
      // Without times, the last month.
      const recent = yield* metrics.usage({ urlParams: { group_by: "day" } })
      expect(DateTime.distance(recent.from, recent.to)).toBe(31 * 24 * 3600 * 1000)
    })
  )

  it.effect("is bounded: too long a time is a 400, and of very many groups the largest are shown", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      for (const [query, status] of [
        ["group_by=day&from=2025-01-01&to=2026-01-01", 200],
        ["group_by=day&from=2025-01-01&to=2026-01-02", 400],
        ["group_by=hour&from=2026-01-01&to=2026-01-16", 200],
        ["group_by=hour&from=2026-01-01&to=2026-01-17", 400],
        ["group_by=suite&from=2026-01-02&to=2026-01-01", 400],
        ["to=0001-01-01", 200],
        ["group_by=hour&to=0001-01-02T00:00:00Z", 200],
        ["to=9999-12-31T23:59:59Z", 200],
        ["group_by=planet", 400],
        ["from=yesterday", 400]
      ] as const) {
        const response = yield* request(`/v1/metrics/usage?${query}`, { api_key })
        expect(response.status, query).toBe(status)
      }
      const { ann, shop } = yield* world
      const { sql } = yield* TestServer
      yield* Effect.orDie(sql`
        insert into examples (id, org_id, session_id, suite_id, model, storage_path, status, created_at)
        select gen_random_uuid(), org_id, id, suite_id, 'CUSTOM/' || n, '', 'COMPLETED', '2026-03-03'
        from sessions s, generate_series(1, 400) n where suite_id = ${shop} and user_id = ${ann.user_id}`)
      const { metrics } = yield* client(ann.api_key)
      const many = yield* metrics.usage({ urlParams: { group_by: "model", ...march } })
      expect(many.groups.length).toBe(366)
      expect(many.truncated).toBe(true)
      expect(many.total.examples.COMPLETED).toBe(402)
    })
  )
})
