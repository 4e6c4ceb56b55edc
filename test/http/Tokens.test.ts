import { createHash, createPrivateKey, createPublicKey, hkdfSync } from "node:crypto"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { createRemoteJWKSet, decodeJwt, jwtVerify } from "jose"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { answer, me, post } from "../support/Answers.ts"
import { badTokens, type IssuerKey, signed } from "../support/BadTokens.ts"
import { type Caller, organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

// What others sign has the time of the world.
const realClock = { excludeTestServices: true }

const HERE = "https://tracepipe.example"
const SEED = "a seed of the test which has enough letters"
const BEFORE = "the seed of before which has enough letters"

/** The key that the service makes of the seed, made here once more. */
const ownKey = (seed: string): IssuerKey => {
  const bytes = Buffer.from(hkdfSync("sha256", seed, "", "tracepipe access tokens", 32))
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), bytes])
  const private_key = createPrivateKey({ key: der, format: "der", type: "pkcs8" })
  const { x } = createPublicKey(private_key).export({ format: "jwk" })
  const kid = createHash("sha256")
    .update(JSON.stringify({ crv: "Ed25519", kty: "OKP", x }))
    .digest("base64url")
  return { private_key, alg: "EdDSA", kid }
}

/** An agent, straight in the database, with one secret. */
const agent = (caller: Caller, wanted: { readonly status?: string; readonly scopes?: ReadonlyArray<string> } = {}) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const id = Bun.randomUUIDv7()
    const client_id = `agent_${id.replaceAll("-", "").slice(-22)}`
    const secret = KeyFormat.make()
    yield* sql`insert into agents ${sql.insert({
      id,
      org_id: caller.org_id,
      name: id,
      client_id,
      secret_hash: KeyFormat.hash(secret),
      scopes: wanted.scopes ?? ["suites:read", "users:read"],
      status: wanted.status ?? "active"
    })}`
    return { id, client_id, secret }
  }).pipe(Effect.orDie)

/** A login of a user, straight in the database: its refresh token. */
const login = (caller: Caller) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const family_id = Bun.randomUUIDv7()
    const refresh_token = `tp_refresh_${crypto.randomUUID()}`
    yield* sql`insert into token_families (id, org_id, user_id, expires_at)
      values (${family_id}, ${caller.org_id}, ${caller.user_id}, now() + interval '1 day')`
    yield* sql`insert into refresh_tokens (id, family_id, hash, expires_at)
      values (${Bun.randomUUIDv7()}, ${family_id}, ${KeyFormat.hash(refresh_token)}, now() + interval '1 day')`
    return { family_id, refresh_token }
  }).pipe(Effect.orDie)

const audited = (caller: Caller) =>
  Effect.flatMap(
    TestServer,
    ({ sql }) =>
      sql<{ action: string }>`select action from audit_entries where org_id = ${caller.org_id} order by at, id`
  ).pipe(
    Effect.map((rows) => rows.map(({ action }) => action)),
    Effect.orDie
  )

const basic = (client_id: string, secret: string) => `Basic ${btoa(`${client_id}:${secret}`)}`

