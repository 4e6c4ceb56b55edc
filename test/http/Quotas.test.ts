import { SqlClient } from "@effect/sql"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { QuotasRepo } from "../../src/identity/QuotasRepo.ts"
import { Id } from "../../src/platform/Id.ts"
import { eventually } from "../support/Eventually.ts"
import { type Caller, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"
import { call, chat, send } from "../support/Uploading.ts"

const suites = ({ api_key }: Caller) =>
  Effect.flatMap(request("/v1/suites", { api_key }), (response) =>
    Effect.promise(async () => ({
      status: response.status,
      headers: response.headers,
      json: Object(await response.json())
    }))
  )

const quotasOf = ({ api_key }: Caller) =>
  Effect.flatMap(client(api_key), ({ quotas }) => Effect.map(quotas.list(), ({ items }) => items))

const quota = (kind: string, window: string) => (items: Effect.Effect.Success<ReturnType<typeof quotasOf>>) =>
  items.find((one) => one.kind === kind && one.window === window)

/** As an operator gives it. */
const given = ({ org_id }: Caller, kind: string, window: string, ceiling: number | null) =>
  Effect.flatMap(TestServer, ({ sql }) =>
    Effect.orDie(sql`insert into quotas ${sql.insert({ id: Bun.randomUUIDv7(), org_id, kind, window, ceiling })}
      on conflict (org_id, kind, "window") do update set ceiling = excluded.ceiling`)
  )

const midnight = () => {
  const now = new Date()
  return Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate() + 1)
}

layer(TestServer.layer())("what was used", (it) => {
  it.effect("is forgotten after 400 days", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { org_id } = yield* organization()
      yield* sql`insert into quota_usage (org_id, kind, "window", begins, used)
        select ${org_id}, 'requests', 'day', (now() at time zone 'utc')::date - ago, ago from unnest(array[399, 401]) as ago`
      yield* Effect.flatMap(QuotasRepo, ({ forget }) => forget).pipe(
        Effect.provide(Layer.provide(QuotasRepo.Default, Id.layer)),
        Effect.provideService(SqlClient.SqlClient, sql)
      )
      const kept = yield* sql`select used from quota_usage where org_id = ${org_id}`
      expect(kept).toEqual([{ used: 399 }])
    })
  )
})

