import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { request, TestServer } from "../support/TestServer.ts"
import { call, chat, send } from "../support/Uploading.ts"

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/

const app = "https://app.example"

const preflight = (origin: string, method = "POST") =>
  request("/v1/suites", {
    method: "OPTIONS",
    api_key: null,
    headers: { origin, "access-control-request-method": method, "access-control-request-headers": "x-api-key" }
  })

/** One answer of every kind that there is. */
const everyKind = Effect.gen(function* () {
  const server = yield* TestServer
  const suite = yield* call(server, "POST", "/v1/suites", { name: crypto.randomUUID() })
  const query = { suite_id: String(suite.json["id"]), file_name: "chat.jsonl" }
  const { json } = yield* send(server, { query, body: chat })
  const file = `/v1/sessions/${json["id"]}/files/content?path=chat.jsonl`
  const whole = yield* request(file)
  const etag = String(whole.headers.get("etag"))
  const answers = {
    "a file": whole,
    "a range": yield* request(file, { headers: { range: "bytes=0-3" } }),
    "no range": yield* request(file, { headers: { range: "bytes=9999-" } }),
    "not modified": yield* request(file, { headers: { "if-none-match": etag } }),
    "a head": yield* request(file, { method: "HEAD" }),
    "no content": yield* request(`/v1/sessions/${json["id"]}`, { method: "DELETE" }),
    json: yield* request("/v1/suites"),
    text: yield* request("/metrics"),
    page: yield* request("/docs"),
    "another page": yield* request("/redoc"),
    "no credential": yield* request("/v1/suites", { api_key: null }),
    "no resource": yield* request("/nothing"),
    "no method": yield* request("/v1/suites", { method: "DELETE" }),
    "no JSON": yield* request("/v1/suites", { method: "POST", body: "{" }),
    preflight: yield* preflight(app)
  }
  return Object.entries(answers)
})

layer(TestServer.layer({ CORS_ORIGINS: `${app}, https://other.example` }))("headers", (it) => {
  it.effect("protect every kind of answer", () =>
    Effect.gen(function* () {
      for (const [kind, { status, headers }] of yield* everyKind) {
        expect(headers.get("x-content-type-options"), `${kind} (${status})`).toBe("nosniff")
        expect(headers.get("x-frame-options"), kind).toBe("DENY")
        expect(headers.get("referrer-policy"), kind).toBe("no-referrer")
        expect(headers.get("cross-origin-opener-policy"), kind).toBe("same-origin")
        expect(headers.get("content-security-policy"), kind).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/)
        expect(headers.get("x-request-id"), kind).toMatch(uuid)
        expect(headers.get("set-cookie"), kind).toBeNull()
        expect(headers.get("strict-transport-security"), kind).toBeNull()
      }
    })
  )

  it.effect("allow scripts to the two pages and to nothing else", () =>
    Effect.gen(function* () {
      for (const [kind, { headers }] of yield* everyKind) {
        expect(headers.get("content-security-policy")?.includes("script-src"), kind).toBe(/page/.test(kind))
      }
    })
  )

  it.effect("carry the caller's request id through to the answer, the problem and the audit log", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const id = "trace:01/a+b=c_d.e-f"
      const made = yield* request("/v1/suites", {
        method: "POST",
        headers: { "x-request-id": id, "content-type": "application/json" },
        body: JSON.stringify({ name: "traced" })
      })
      expect(made.headers.get("x-request-id")).toBe(id)
      const [entry] = yield* server.sql`select action from audit_entries where request_id = ${id}`
      expect(entry).toEqual({ action: "suite.create" })
      const missing = yield* request("/nothing", { headers: { "x-request-id": id } })
      expect(yield* Effect.promise(() => missing.json())).toMatchObject({ request_id: id })
    })
  )

  it.effect("replace a request id that could not stand in a log line", () =>
    Effect.gen(function* () {
      for (const id of ["", "a".repeat(129), "two words", 'quo"ted', "<b>", "a;b", "ä"]) {
        const { headers } = yield* request("/live", { headers: { "x-request-id": id } })
        expect(headers.get("x-request-id"), id).toMatch(uuid)
      }
    })
  )

  it.effect("let the configured origins read answers, failures too, and no others", () =>
    Effect.gen(function* () {
      for (const origin of [app, "https://other.example"]) {
        for (const path of ["/v1/suites", "/nothing"]) {
          const { headers } = yield* request(path, { headers: { origin } })
          expect(headers.get("access-control-allow-origin"), path).toBe(origin)
          expect(headers.get("vary")).toMatch(/origin/i)
          expect(headers.get("access-control-expose-headers")).toMatch(/x-request-id.*etag.*location.*content-range/)
          expect(headers.get("access-control-allow-credentials")).toBeNull()
        }
      }
      for (const origin of ["https://evil.example", "https://app.example.evil.example", "http://app.example", "null"]) {
        const { headers } = yield* request("/v1/suites", { headers: { origin } })
        expect(headers.get("access-control-allow-origin"), origin).toBeNull()
      }
      expect((yield* request("/v1/suites")).headers.get("access-control-allow-origin")).toBeNull()
    })
  )

  it.effect("answer the preflights of the configured origins", () =>
    Effect.gen(function* () {
      const { status, headers } = yield* preflight(app, "PATCH")
      expect(status).toBe(204)
      expect(headers.get("access-control-allow-origin")).toBe(app)
      expect(headers.get("access-control-allow-methods")).toMatch(/PATCH/)
      expect(headers.get("access-control-allow-headers")).toMatch(/x-api-key/)
      expect((yield* preflight("https://evil.example")).headers.get("access-control-allow-origin")).toBeNull()
      expect((yield* request("/v1/suites", { method: "OPTIONS" })).status).toBe(405)
    })
  )
})

layer(TestServer.layer())("without configured origins", (it) => {
  it.effect("no origin is allowed anything", () =>
    Effect.gen(function* () {
      const answers = [yield* preflight(app), yield* request("/v1/suites", { headers: { origin: app } })]
      expect(answers.map(({ status }) => status)).toEqual([405, 200])
      for (const { headers } of answers) {
        expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([])
      }
    })
  )
})

layer(TestServer.layer({ CORS_ORIGINS: "*" }))("with any origin allowed", (it) => {
  it.effect("each is answered by its name", () =>
    Effect.gen(function* () {
      const { headers } = yield* request("/live", { headers: { origin: "https://any.example" } })
      expect(headers.get("access-control-allow-origin")).toBe("https://any.example")
      expect((yield* request("/live")).headers.get("access-control-allow-origin")).toBeNull()
    })
  )
})

layer(TestServer.layer({ APP_ENV: "production", ALLOW_LOCAL_SECRETS: "true" }))("in production", (it) => {
  it.effect("browsers are told to stay with https", () =>
    Effect.gen(function* () {
      expect((yield* request("/live")).headers.get("strict-transport-security")).toBe("max-age=31536000")
    })
  )
})