layer(TestServer.layer({ PUBLIC_URL: HERE, JWT_SECRET_KEY: SEED }), realClock)(
  "an agent's client id and secret",
  (it) => {
    it.effect("are a credential of their own, in two forms", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const { id, client_id, secret } = yield* agent(caller)
        for (const headers of [
          { MCP_CLIENT_ID: client_id, API_KEY: secret },
          { "MCP-Client-Id": client_id, "API-Key": secret },
          { authorization: basic(client_id, secret) }
        ]) {
          const { status, body } = yield* answer("/v1/suites", { headers })
          expect(status, JSON.stringify(body)).toBe(200)
          const refused = yield* answer("/v1/api-keys", { headers })
          expect(refused.status).toBe(403)
        }
        expect(id).toBeTruthy()
      })
    )

    it.effect("are refused when one is wrong or missing, or the agent is disabled", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const { client_id, secret } = yield* agent(caller)
        const off = yield* agent(caller, { status: "disabled" })
        for (const headers of [
          { MCP_CLIENT_ID: client_id, API_KEY: KeyFormat.make() },
          { MCP_CLIENT_ID: client_id },
          { API_KEY: secret },
          { MCP_CLIENT_ID: "agent_0000000000000000000000", API_KEY: secret },
          { MCP_CLIENT_ID: off.client_id, API_KEY: off.secret },
          { authorization: basic(client_id, "") },
          // What is stored is no credential.
          { authorization: basic(`${client_id}\n${KeyFormat.hash(secret)}`, "x") },
          { authorization: basic(client_id, KeyFormat.hash(secret)) },
          { authorization: basic(`${client_id}\u0000`, secret) },
          { authorization: basic("", secret) },
          { authorization: "Basic !" }
        ] as ReadonlyArray<Record<string, string>>) {
          const { status, body } = yield* answer("/v1/suites", { headers })
          expect(status, JSON.stringify(headers)).toBe(401)
          expect(body).toMatchObject({ code: "unauthorized" })
        }
      })
    )

    it.effect("of before a rotation end with its overlap", () =>
      Effect.gen(function* () {
        const { sql } = yield* TestServer
        const caller = yield* organization()
        for (const [until, expected] of [
          ["1 hour", 200],
          ["-1 second", 401]
        ] as const) {
          const { id, client_id, secret } = yield* agent(caller)
          yield* sql`update agents set previous_secret_hash = secret_hash, secret_hash = ${KeyFormat.hash(KeyFormat.make())},
          previous_secret_until = now() + ${until}::interval where id = ${id}`
          expect((yield* answer("/v1/suites", { headers: { MCP_CLIENT_ID: client_id, API_KEY: secret } })).status).toBe(
            expected
          )
        }
      })
    )

    it.effect("and an API key on one request are a 400", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const { client_id, secret } = yield* agent(caller)
        for (const headers of [
          { MCP_CLIENT_ID: client_id, API_KEY: secret, "X-API-Key": caller.api_key },
          { MCP_CLIENT_ID: client_id, API_KEY: secret, authorization: `Bearer ${caller.api_key}` },
          { authorization: basic(client_id, secret), "X-API-Key": caller.api_key }
        ]) {
          const { status, body } = yield* answer("/v1/suites", { headers })
          expect(status).toBe(400)
          expect(body).toMatchObject({ detail: "the request carries two different credentials" })
        }
      })
    )

    it.effect("are exchanged for an access token, as JSON, as a form and by HTTP Basic", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const { id, client_id, secret } = yield* agent(caller)
        const form = new URLSearchParams({ grant_type: "client_credentials", client_id, client_secret: secret })
        for (const init of [
          { body: JSON.stringify({ grant_type: "client_credentials", client_id, client_secret: secret }) },
          { body: form },
          {
            body: new URLSearchParams({ grant_type: "client_credentials" }),
            headers: { authorization: basic(client_id, secret) }
          }
        ]) {
          const { status, headers, body } = yield* answer("/auth/token", { method: "POST", ...init })
          expect(status, JSON.stringify(body)).toBe(200)
          expect(headers.get("cache-control")).toBe("no-store")
          expect(body).toMatchObject({
            token_type: "Bearer",
            expires_in: 900,
            scope: "suites:read users:read",
            org_id: caller.org_id,
            agent_id: id,
            user_id: null
          })
          expect(body).not.toHaveProperty("refresh_token")
          const used = yield* answer("/v1/suites", { headers: { authorization: `Bearer ${body.access_token}` } })
          expect(used.status, JSON.stringify(used.body)).toBe(200)
          expect(
            (yield* answer("/v1/models", { headers: { authorization: `Bearer ${body.access_token}` } })).status
          ).toBe(403)
        }
        expect(yield* audited(caller)).toEqual(["auth.login", "access.deny", "auth.login", "auth.login"])
      })
    )

    it.effect("are refused at the token endpoint when they are wrong, and nothing is written", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const { client_id, secret } = yield* agent(caller)
        const grant = { grant_type: "client_credentials" }
        expect((yield* post("/auth/token", { ...grant, client_id, client_secret: KeyFormat.make() })).status).toBe(401)
        expect((yield* post("/auth/token", { ...grant, client_id })).body).toMatchObject({
          status: 400,
          error: "invalid_request"
        })
        expect((yield* post("/auth/token", grant)).status).toBe(401)
        expect((yield* post("/auth/token", grant, { "x-api-key": caller.api_key })).status).toBe(401)
        const password = yield* post("/auth/token", { grant_type: "password", username: "a", password: secret })
        expect(password.body).toMatchObject({ status: 400, error: "unsupported_grant_type" })
        for (const grant_type of ["authorization_code", "refresh_token"]) {
          expect((yield* post("/auth/token", { grant_type })).body).toMatchObject({
            status: 400,
            error: "invalid_request"
          })
        }
        const { sql } = yield* TestServer
        expect(yield* sql`select from token_families where org_id = ${caller.org_id}`).toHaveLength(0)
      })
    )
  }
)

