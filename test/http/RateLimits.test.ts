import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { eventually } from "../support/Eventually.ts"
import { key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"
import { call, chat, send } from "../support/Uploading.ts"

const live = { excludeTestServices: true } as const

const asked = (path: string, init: Parameters<typeof request>[1] = {}) =>
  Effect.flatMap(request(path, init), (response) =>
    Effect.promise(async () => ({
      status: response.status,
      policy: response.headers.get("ratelimit-policy"),
      limit: response.headers.get("ratelimit"),
      retry: response.headers.get("retry-after"),
      json: Object(await response.json().catch(() => undefined))
    }))
  )

/** The members of a RateLimit field: `r` of each limit, by its name. */
const remaining = (field: string | null) =>
  Object.fromEntries(
    [...(field ?? "").matchAll(/"(\w+)";r=(\d+);t=\d+/g)].map(([, name, r]) => [name ?? "", Number(r)])
  )

const suites = (api_key: string) => asked("/v1/suites", { api_key })

layer(
  TestServer.layer({
    RATE_LIMIT_REQUESTS_PER_MINUTE: "60",
    RATE_LIMIT_BURST_SIZE: "6",
    RATE_LIMIT_IP_PER_MINUTE: "off",
    RATE_LIMIT_KEYS_PER_MINUTE: "2",
    RATE_LIMIT_SESSIONS_PER_MINUTE: "3",
    CORS_ORIGINS: "https://app.example"
  }),
  live
)("rate limits", (it) => {
  it.effect("are told with every answer, failures too", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const first = yield* suites(api_key)
      expect(first.status).toBe(200)
      expect(first.policy).toBe('"key";q=60;w=60, "user";q=120;w=60, "organization";q=600;w=60')
      expect(first.limit).toBe('"key";r=5;t=1, "user";r=11;t=1, "organization";r=59;t=1')
      const missing = yield* asked(`/v1/suites/${crypto.randomUUID()}`, { api_key })
      expect([missing.status, remaining(missing.limit)]).toEqual([404, { key: 4, user: 10, organization: 58 }])
      const invalid = yield* asked("/v1/suites", { api_key, method: "POST", body: "{" })
      expect([invalid.status, remaining(invalid.limit)["key"]]).toEqual([400, 3])
      expect(invalid.retry).toBeNull()
    })
  )

  it.effect("refuse what is beyond them, say which it was, and let in again after the wait", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const all = yield* Effect.all(
        Array.from({ length: 10 }, () => suites(api_key)),
        { concurrency: 10 }
      )
      expect(all.filter(({ status }) => status === 200).length).toBe(6)
      const refused = all.find(({ status }) => status === 429)
      expect(refused?.json).toMatchObject({
        type: "/problems/rate_limited",
        status: 429,
        code: "rate_limited",
        _tag: "RateLimited",
        limit: "key",
        retry_after_s: 1,
        detail: "more than 60 requests a minute with this API key; try again in 1 s"
      })
      expect(refused?.retry).toBe("1")
      expect(remaining(refused?.limit ?? null)["key"]).toBe(0)
      const failure = yield* Effect.flip(
        Effect.repeat(
          Effect.flatMap(client(api_key), ({ users }) => users.me()),
          { times: 20 }
        )
      )
      expect(failure).toMatchObject({ _tag: "RateLimited", limit: "key" })
      expect((yield* eventually(suites(api_key), ({ status }) => status === 200)).status).toBe(200)
    })
  )

  it.effect("of one key do not touch another's, and those of a user hold for all of the user's keys", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const keys = [owner, yield* key(owner), yield* key(owner)]
      const statuses = []
      for (const { api_key } of keys) {
        for (let turn = 0; turn < 6; turn++) statuses.push(yield* suites(api_key))
      }
      expect(statuses.slice(0, 12).every(({ status }) => status === 200)).toBe(true)
      const refused = statuses.slice(12).find(({ status }) => status === 429)
      expect(refused?.json).toMatchObject({ limit: "user" })
      const colleague = yield* member(owner.org_id)
      expect((yield* suites(colleague.api_key)).status).toBe(200)
    })
  )

  it.effect("of a group are counted besides, and a request that one refuses counts on none", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const made = () =>
        asked("/v1/api-keys", {
          api_key,
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ name: "k" })
        })
      const first = yield* made()
      expect([first.status, first.policy]).toEqual([
        201,
        '"key";q=60;w=60, "user";q=120;w=60, "organization";q=600;w=60, "keys";q=2;w=60'
      ])
      expect((yield* made()).status).toBe(201)
      for (let turn = 0; turn < 3; turn++) {
        expect(yield* made()).toMatchObject({ status: 429, json: { limit: "keys" } })
      }
      expect(remaining((yield* suites(api_key)).limit)["key"]).toBeGreaterThanOrEqual(3)
    })
  )

  it.effect("of new sessions are counted for sessions alone, and parts of an upload on none", () =>
    Effect.gen(function* () {
      const { base_url } = yield* TestServer
      const { api_key } = yield* organization()
      const target = { base_url, api_key }
      const suite = yield* call(target, "POST", "/v1/suites", { name: crypto.randomUUID() })
      const query = { suite_id: String(suite.json["id"]), file_name: "chat.jsonl" }
      const uploads = []
      for (let turn = 0; turn < 4; turn++) uploads.push(yield* send(target, { query, body: chat }))
      expect(uploads.map(({ status }) => status)).toEqual([201, 201, 201, 429])
      const tus = { "tus-resumable": "1.0.0" }
      const { api_key: other } = yield* key(yield* organization())
      const own = yield* call({ base_url, api_key: other }, "POST", "/v1/suites", { name: crypto.randomUUID() })
      const created = yield* request("/v1/uploads", {
        api_key: other,
        method: "POST",
        headers: { ...tus, "upload-length": "40", "upload-metadata": `suite_id ${btoa(String(own.json["id"]))}` }
      })
      const location = String(created.headers.get("location"))
      for (let at = 0; at < 20; at++) {
        const part = yield* request(new URL(location, base_url).pathname, {
          api_key: other,
          method: "PATCH",
          headers: { ...tus, "upload-offset": String(at), "content-type": "application/offset+octet-stream" },
          body: "x"
        })
        expect(part.status).toBe(204)
        expect(part.headers.get("ratelimit")).toBeNull()
      }
    })
  )

  it.effect("leave probes and open pages alone", () =>
    Effect.gen(function* () {
      for (const path of ["/live", "/ready", "/health", "/metrics", "/v1/info"]) {
        for (let turn = 0; turn < 15; turn++) {
          const answer = yield* asked(path, { api_key: null })
          expect([answer.status, answer.policy, answer.limit], path).toEqual([200, null, null])
        }
      }
      const metrics = yield* Effect.flatMap(request("/metrics"), (response) => Effect.promise(() => response.text()))
      expect(metrics).toMatch(/tracepipe_rate_limited_total\{limit="key"\} [1-9]/)
    })
  )

  it.effect("can be read by browsers of the configured origins", () =>
    Effect.gen(function* () {
      const { headers } = yield* request("/v1/suites", { headers: { origin: "https://app.example" } })
      expect(headers.get("access-control-expose-headers")).toMatch(/retry-after.*ratelimit.*ratelimit-policy/)
    })
  )
})

