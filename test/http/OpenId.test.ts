import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { answer, me, post } from "../support/Answers.ts"
import { badTokens, signed } from "../support/BadTokens.ts"
import { CLIENT_ID, CLIENT_SECRET, type Login, openIdServer, REDIRECT_URI } from "../support/OpenIdServer.ts"
import { organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

// What others sign has the time of the world.
const realClock = { excludeTestServices: true }

const HERE = "https://tracepipe.example"

const accounts = [
  { sub: "alice", email: "alice@example.com", email_verified: true, name: "Alice" },
  { sub: "bob", email: "bob@example.com", email_verified: true, name: "Bob" },
  { sub: "eve", email: "eve@example.com", email_verified: false, name: "Eve" },
  { sub: "mallory", email: "mallory@elsewhere.example", email_verified: true, name: "Mallory" }
]

class Provider extends Context.Tag("test/Provider")<
  Provider,
  Effect.Effect.Success<ReturnType<typeof openIdServer>>
>() {}

/** The service behind a real OpenID provider. */
const world = Layer.unwrapScoped(
  Effect.map(openIdServer({ accounts, audience: HERE }), (provider) =>
    Layer.merge(
      Layer.succeed(Provider, provider),
      TestServer.layer({
        PUBLIC_URL: HERE,
        OIDC_DISCOVERY_URL: provider.issuer,
        OIDC_CLIENT_ID: CLIENT_ID,
        OIDC_CLIENT_SECRET: CLIENT_SECRET,
        AUTH_AUTO_PROVISION: "example.com=default:member"
      })
    )
  )
)

const exchange = ({ code, code_verifier, nonce }: Login, more: Record<string, string | undefined> = {}) =>
  post("/auth/token", {
    grant_type: "authorization_code",
    code,
    code_verifier,
    nonce,
    redirect_uri: REDIRECT_URI,
    ...more
  })

layer(world, realClock)("somebody who logs in at the OpenID provider", (it) => {
  it.effect("gets tokens for the code, and is the same user every time", () =>
    Effect.gen(function* () {
      const { login } = yield* Provider
      const first = yield* exchange(yield* login("alice"))
      expect(first.status, JSON.stringify(first.body)).toBe(200)
      expect(first.body).toMatchObject({ token_type: "Bearer", expires_in: 900 })
      const who = yield* me(first.body.access_token)
      expect(who.body).toMatchObject({
        user: { display_name: "Alice", email: "alice@example.com" },
        role: "member",
        auth_method: "access_token"
      })
      const second = yield* exchange(yield* login("alice"))
      expect(second.body.user_id).toBe(first.body.user_id)
      const refreshed = yield* post("/auth/refresh", { refresh_token: second.body.refresh_token })
      expect(refreshed.body.user_id).toBe(first.body.user_id)
    })
  )

  it.effect("is made once, even by many first logins at a time", () =>
    Effect.gen(function* () {
      const { login } = yield* Provider
      const { sql } = yield* TestServer
      const logins = yield* Effect.all(
        Array.from({ length: 6 }, () => login("bob")),
        { concurrency: 3 }
      )
      const answers = yield* Effect.all(
        logins.map((one) => exchange(one)),
        { concurrency: "unbounded" }
      )
      expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200))
      expect(new Set(answers.map(({ body }) => body.user_id)).size).toBe(1)
      expect(yield* sql`select from users where subject = 'bob'`).toHaveLength(1)
    })
  )

  it.effect("cannot use a code twice, nor with another verifier, nonce or redirect", () =>
    Effect.gen(function* () {
      const { login } = yield* Provider
      const used = yield* login("alice")
      expect((yield* exchange(used)).status).toBe(200)
      const wrong = [
        yield* exchange(used),
        yield* exchange(yield* login("alice"), { code_verifier: "x".repeat(43) }),
        yield* exchange(yield* login("alice"), { nonce: "another" }),
        yield* exchange(yield* login("alice"), { nonce: undefined }),
        yield* exchange(yield* login("alice"), { redirect_uri: "https://elsewhere.example/" }),
        yield* exchange(yield* login("alice"), { code: "no code" }),
        yield* exchange(yield* login("alice"), { iss: "https://elsewhere.example" })
      ]
      for (const { status, body } of wrong) {
        expect(status, JSON.stringify(body)).toBe(400)
        expect(body).toMatchObject({ error: "invalid_grant" })
      }
      for (const redirect_uri of [
        "no url",
        "https://app.example",
        `${REDIRECT_URI}?tenant=1`,
        `${REDIRECT_URI}#there`
      ]) {
        expect((yield* exchange(yield* login("alice"), { redirect_uri })).body.error).toBe("invalid_request")
      }
    })
  )

  it.effect(
    "is let in by no rule with an unverified address, or one of another domain, and leaves nothing behind",
    () =>
      Effect.gen(function* () {
        const { login } = yield* Provider
        const { sql } = yield* TestServer
        for (const sub of ["eve", "mallory"]) {
          const { status, body } = yield* exchange(yield* login(sub))
          expect(status, JSON.stringify(body)).toBe(403)
          expect(body.detail).toContain("invitation")
          expect(yield* sql`select from users where subject = ${sub}`).toHaveLength(0)
        }
      })
  )
})