layer(TestServer.layer({ PUBLIC_URL: HERE, JWT_SECRET_KEY: `${SEED},${BEFORE}` }), realClock)(
  "an access token of this service",
  (it) => {
    const tokens = (caller: Caller) =>
      Effect.gen(function* () {
        const { refresh_token } = yield* login(caller)
        const { status, body } = yield* post("/auth/refresh", { refresh_token })
        expect(status, JSON.stringify(body)).toBe(200)
        return body as { readonly access_token: string; readonly refresh_token: string }
      })

    it.effect("is a JWT that anybody can verify with the published keys", () =>
      Effect.gen(function* () {
        const { base_url } = yield* TestServer
        const caller = yield* organization()
        const { access_token } = yield* tokens(caller)
        const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", base_url))
        const { payload, protectedHeader } = yield* Effect.promise(() =>
          jwtVerify(access_token, keys, { issuer: HERE, audience: HERE, algorithms: ["EdDSA"], typ: "at+jwt" })
        )
        expect(protectedHeader.kid).toBe(ownKey(SEED).kid)
        expect(payload).toMatchObject({ sub: `user/${caller.user_id}`, org_id: caller.org_id })
        const { status, body } = yield* me(access_token)
        expect(status).toBe(200)
        expect(body).toMatchObject({ user: { id: caller.user_id }, org_id: caller.org_id, auth_method: "access_token" })
        const published = yield* answer("/.well-known/jwks.json")
        expect(published.body.keys).toHaveLength(2)
        expect(JSON.stringify(published.body)).not.toContain('"d"')
      })
    )

    it.effect("is taken when the key of before signed it, and within the clock's skew", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const claims = decodeJwt((yield* tokens(caller)).access_token)
        const now = Math.floor(Date.now() / 1000)
        const typ = { typ: "at+jwt" }
        const before = ownKey(BEFORE)
        expect((yield* me(yield* signed(before, claims, typ))).status).toBe(200)
        expect((yield* me(yield* signed(ownKey(SEED), { ...claims, exp: now - 30 }, typ))).status).toBe(200)
        expect((yield* me(yield* signed(ownKey(SEED), { ...claims, iat: now + 30 }, typ))).status).toBe(200)
      })
    )

    it.effect("is refused in every way in which it can be wrong", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const claims = decodeJwt((yield* tokens(caller)).access_token)
        const bad = yield* badTokens(ownKey(SEED), claims, { typ: "at+jwt" })
        const typeless = yield* signed(ownKey(SEED), claims)
        const elsewhere = yield* signed(
          ownKey(SEED),
          { ...claims, org_id: (yield* organization()).org_id },
          { typ: "at+jwt" }
        )
        const agent = yield* signed(ownKey(SEED), { ...claims, sub: "agent/nobody" }, { typ: "at+jwt" })
        const others = {
          "is of another type": typeless,
          "is for an organization that its user is not in": elsewhere,
          "is for an agent that is none": agent
        }
        for (const [wrong, token] of Object.entries({ ...bad, ...others })) {
          const { status, headers, body } = yield* me(token)
          expect(status, `one that ${wrong}: ${JSON.stringify(body)}`).toBe(401)
          expect(headers.get("www-authenticate")).toContain('error="invalid_token"')
          expect(headers.get("www-authenticate")).toContain(
            `resource_metadata="${HERE}/.well-known/oauth-protected-resource"`
          )
        }
      })
    )

    it.effect("and an API key on one request are a 400", () =>
      Effect.gen(function* () {
        const caller = yield* organization()
        const { access_token } = yield* tokens(caller)
        expect((yield* me(access_token, { "x-api-key": caller.api_key })).status).toBe(400)
      })
    )

    it.effect("ends with the login that it came from, by either of its tokens", () =>
      Effect.gen(function* () {
        for (const which of ["access_token", "refresh_token"] as const) {
          const caller = yield* organization()
          const made = yield* tokens(caller)
          expect((yield* me(made.access_token)).status).toBe(200)
          expect((yield* post("/auth/revoke", { token: made[which] })).status).toBe(204)
          expect((yield* me(made.access_token)).body).toMatchObject({ status: 401 })
          const again = yield* post("/auth/refresh", { refresh_token: made.refresh_token })
          expect(again.body).toMatchObject({ status: 400, error: "invalid_grant" })
          expect((yield* post("/auth/revoke", { token: made[which] })).status).toBe(204)
          expect(yield* audited(caller)).toEqual(["auth.refresh", "auth.revoke", "auth.fail"])
        }
        expect((yield* post("/auth/revoke", { token: "nobody's" })).status).toBe(204)
      })
    )

    it.effect("acts in its own organization, and in another after a refresh that names it", () =>
      Effect.gen(function* () {
        const { sql } = yield* TestServer
        const [caller, other, foreign] = [yield* organization(), yield* organization(), yield* organization()]
        yield* sql`insert into memberships (id, org_id, user_id, role)
          values (${Bun.randomUUIDv7()}, ${other.org_id}, ${caller.user_id}, 'viewer')`
        const made = yield* tokens(caller)
        expect((yield* me(made.access_token, { "x-org-id": other.org_id })).status).toBe(403)
        const refused = yield* post(
          "/auth/refresh",
          { refresh_token: made.refresh_token },
          { "x-org-id": foreign.org_id }
        )
        expect(refused.status).toBe(403)
        const { body } = yield* post(
          "/auth/refresh",
          { refresh_token: made.refresh_token },
          { "x-org-id": other.org_id }
        )
        expect((yield* me(body.access_token)).body).toMatchObject({ org_id: other.org_id, role: "viewer" })
        expect(
          (yield* answer("/v1/users/me", { headers: { "x-api-key": caller.api_key, "x-org-id": other.org_id } })).status
        ).toBe(403)
        expect(
          (yield* answer("/v1/users/me", { headers: { "x-api-key": caller.api_key, "x-org-id": "no id" } })).status
        ).toBe(403)
      })
    )

    it.effect("is not renewed for somebody who left", () =>
      Effect.gen(function* () {
        const { sql } = yield* TestServer
        const caller = yield* organization()
        const made = yield* tokens(caller)
        yield* sql`delete from memberships where user_id = ${caller.user_id}`
        expect((yield* post("/auth/refresh", { refresh_token: made.refresh_token })).status).toBe(403)
        expect((yield* me(made.access_token)).status).toBe(401)
      })
    )
  }
)