layer(
  TestServer.layer({
    RATE_LIMIT_REQUESTS_PER_MINUTE: "6000",
    RATE_LIMIT_IP_PER_MINUTE: "60",
    RATE_LIMIT_BURST_SIZE: "1000",
    TRUSTED_PROXIES: "127.0.0.0/8, 10.9.0.0/16"
  }),
  live
)("the limit of an address", (it) => {
  const from = (forwarded: string, api_key: string | null) =>
    asked("/v1/suites", { api_key, headers: { "x-forwarded-for": forwarded } })

  it.effect("counts with and without a credential, before anybody is asked who it is", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      for (let turn = 0; turn < 5; turn++) {
        const nobody = yield* from("198.51.100.7", null)
        expect([nobody.status, nobody.policy]).toEqual([401, '"ip";q=60;w=60'])
        expect(remaining(nobody.limit)["ip"]).toBeGreaterThanOrEqual(8 - 2 * turn)
        expect((yield* from("198.51.100.7", api_key)).status).toBe(200)
      }
      const seen = []
      for (const credential of [null, api_key, KeyFormat.make()]) {
        seen.push(yield* eventually(from("198.51.100.7", credential), ({ status }) => status === 429))
      }
      expect(seen.map(({ status, json }) => [status, json.limit])).toEqual(Array(3).fill([429, "ip"]))
      expect(seen[0]?.retry).toBe("1")
      expect((yield* from("198.51.100.8", api_key)).status).toBe(200)
    })
  )

  it.effect("is that of the last hop that is no proxy of ours, and the audit log names the same", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const made = (forwarded: string) =>
        request("/v1/suites", {
          api_key,
          method: "POST",
          headers: { "content-type": "application/json", "x-forwarded-for": forwarded },
          body: JSON.stringify({ name: crypto.randomUUID() })
        })
      const sent = [
        "203.0.113.9",
        "1.2.3.4, 203.0.113.10",
        "203.0.113.11:4711, 10.9.1.2",
        "[2001:db8::7]:443",
        "nonsense"
      ]
      for (const forwarded of sent) expect((yield* made(forwarded)).status).toBe(201)
      const log = yield* request("/v1/audit/logs?action=suite.create", { api_key })
      const rows: ReadonlyArray<{ readonly ip: string }> = (yield* Effect.promise(() => log.json())).items
      expect(rows.map(({ ip }) => ip).toReversed()).toEqual([
        "203.0.113.9",
        "203.0.113.10",
        "203.0.113.11",
        "2001:db8::7",
        expect.stringMatching(/127\.0\.0\.1$/)
      ])
    })
  )
})

