import { expect, layer } from "@effect/vitest"
import { Clock, Effect, TestClock } from "effect"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { eventually } from "../support/Eventually.ts"
import { type Caller, key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const me = (headers: HeadersInit, path = "/v1/users/me") =>
  Effect.flatMap(request(path, { api_key: null, headers }), (response) =>
    Effect.promise(async () => ({ status: response.status, headers: response.headers, body: await response.json() }))
  )

const refusal = { status: 401, body: { code: "unauthorized", _tag: "Unauthorized" } }

const byKey = ({ api_key }: Pick<Caller, "api_key">) => me({ "x-api-key": api_key })

layer(TestServer.layer())("a credential", (it) => {
  it.effect("is an API key in any of four headers", () =>
    Effect.gen(function* () {
      const { api_key, user_id, org_id } = yield* organization()
      for (const headers of [
        { "X-API-Key": api_key },
        { "API-Key": api_key },
        { Authorization: `Bearer ${api_key}` },
        { authorization: `bearer  ${api_key} ` }
      ]) {
        const { status, body } = yield* me(headers)
        expect(status, JSON.stringify(headers)).toBe(200)
        expect(body).toMatchObject({ user: { id: user_id }, org_id, auth_method: "api_key" })
      }
    })
  )

  it.effect("may be sent twice when both are the same", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      expect((yield* me({ "x-api-key": api_key, authorization: `Bearer ${api_key}` })).status).toBe(200)
      const twice = new Headers([
        ["x-api-key", api_key],
        ["x-api-key", api_key]
      ])
      expect((yield* me(twice)).status).toBe(200)
    })
  )

  it.effect("that differs from another one on the same request is a 400", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* organization(), yield* organization()]
      const twice = new Headers([
        ["x-api-key", one.api_key],
        ["x-api-key", other.api_key]
      ])
      for (const headers of [
        { "x-api-key": one.api_key, authorization: `Bearer ${other.api_key}` },
        { "x-api-key": one.api_key, "api-key": other.api_key },
        twice
      ]) {
        const { status, body } = yield* me(headers)
        expect(status).toBe(400)
        expect(body).toMatchObject({ code: "bad_request", detail: "the request carries two different credentials" })
      }
    })
  )

  it.effect("that is missing, malformed or of another kind is refused, and the answer says how to authenticate", () =>
    Effect.gen(function* () {
      const good = KeyFormat.make()
      const last = good.endsWith("0") ? "1" : "0"
      for (const headers of [
        {},
        { "x-api-key": "" },
        { "x-api-key": "hello" },
        { "x-api-key": `${good.slice(0, -1)}${last}` },
        { "x-api-key": good.toUpperCase() },
        { "x-api-key": `${good}x` },
        { authorization: good },
        { authorization: "Bearer" },
        { authorization: `Basic ${btoa(`${good}:`)}` },
        { authorization: `Bearer ${good} ${good}` },
        { "x-api-key": "tp_live_' or '1'='1" }
      ]) {
        const answer = yield* me(headers)
        expect(answer, JSON.stringify(headers)).toMatchObject(refusal)
        expect(answer.headers.get("www-authenticate")).toMatch(
          /^Bearer realm="tracepipe", (error="invalid_token", )?resource_metadata="http/
        )
      }
    })
  )

  it.effect("that is unknown, expired or revoked is refused with the same words", () =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const owner = yield* organization()
      const expired = yield* key(owner, { expires_at: new Date(now - 1000) })
      const revoked = yield* key(owner, { revoked_at: new Date(now - 1000) })
      const bodies = []
      for (const api_key of [KeyFormat.make(), expired.api_key, revoked.api_key]) {
        const { status, body } = yield* byKey({ api_key })
        expect(status).toBe(401)
        bodies.push({ ...body, request_id: "" })
      }
      expect(bodies[1]).toEqual(bodies[0])
      expect(bodies[2]).toEqual(bodies[0])
    })
  )

  it.effect("stops working at the moment that it expires", () =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      const caller = yield* key(yield* organization(), { expires_at: new Date(now + 3000) })
      expect((yield* byKey(caller)).status).toBe(200)
      yield* TestClock.adjust("3 seconds")
      expect(yield* byKey(caller)).toMatchObject(refusal)
    })
  )

  it.effect("that is revoked here stops working at once", () =>
    Effect.gen(function* () {
      const { api_keys } = yield* client()
      const made = yield* api_keys.create({ payload: { name: "short-lived" } })
      expect((yield* byKey({ api_key: made.key })).status).toBe(200)
      yield* api_keys.revoke({ path: { id: made.id } })
      expect(yield* byKey({ api_key: made.key })).toMatchObject(refusal)
    })
  )

  it.effect("that another node revoked stops working within five seconds", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const caller = yield* organization()
      expect((yield* byKey(caller)).status).toBe(200)
      yield* sql`update api_keys set revoked_at = now() where id = ${caller.key_id}`
      yield* TestClock.adjust("5 seconds")
      expect(yield* byKey(caller)).toMatchObject(refusal)
    })
  )

  it.effect("of somebody who is no member any more stops working", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { org_id } = yield* organization()
      const caller = yield* member(org_id, { role: "member" })
      expect((yield* byKey(caller)).status).toBe(200)
      yield* sql`delete from memberships where user_id = ${caller.user_id}`
      yield* TestClock.adjust("5 seconds")
      expect(yield* byKey(caller)).toMatchObject(refusal)
    })
  )

  it.effect("is never a cookie and never a part of the URL", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const cookie = ["x-api-key", "api-key", "api_key", "authorization", "session", "token"]
        .map((name) => `${name}=${name === "authorization" ? `Bearer ${api_key}` : api_key}`)
        .join("; ")
      expect(yield* me({ cookie })).toMatchObject(refusal)
      expect(
        yield* me({}, `/v1/users/me?api_key=${api_key}&access_token=${api_key}&x-api-key=${api_key}`)
      ).toMatchObject(refusal)
      const answer = yield* byKey({ api_key })
      expect(answer.status).toBe(200)
      expect(answer.headers.get("set-cookie")).toBeNull()
    })
  )

  it.effect("is noted as used in batches, not with every request", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const now = yield* Clock.currentTimeMillis
      const callers = [yield* organization(), yield* organization()]
      const used = Effect.map(
        sql<{ last_used_at: string | null }>`
          select last_used_at from api_keys where id in ${sql.in(callers.map(({ key_id }) => key_id))}`,
        (rows) => rows.map(({ last_used_at }) => last_used_at)
      )
      for (const caller of [...callers, ...callers]) yield* byKey(caller)
      expect(yield* used).toEqual([null, null])
      yield* TestClock.adjust("10 seconds")
      const noted = yield* eventually(used, (values) => values.every((value) => value !== null))
      expect(noted.map((value) => Date.parse(String(value)))).toEqual(callers.map(() => now))
    })
  )
})