layer(TestServer.layer({ PUBLIC_URL: HERE }), realClock)("a refresh token", (it) => {
  it.effect("is good for one use: a second one ends all that came of its login, and is audited", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const { refresh_token } = yield* login(caller)
      const first = yield* post("/auth/token", { grant_type: "refresh_token", refresh_token })
      expect(first.status, JSON.stringify(first.body)).toBe(200)
      expect(first.body.refresh_token).not.toBe(refresh_token)
      expect((yield* me(first.body.access_token)).status).toBe(200)
      const replayed = yield* post("/auth/refresh", { refresh_token })
      expect(replayed.body).toMatchObject({ status: 400, error: "invalid_grant" })
      expect(replayed.body.detail).toContain("used before")
      expect((yield* post("/auth/refresh", { refresh_token: first.body.refresh_token })).status).toBe(400)
      expect((yield* me(first.body.access_token)).status).toBe(401)
      expect(yield* audited(caller)).toEqual(["auth.refresh", "auth.refresh_reuse", "auth.fail"])
    })
  )

  it.effect("that is used twice ends its login, whatever organization is asked for", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const { refresh_token } = yield* login(caller)
      for (const org of ["no id", "", "x\u00e4"]) {
        const refused = yield* post("/auth/refresh", { refresh_token }, { "x-org-id": org })
        expect(refused.status, JSON.stringify(refused.body)).toBe(403)
      }
      const first = yield* post("/auth/refresh", { refresh_token })
      expect(first.status).toBe(200)
      expect((yield* post("/auth/refresh", { refresh_token }, { "x-org-id": "no id" })).status).toBe(400)
      expect((yield* post("/auth/refresh", { refresh_token: first.body.refresh_token })).status).toBe(400)
    })
  )

  it.effect("that is used by many at once gives tokens to one, and those end with the others' attempts", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const { refresh_token } = yield* login(caller)
      const answers = yield* Effect.all(
        Array.from({ length: 8 }, () => post("/auth/refresh", { refresh_token })),
        { concurrency: "unbounded" }
      )
      const given = answers.filter(({ status }) => status === 200)
      expect(given).toHaveLength(1)
      expect((yield* me(given[0]?.body.access_token)).status).toBe(401)
    })
  )

  it.effect("is refused when it expired, is unknown, or its login is over", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const caller = yield* organization()
      const expired = yield* login(caller)
      yield* sql`update refresh_tokens set expires_at = now() where family_id = ${expired.family_id}`
      const over = yield* login(caller)
      yield* sql`update token_families set expires_at = now() where id = ${over.family_id}`
      for (const refresh_token of [expired.refresh_token, over.refresh_token, "tp_refresh_unknown"]) {
        expect((yield* post("/auth/refresh", { refresh_token })).body).toMatchObject({ error: "invalid_grant" })
      }
      expect((yield* post("/auth/refresh", {})).status).toBe(422)
    })
  )
})

layer(TestServer.layer({ PUBLIC_URL: HERE }), realClock)("what this service says of itself", (it) => {
  it.effect("is where to authenticate (RFC 9728), for each protected endpoint", () =>
    Effect.gen(function* () {
      for (const path of ["", "/mcp", "/bridge/mcp"]) {
        const { status, body } = yield* answer(`/.well-known/oauth-protected-resource${path}`)
        expect(status).toBe(200)
        expect(body).toMatchObject({
          resource: `${HERE}${path}`,
          authorization_servers: [],
          bearer_methods_supported: ["header"],
          jwks_uri: `${HERE}/.well-known/jwks.json`
        })
        expect(body.scopes_supported).toContain("bridge:use")
      }
      const refused = yield* answer("/v1/users/me")
      expect(refused.headers.get("www-authenticate")).toBe(
        `Bearer realm="tracepipe", resource_metadata="${HERE}/.well-known/oauth-protected-resource"`
      )
    })
  )
})
