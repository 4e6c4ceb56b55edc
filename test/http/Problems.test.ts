import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { asOwner, ownerClient } from "../support/AsOwner.ts"
import { rawConnection } from "../support/RawHttp.ts"
import { request, TestServer } from "../support/TestServer.ts"

const json = { "content-type": "application/json" }

const answered = (path: string, init: Parameters<typeof request>[1] = {}) =>
  Effect.flatMap(request(path, init), (response) =>
    Effect.promise(async () => ({ status: response.status, headers: response.headers, body: await response.json() }))
  )

const posted = (body: string, headers: Readonly<Record<string, string>> = json) =>
  answered("/v1/suites", { method: "POST", body, headers })

layer(TestServer.layer())("a problem document", (it) => {
  it.effect("says what happened, where, and under which request id", () =>
    Effect.gen(function* () {
      const { status, headers, body } = yield* answered("/v1/nothing?here=1")
      expect(status).toBe(404)
      expect(headers.get("content-type")).toBe("application/problem+json")
      expect(body).toEqual({
        type: "/problems/not_found",
        title: "There is no such resource",
        status: 404,
        detail: "there is nothing at /v1/nothing",
        instance: "/v1/nothing",
        code: "not_found",
        request_id: headers.get("x-request-id"),
        _tag: "NotFound"
      })
    })
  )

  it.effect("for a method that a resource does not know comes with those that it knows", () =>
    Effect.gen(function* () {
      for (const [method, path, allow] of [
        ["DELETE", "/v1/suites", "POST, PUT, GET, HEAD"],
        ["POST", "/v1/users/me", "GET, HEAD"],
        ["DELETE", "/v1/examples/export", "GET, HEAD"],
        ["PUT", `/v1/suites/${Bun.randomUUIDv7()}`, "GET, HEAD, PATCH, DELETE"],
        ["OPTIONS", "/v1/info", "GET, HEAD"],
        ["POST", "/docs", "GET, HEAD"]
      ] as const) {
        const { status, headers, body } = yield* answered(path, { method })
        expect(status, `${method} ${path}`).toBe(405)
        expect(headers.get("allow"), path).toBe(allow)
        expect(body).toMatchObject({ code: "method_not_allowed", allow: allow.split(", ") })
      }
    })
  )

  it.effect("for a body that is not JSON is a 400", () =>
    Effect.gen(function* () {
      for (const body of ["", "{", "{name: 1}", "undefined", '{"name":"a"}{"name":"b"}', '{"name":"a",}']) {
        expect(yield* posted(body), body).toMatchObject({
          status: 400,
          body: { code: "bad_request", detail: expect.stringMatching(/^the body is not JSON: /) }
        })
      }
    })
  )

  it.effect("for a body that is JSON and not valid is a 422 that names the fields", () =>
    Effect.gen(function* () {
      const key = (body: unknown) =>
        answered("/v1/api-keys", { method: "POST", headers: json, body: JSON.stringify(body) })
      for (const [body, path] of [
        [{}, "name"],
        [{ name: "" }, "name"],
        [{ name: 5 }, "name"],
        [{ name: "a", suite_ids: [Bun.randomUUIDv7(), "x"] }, "suite_ids.1"],
        [{ name: "a", scopes: ["suites:read", "everything"] }, "scopes.1"],
        [{ name: "a", expires_at: "2026-02-30T00:00:00Z" }, "expires_at"],
        [{ name: "a", expires_at: "tomorrow" }, "expires_at"]
      ] as const) {
        const answer = yield* key(body)
        expect(answer, JSON.stringify(body)).toMatchObject({ status: 422, body: { code: "validation_error" } })
        expect(answer.body.errors.map((issue: { readonly path: string }) => issue.path)).toContain(path)
      }
      for (const body of ["null", "[]", "5", '"name"']) {
        expect(yield* posted(body), body).toMatchObject({
          status: 422,
          body: { errors: [{ path: "", message: "the body must be a JSON object" }] }
        })
      }
    })
  )

  it.effect("for a parameter that cannot be parsed is a 400 that names it", () =>
    Effect.gen(function* () {
      for (const [path, name] of [
        ["/v1/suites/not-an-id", "id"],
        ["/v1/suites?limit=many", "limit"],
        ["/v1/suites?limit=1&limit=2", "limit"],
        ["/v1/suites?q=%00", "q"],
        ["/v1/sessions?suite_id=1", "suite_id"],
        ["/v1/sessions?format=vhs", "format"],
        ["/v1/sessions?created_after=1", "created_after"],
        ["/v1/sessions?created_before=2026-01-01T00:00:00", "created_before"],
        ["/v1/sessions?created_before=10000-01-01T00:00:00Z", "created_before"]
      ] as const) {
        expect(yield* answered(path), path).toMatchObject({
          status: 400,
          body: { code: "bad_request", errors: [{ path: name }] }
        })
      }
      expect((yield* answered("/v1/mcp/servers?transport=pigeon")).body.detail).toBe(
        'transport: must be one of "stdio", "sse", "streamable-http", "builtin"'
      )
      expect(yield* answered("/v1/suites/%zz")).toMatchObject({
        status: 400,
        body: { detail: "the path is not valid percent-encoded UTF-8" }
      })
    })
  )

  it.effect("for a body of a type that is not read there is a 415, and nothing of the body is kept", () =>
    Effect.gen(function* () {
      const form = new FormData()
      form.set("name", "by form")
      const types = ["text/plain", "application/xml", "application/octet-stream", "image/png"]
      for (const type of types) {
        expect(yield* posted('{"name":"typed"}', { "content-type": type }), type).toMatchObject({
          status: 415,
          body: { code: "unsupported_media_type", _tag: "UnsupportedMediaType" }
        })
      }
      expect(yield* answered("/v1/suites", { method: "POST", body: form })).toMatchObject({ status: 415 })
      const { body } = yield* answered("/v1/suites")
      expect(body.items).toEqual([])
    })
  )

  it.effect("is spared to those whose client calls JSON by another of its names", () =>
    Effect.gen(function* () {
      for (const type of [
        "application/json; charset=utf-8",
        "application/vnd.api+json",
        "application/x-www-form-urlencoded",
        ""
      ]) {
        const name = `typed ${type}`
        const headers = type === "" ? {} : { "content-type": type }
        const body = new Blob([JSON.stringify({ name })])
        expect(yield* answered("/v1/suites", { method: "POST", body, headers }), type).toMatchObject({
          status: 201,
          body: { name }
        })
      }
    })
  )

  it.effect("for a JSON body above a mebibyte is a 413, however it is sent", () =>
    Effect.gen(function* () {
      const large = JSON.stringify({ name: "a".repeat(1024 * 1024) })
      const expected = { status: 413, body: { code: "payload_too_large", limit: 1024 * 1024 } }
      expect(yield* posted(large)).toMatchObject(expected)
      const piece = new TextEncoder().encode("a".repeat(64 * 1024))
      const endless = new ReadableStream({ pull: (controller) => controller.enqueue(piece) })
      expect(yield* answered("/v1/suites", { method: "POST", body: endless, headers: json })).toMatchObject(expected)
    })
  )

  it.effect("for a body that is nested without end is a 400", () =>
    Effect.gen(function* () {
      const deep = (levels: number) => `{"name":${"[".repeat(levels)}${"]".repeat(levels)}}`
      expect(yield* posted(deep(100_000))).toMatchObject({
        status: 400,
        body: { detail: "the body is nested deeper than 100 levels" }
      })
      expect(yield* posted(deep(50))).toMatchObject({ status: 422 })
      const brackets = JSON.stringify({ name: `"\\${"[".repeat(150)}` })
      expect(yield* posted(brackets)).toMatchObject({ status: 201 })
    })
  )

  it.effect("does not repeat all that was sent", () =>
    Effect.gen(function* () {
      const long = "x".repeat(100_000)
      const { status, body } = yield* posted(JSON.stringify({ name: "a", base_url: { [long]: long } }))
      expect(status).toBe(422)
      expect(JSON.stringify(body).length).toBeLessThan(2000)
    })
  )

  it.effect("for a fault of ours says nothing but the request id", () =>
    Effect.gen(function* () {
      yield* asOwner("alter table suites rename column description to gone")
      const { status, headers, body } = yield* answered("/v1/suites?q=secret").pipe(
        Effect.ensuring(asOwner("alter table suites rename column gone to description"))
      )
      expect(status).toBe(500)
      expect(body).toEqual({
        type: "/problems/internal_error",
        title: "The service failed",
        status: 500,
        detail: "the failure was logged under this request id",
        instance: "/v1/suites",
        code: "internal_error",
        request_id: headers.get("x-request-id"),
        _tag: "InternalError"
      })
      expect((yield* answered("/v1/suites")).status).toBe(200)
    })
  )

  it.effect("is the answer to a body that stops in the middle too", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const connection = yield* rawConnection(server)
      yield* connection.send(
        `POST /v1/suites HTTP/1.1\r\nhost: a\r\nx-api-key: ${server.api_key}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{"na\r\n`
      )
      yield* connection.send('5\r\nme":"\r\n0\r\n\r\n')
      const { status, body } = yield* connection.answer
      expect(status).toBe(400)
      expect(JSON.parse(body)).toMatchObject({ code: "bad_request" })
    }).pipe(Effect.scoped)
  )
})

layer(TestServer.layer({ DATABASE_STATEMENT_TIMEOUT: "1 second" }))("a statement that takes too long", (it) => {
  it.scoped("is a 503 that says to ask for less", () =>
    Effect.gen(function* () {
      const owner = yield* ownerClient
      yield* Effect.promise(() => owner.query("begin; lock table suites in access exclusive mode"))
      const { status, headers, body } = yield* answered("/v1/suites")
      expect(status).toBe(503)
      expect(headers.get("retry-after")).toBe("2")
      expect(body).toMatchObject({ code: "unavailable", detail: expect.stringContaining("ask for less at once") })
    })
  )
})