layer(world, realClock)("an access token of the OpenID provider", (it) => {
  const good = (sub: string, iss: string) => {
    const now = Math.floor(Date.now() / 1000)
    return { iss, aud: HERE, sub, iat: now, exp: now + 600, email: `${sub}@example.com`, email_verified: true }
  }

  it.effect("for this service is its user's, without a login here", () =>
    Effect.gen(function* () {
      const { accessToken, issuer } = yield* Provider
      const token = yield* accessToken("alice", HERE)
      const { status, body } = yield* me(token)
      expect(status, JSON.stringify(body)).toBe(200)
      expect(body).toMatchObject({ user: { email: "alice@example.com" }, role: "member", auth_method: "oidc" })
      const { body: metadata } = yield* answer("/.well-known/oauth-protected-resource/mcp")
      expect(metadata.authorization_servers).toEqual([issuer])
    })
  )

  it.effect("that names scopes of ours reaches no further than these", () =>
    Effect.gen(function* () {
      const { accessToken } = yield* Provider
      const token = yield* accessToken("alice", HERE, "openid suites:read")
      const authorization = `Bearer ${token}`
      expect((yield* answer("/v1/suites", { headers: { authorization } })).status).toBe(200)
      expect((yield* answer("/v1/models", { headers: { authorization } })).status).toBe(403)
    })
  )

  it.effect("that names scopes of somebody else alone allows nothing, and never everything", () =>
    Effect.gen(function* () {
      const { key, issuer } = yield* Provider
      for (const [scope, expected] of [
        ["openid email", 200],
        ["suites:read", 200],
        ["suite:read", 403],
        ["*", 403],
        ["openid other:thing", 403]
      ] as const) {
        const token = yield* signed(key, { ...good("alice", issuer), scope })
        const { status } = yield* answer("/v1/suites", { headers: { authorization: `Bearer ${token}` } })
        expect(status, scope).toBe(expected)
      }
    })
  )

  it.effect("whose claims are not what they should be is no fault of the service", () =>
    Effect.gen(function* () {
      const { key, issuer } = yield* Provider
      const claims = good("alice", issuer)
      for (const [odd, expected] of [
        [{ email: null, scope: ["suites:read"], name: 7 }, 200],
        [{ sub: "x\u0000" }, 401],
        [{ sub: "x".repeat(300) }, 401],
        [{ sub: "new", email: `${"x".repeat(400)}@example.com` }, 403],
        [{ sub: "new", email: "x\u0000@example.com" }, 403]
      ] as const) {
        const { status, body } = yield* me(yield* signed(key, { ...claims, ...odd }))
        expect(status, JSON.stringify([odd, body])).toBe(expected)
      }
    })
  )

  it.effect("is refused in every way in which it can be wrong", () =>
    Effect.gen(function* () {
      const { key, issuer } = yield* Provider
      const claims = good("alice", issuer)
      expect((yield* me(yield* signed(key, claims))).status).toBe(200)
      for (const [wrong, token] of Object.entries(yield* badTokens(key, claims))) {
        const { status, body } = yield* me(token)
        expect(status, `one that ${wrong}: ${JSON.stringify(body)}`).toBe(401)
      }
      // What the application itself gets is for the application, not for this service.
      expect((yield* me(yield* signed(key, { ...claims, aud: CLIENT_ID }))).status).toBe(401)
    })
  )

  it.effect("acts in the organization that X-Org-Id names, when its user is a member", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { accessToken } = yield* Provider
      const token = yield* accessToken("bob", HERE)
      const { body } = yield* me(token)
      const [other, foreign] = [yield* organization(), yield* organization()]
      yield* sql`insert into memberships (id, org_id, user_id, role)
        values (${Bun.randomUUIDv7()}, ${other.org_id}, ${body.user.id}, 'viewer')`
      expect((yield* me(token, { "x-org-id": other.org_id })).body).toMatchObject({
        org_id: other.org_id,
        role: "viewer"
      })
      expect((yield* me(token)).body.org_id).toBe(body.org_id)
      expect((yield* me(token, { "x-org-id": foreign.org_id })).status).toBe(403)
      expect((yield* me(token, { "x-org-id": "no id" })).status).toBe(403)
    })
  )
})

layer(
  TestServer.layer({ OIDC_DISCOVERY_URL: "http://127.0.0.1:9", OIDC_CLIENT_ID: CLIENT_ID, PUBLIC_URL: HERE }),
  realClock
)("an OpenID provider that is away", (it) => {
  it.effect("is a 502 for a login, and no trouble for API keys", () =>
    Effect.gen(function* () {
      const { api_key } = yield* TestServer
      const { status, body } = yield* exchange({ code: "any", code_verifier: "x".repeat(43), nonce: "any" })
      expect(status).toBe(502)
      expect(body).toMatchObject({ code: "upstream_error" })
      expect((yield* answer("/v1/users/me", { headers: { "x-api-key": api_key } })).status).toBe(200)
      expect((yield* answer("/.well-known/oauth-protected-resource")).status).toBe(200)
    })
  )
})

layer(TestServer.layer(), realClock)("without an OpenID provider", (it) => {
  it.effect("a login is refused with what has to be configured", () =>
    Effect.gen(function* () {
      const { status, body } = yield* exchange({ code: "any", code_verifier: "x".repeat(43), nonce: "any" })
      expect(status).toBe(400)
      expect(body).toMatchObject({
        error: "unsupported_grant_type",
        detail: expect.stringContaining("OIDC_DISCOVERY_URL")
      })
    })
  )
})