layer(TestServer.layer({ QUOTA_REQUESTS_PER_DAY: "40" }), { excludeTestServices: true })("a quota", (it) => {
  it.effect("of requests admits exactly its ceiling under 32 clients, and the refusal says when it ends", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const all = yield* Effect.all(
        Array.from({ length: 80 }, () => suites(caller)),
        { concurrency: 32 }
      )
      expect(all.filter(({ status }) => status === 200).length).toBe(40)
      const refused = all.find(({ status }) => status === 429)
      const until = new Date(midnight()).toISOString()
      expect(refused?.json).toMatchObject({
        code: "rate_limited",
        limit: "quota:requests/day",
        detail: `the organization's quota of 40 requests a day is used up until ${until}`
      })
      const wait = Number(refused?.headers.get("retry-after"))
      expect(Math.abs(wait - (midnight() - Date.now()) / 1000)).toBeLessThan(10)
      expect((yield* suites(yield* organization())).status).toBe(200)
    })
  )

  it.effect("is told to its organization, with what is used of it", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      for (let turn = 0; turn < 4; turn++) yield* suites(caller)
      const items = yield* quotasOf(caller)
      expect(quota("requests", "day")(items)).toMatchObject({ ceiling: 40, used: 5 })
      expect(quota("requests", "day")(items)?.resets_at?.epochMillis).toBe(midnight())
      expect(quota("requests", "month")(items)).toMatchObject({ ceiling: null, used: 5 })
      expect(quota("bytes_stored", "total")(items)).toMatchObject({ ceiling: null, used: 0, resets_at: null })
      expect(items.length).toBe(7)
      const { sql } = yield* TestServer
      const rows = yield* sql`select kind, "window", used from quota_usage where org_id = ${caller.org_id} order by 2`
      expect(rows).toEqual([
        { kind: "requests", window: "day", used: 5 },
        { kind: "requests", window: "month", used: 5 }
      ])
    })
  )

  it.effect("of an organization's own stands above the default, and takes effect while the service runs", () =>
    Effect.gen(function* () {
      const [more, none, less] = [yield* organization(), yield* organization(), yield* organization()]
      yield* given(more, "requests", "day", 50)
      yield* given(none, "requests", "day", null)
      yield* given(less, "requests", "month", 3)
      const admitted = (caller: Caller) =>
        Effect.map(
          Effect.all(
            Array.from({ length: 60 }, () => suites(caller)),
            { concurrency: 8 }
          ),
          (all) => all.filter(({ status }) => status === 200).length
        )
      expect([yield* admitted(more), yield* admitted(none), yield* admitted(less)]).toEqual([50, 60, 3])
      expect((yield* suites(less)).json).toMatchObject({ limit: "quota:requests/month" })
      yield* given(less, "requests", "month", 4)
      expect((yield* eventually(suites(less), ({ status }) => status === 200)).status).toBe(200)
      expect((yield* suites(less)).status).toBe(429)
    })
  )

  it.effect("counts what other nodes counted", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const caller = yield* organization()
      expect((yield* suites(caller)).status).toBe(200)
      yield* sql`insert into quota_usage (org_id, kind, "window", begins, used)
        values (${caller.org_id}, 'requests', 'day', (now() at time zone 'utc')::date, 39)
        on conflict (org_id, kind, "window", begins) do update set used = quota_usage.used + excluded.used`
      const last = yield* eventually(suites(caller), ({ status }) => status === 429)
      expect(last.json).toMatchObject({ limit: "quota:requests/day" })
    })
  )

  it.effect("of bytes stored refuses before anything is kept, and a deletion gives them back", () =>
    Effect.gen(function* () {
      const { base_url, sql } = yield* TestServer
      const caller = yield* organization()
      const target = { base_url, api_key: caller.api_key }
      const suite = yield* call(target, "POST", "/v1/suites", { name: crypto.randomUUID() })
      const suite_id = String(suite.json["id"])
      yield* given(caller, "bytes_stored", "total", Math.floor(chat.length * 1.5))
      // Looking again and again takes requests, which are not what this is about.
      yield* given(caller, "requests", "day", 1_000_000)
      // The suite was made before there was a quota: what is known of that is seconds old.
      const upload = send(target, { query: { suite_id, file_name: "chat.jsonl" }, body: chat })
      const first = yield* upload
      expect(first.status).toBe(201)
      const refused = yield* eventually(upload, ({ status }) => status === 429)
      expect(refused.json).toMatchObject({ limit: "quota:bytes_stored/total", code: "rate_limited" })
      const rows = yield* sql<{ id: string }>`select id from sessions where org_id = ${caller.org_id}`
      for (const begin of [
        call(target, "POST", "/v1/uploads/direct", { suite_id, filename: "a.jsonl", length: chat.length }),
        Effect.flatMap(
          request("/v1/uploads", {
            api_key: caller.api_key,
            method: "POST",
            headers: {
              "tus-resumable": "1.0.0",
              "upload-length": String(chat.length),
              "upload-metadata": `suite_id ${btoa(suite_id)}`
            }
          }),
          Effect.succeed
        )
      ]) {
        expect((yield* begin).status).toBe(429)
      }
      expect(quota("bytes_stored", "total")(yield* quotasOf(caller))).toMatchObject({ used: rows.length * chat.length })
      for (const { id } of rows) {
        expect((yield* request(`/v1/sessions/${id}`, { api_key: caller.api_key, method: "DELETE" })).status).toBe(204)
      }
      expect((yield* upload).status).toBe(201)
    })
  )
})
