import { expect, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { Logs } from "../../src/telemetry/Logs.ts"
import { asOwner } from "../support/AsOwner.ts"
import { organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const at = (minute: number) => `2026-03-01T10:${String(minute).padStart(2, "0")}:00.000Z`

const entries = [
  { timestamp: at(0), event_type: "run.begun", source: "agent-1", session_id: "s 1", correlation_id: "c1" },
  {
    timestamp: at(1),
    event_type: "tool.called",
    severity: "debug",
    source: "agent-1",
    session_id: "s 1",
    correlation_id: "c1",
    data: { tool: "Create_Issue", order: [3, 1], deep: { z: 1, a: null } }
  },
  { timestamp: at(2), event_type: "tool.failed", severity: "error", source: "agent-2", session_id: "s 2" },
  { timestamp: at(3), event_type: "run.ended", severity: "critical", data: { why: "100 % of the budget" } }
]

const reported = (api_key: string, body: unknown) =>
  Effect.gen(function* () {
    const response = yield* request("/v1/logs/batch", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      api_key
    })
    return { status: response.status, body: yield* Effect.promise(() => response.json()) }
  })

layer(TestServer.layer(), { excludeTestServices: true })("logs", (it) => {
  it.effect("are reported, and listed newest first by every filter", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      expect(yield* reported(api_key, entries)).toEqual({ status: 200, body: { accepted: 4, refused: [] } })
      const { logs } = yield* client(api_key)
      type Wanted = Omit<Parameters<typeof logs.list>[0]["urlParams"], "limit">
      const types = (wanted: Wanted) =>
        Effect.map(logs.list({ urlParams: { limit: 100, ...wanted } }), ({ items }) =>
          items.map(({ event_type }) => event_type)
        )
      const moment = (minute: number) => DateTime.unsafeMake(at(minute))
      for (const [wanted, expected] of [
        [{}, ["run.ended", "tool.failed", "tool.called", "run.begun"]],
        [{ severity: "error" }, ["tool.failed"]],
        [{ severity: "info" }, ["run.begun"]],
        [{ event_type: "tool.called" }, ["tool.called"]],
        [{ event_type: "tool" }, []],
        [{ session_id: "s 1" }, ["tool.called", "run.begun"]],
        [{ correlation_id: "c1", severity: "debug" }, ["tool.called"]],
        [{ source: "agent-2" }, ["tool.failed"]],
        [{ from: moment(1), to: moment(3) }, ["tool.failed", "tool.called"]],
        [{ q: "create_issue", from: moment(0) }, ["tool.called"]],
        [{ q: "RUN.", from: moment(0) }, ["run.ended", "run.begun"]],
        [{ q: "100 %", from: moment(0) }, ["run.ended"]],
        // Without a begin, of the week before the end.
        [{ q: "RUN.", to: moment(3) }, ["run.begun"]],
        [{ q: "RUN.", to: DateTime.add(moment(1), { days: 7 }) }, ["run.ended"]],
        [{ q: "RUN." }, []],
        [{ q: "RUN.", to: DateTime.unsafeMake("0001-01-01T00:00:00Z") }, []]
      ] as const satisfies ReadonlyArray<readonly [Wanted, ReadonlyArray<string>]>) {
        expect(yield* types(wanted), JSON.stringify(wanted)).toEqual(expected)
      }
      const { items } = yield* logs.list({ urlParams: { limit: 1, event_type: "tool.called" } })
      expect(items[0]).toMatchObject({ ...entries[1], timestamp: moment(1) })
      const other = yield* client((yield* organization()).api_key)
      expect(yield* other.logs.list({ urlParams: { limit: 20 } })).toEqual({ items: [], next_cursor: null })
    })
  )

  it.effect("are paged through, each once, also those of one moment", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const sent = Array.from({ length: 23 }, (_, n) => ({ timestamp: at(n % 3), event_type: `event ${n}` }))
      yield* reported(api_key, sent)
      const { logs } = yield* client(api_key)
      const found: Array<string> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const page: Effect.Effect.Success<ReturnType<typeof logs.list>> = yield* logs.list({
          urlParams: { limit: 5, ...(cursor === "" ? {} : { cursor }) }
        })
        found.push(...page.items.map(({ event_type }) => event_type))
        cursor = page.next_cursor
      }
      expect(found.length).toBe(23)
      expect(found.toSorted()).toEqual(sent.map(({ event_type }) => event_type).toSorted())
    })
  )

  it.effect("that are wrong are refused by themselves, with their place and the reason", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const answer = yield* reported(api_key, [
        { event_type: "fine" },
        { event_type: "" },
        { severity: "info" },
        { event_type: "x", severity: "loud" },
        { event_type: "x", timestamp: "yesterday" },
        { event_type: "x", timestamp: "2999-01-01T00:00:00Z" },
        { event_type: "x", timestamp: "1999-12-31T00:00:00Z" },
        { event_type: "x", data: { text: "\u0000" } },
        "text",
        null,
        { event_type: "fine too", source: null, further: "is not kept" }
      ])
      expect(answer).toMatchObject({
        status: 200,
        body: {
          accepted: 2,
          refused: [
            { index: 1, reason: expect.stringContaining("event_type") },
            { index: 2, reason: expect.stringContaining("event_type") },
            { index: 3, reason: expect.stringContaining("severity") },
            { index: 4, reason: expect.stringContaining("timestamp") },
            { index: 5, reason: expect.stringContaining("timestamp") },
            { index: 6, reason: expect.stringContaining("timestamp") },
            { index: 7, reason: expect.stringContaining("data") },
            { index: 8, reason: expect.any(String) },
            { index: 9, reason: expect.any(String) }
          ]
        }
      })
      // However much was sent, little of it is said again.
      const long = "x".repeat(200_000)
      const wrong = { event_type: long, severity: long, timestamp: long, source: long }
      const again = yield* reported(api_key, [wrong, long, { event_type: "x", severity: long }])
      expect(again.body.refused.map(({ index }: { readonly index: number }) => index)).toEqual([0, 1, 2])
      expect(JSON.stringify(again.body).length).toBeLessThan(1200)
      expect(yield* reported(api_key, { event_type: "no list" })).toMatchObject({ status: 422 })
      const { logs } = yield* client(api_key)
      const { items } = yield* logs.list({ urlParams: { limit: 20 } })
      expect(items.map(({ event_type }) => event_type).toSorted()).toEqual(["fine", "fine too"])
      expect(Math.abs(Date.now() - Number(items[0]?.timestamp.epochMillis))).toBeLessThan(60_000)
    })
  )

  it.effect("come up to ten thousand at once, and not one more", () =>
    Effect.gen(function* () {
      const { api_key, org_id } = yield* organization()
      const batch = Array.from({ length: 10_000 }, (_, n) => ({
        event_type: "many",
        data: { n, text: "x".repeat(200) }
      }))
      expect(yield* reported(api_key, batch)).toEqual({ status: 200, body: { accepted: 10_000, refused: [] } })
      expect(yield* reported(api_key, [...batch, { event_type: "more" }])).toMatchObject({ status: 422 })
      const { sql } = yield* TestServer
      const [count] = yield* Effect.orDie(
        sql<{ count: number }>`select count(*) from log_entries where org_id = ${org_id}`
      )
      expect(count?.count).toBe(10_000)
      // One batch, one entry of the audit log.
      const audit = yield* Effect.orDie(
        sql`select from audit_entries where org_id = ${org_id} and action = 'log.report'`
      )
      expect(audit.length).toBe(1)
    })
  )

  it.effect("go to the partition of their month, which is made ahead and is not rewritten", () =>
    Effect.gen(function* () {
      const { api_key, org_id } = yield* organization()
      const { sql } = yield* TestServer
      const now = new Date().toISOString()
      const earlier = new Date(Date.UTC(new Date().getUTCFullYear(), new Date().getUTCMonth() - 11, 15)).toISOString()
      yield* reported(api_key, [
        { event_type: "earlier", timestamp: earlier },
        { event_type: "now" },
        { event_type: "then", timestamp: "2020-02-29T12:00:00Z" }
      ])
      const rows = yield* Effect.orDie(
        sql`select event_type, tableoid::regclass::text as part from log_entries where org_id = ${org_id} order by event_type`
      )
      expect(rows).toEqual([
        { event_type: "earlier", part: `log_entries_${earlier.slice(0, 4)}_${earlier.slice(5, 7)}` },
        { event_type: "now", part: `log_entries_${now.slice(0, 4)}_${now.slice(5, 7)}` },
        { event_type: "then", part: "log_entries_default" }
      ])
      // The application makes them, though it owns no table.
      const made = yield* Effect.orDie(sql`select made, skipped from make_log_partitions(5)`)
      expect(made).toEqual([{ made: 2, skipped: [] }])
      expect(yield* Effect.orDie(sql`select made, skipped from make_log_partitions(5)`)).toEqual([
        { made: 0, skipped: [] }
      ])
      const newest = yield* Effect.orDie(
        sql<{ name: string; may_write: boolean; may_change: boolean }>`
          select c.relname as name, has_table_privilege(c.oid, 'insert') as may_write,
            has_table_privilege(c.oid, 'update, delete') as may_change
          from pg_inherits i join pg_class c on c.oid = i.inhrelid where i.inhparent = 'log_entries'::regclass order by 1`
      )
      expect(newest.length).toBe(19)
      for (const { name, may_write, may_change } of newest)
        expect({ name, may_write, may_change }).toEqual({ name, may_write: true, may_change: false })
      const denied = yield* Effect.flip(sql`update log_entries set event_type = 'other' where org_id = ${org_id}`)
      expect(String(denied.cause)).toContain("permission denied")
      // They go with their organization, from every partition.
      const other = yield* organization()
      yield* reported(other.api_key, [{ event_type: "now" }, { event_type: "then", timestamp: "2020-02-29T12:00:00Z" }])
      const left = sql`select from log_entries where org_id = ${other.org_id}`
      expect((yield* Effect.orDie(left)).length).toBe(2)
      yield* asOwner(`delete from organizations where id = '${other.org_id}'`)
      expect(yield* Effect.orDie(left)).toEqual([])
    })
  )

  it.effect("of a month that the default partition holds already stay there", () =>
    Effect.gen(function* () {
      const { org_id } = yield* organization()
      const { sql } = yield* TestServer
      const [next] = yield* Effect.orDie(
        sql<{ month: string }>`select (date_trunc('month', now()) + interval '12 months 3 days')::text as month`
      )
      const row = {
        id: Bun.randomUUIDv7(),
        org_id,
        timestamp: next?.month ?? "",
        event_type: "early",
        severity: "info"
      }
      yield* Effect.orDie(sql`insert into log_entries ${sql.insert(row)}`)
      const make = (months: number) => Effect.orDie(sql`select made, skipped from make_log_partitions(${months})`)
      const [before] = yield* make(11)
      expect(before?.["made"]).toBeGreaterThan(0)
      expect(yield* make(13)).toEqual([{ made: 1, skipped: [next?.month.slice(0, 7)] }])
      yield* asOwner("delete from log_entries where event_type = 'early'")
      expect(yield* make(13)).toEqual([{ made: 1, skipped: [] }])
      expect(yield* (yield* Logs).prepare()).toEqual({ made: 0, skipped: [] })
    })
  )
})