layer(TestServer.layer({ AUTH_BACKOFF_AFTER: "3", TRUSTED_PROXIES: "127.0.0.0/8" }), live)(
  "failed authentications",
  (it) => {
    const from = (ip: string, headers: Readonly<Record<string, string>>) =>
      asked("/v1/users/me", { api_key: null, headers: { "x-forwarded-for": ip, ...headers } })

    it.effect("make an address wait, with right credentials too, and no one else", () =>
      Effect.gen(function* () {
        const { api_key } = yield* organization()
        const guessed = () => from("192.0.2.1", { authorization: `Bearer ${KeyFormat.make()}` })
        const statuses = [yield* guessed(), yield* guessed(), yield* guessed()].map(({ status }) => status)
        expect(statuses).toEqual([401, 401, 401])
        const refused = yield* from("192.0.2.1", { "x-api-key": api_key })
        expect(refused).toMatchObject({
          status: 429,
          retry: "1",
          json: { code: "rate_limited", limit: "authentication", retry_after_s: 1 }
        })
        expect((yield* from("192.0.2.2", { "x-api-key": api_key })).status).toBe(200)
        const again = yield* eventually(from("192.0.2.1", { "x-api-key": api_key }), ({ status }) => status !== 429)
        expect(again.status).toBe(200)
        expect((yield* guessed()).status).toBe(401)
        expect(yield* guessed()).toMatchObject({ status: 429, retry: "2" })
      })
    )

    it.effect("are none where no credential is sent", () =>
      Effect.gen(function* () {
        for (let turn = 0; turn < 10; turn++) expect((yield* from("192.0.2.3", {})).status).toBe(401)
      })
    )

    it.effect("with a key's beginning do not keep its owner out", () =>
      Effect.gen(function* () {
        const { api_key } = yield* organization()
        const similar = () => {
          const other = KeyFormat.make()
          return from("192.0.2.4", { "x-api-key": KeyFormat.prefix(api_key) + other.slice(12) })
        }
        yield* eventually(similar(), ({ status }) => status === 429)
        expect((yield* from("192.0.2.5", { "x-api-key": api_key })).status).toBe(200)
      })
    )
  }
)
