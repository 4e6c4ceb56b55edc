import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { decodeJwt } from "jose"
import { answer, me } from "../support/Answers.ts"
import { badTokens, signed } from "../support/BadTokens.ts"
import { betterAuthServer } from "../support/BetterAuthServer.ts"
import { organization } from "../support/Organizations.ts"
import { testDatabase } from "../support/TestDatabase.ts"
import { TestServer } from "../support/TestServer.ts"

// What others sign has the time of the world.
const realClock = { excludeTestServices: true }

class BetterAuth extends Context.Tag("test/BetterAuth")<
  BetterAuth,
  Effect.Effect.Success<ReturnType<typeof betterAuthServer>>
>() {}

/** The service beside a real Better Auth server. */
const world = Layer.unwrapScoped(
  Effect.gen(function* () {
    const { owner } = yield* testDatabase
    const server = yield* betterAuthServer(owner)
    return Layer.merge(
      Layer.succeed(BetterAuth, server),
      TestServer.layer({ BETTER_AUTH_URL: server.url, AUTH_AUTO_PROVISION: "example.com=default:viewer" })
    )
  })
)

layer(world, realClock)("a JWT of Better Auth", (it) => {
  it.effect("is its user's, who is made on first sight where the domain belongs", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { token, url } = yield* BetterAuth
      const jwt = yield* token("ann@example.com")
      const { status, body } = yield* me(jwt)
      expect(status, JSON.stringify(body)).toBe(200)
      expect(body).toMatchObject({
        user: { display_name: "Name of ann@example.com", email: "ann@example.com" },
        role: "viewer",
        auth_method: "better_auth"
      })
      const [user] = yield* sql<{ issuer: string; subject: string }>`
        select issuer, subject from users where id = ${body.user.id}`
      expect(user).toEqual({ issuer: url, subject: decodeJwt(jwt).sub })
      expect((yield* me(jwt)).body.user.id).toBe(body.user.id)
      expect((yield* answer("/.well-known/oauth-protected-resource")).body.authorization_servers).toEqual([url])
    })
  )

  it.effect("of an unverified address or another domain is nobody's here", () =>
    Effect.gen(function* () {
      const { token } = yield* BetterAuth
      expect((yield* me(yield* token("unverified@example.com", false))).status).toBe(403)
      expect((yield* me(yield* token("somebody@elsewhere.example"))).status).toBe(403)
    })
  )

  it.effect("is refused in every way in which it can be wrong, and beside another credential", () =>
    Effect.gen(function* () {
      const { token, key } = yield* BetterAuth
      const jwt = yield* token("ben@example.com")
      const claims = decodeJwt(jwt)
      const issuerKey = yield* key
      expect((yield* me(yield* signed(issuerKey, claims))).status).toBe(200)
      for (const [wrong, bad] of Object.entries(yield* badTokens(issuerKey, claims))) {
        const { status, body } = yield* me(bad)
        expect(status, `one that ${wrong}: ${JSON.stringify(body)}`).toBe(401)
      }
      const { api_key } = yield* organization()
      expect((yield* me(jwt, { "x-api-key": api_key })).status).toBe(400)
    })
  )

  it.effect("is of no use once its user is in no organization any more", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { token } = yield* BetterAuth
      const jwt = yield* token("carl@example.com")
      const { body } = yield* me(jwt)
      yield* sql`delete from memberships where user_id = ${body.user.id}`
      const left = yield* signed(yield* (yield* BetterAuth).key, { ...decodeJwt(jwt), jti: "another" })
      // The rule for the domain is for a first sight: who was removed is not let in again by it.
      expect((yield* me(left)).status).toBe(403)
    })
  )
})
