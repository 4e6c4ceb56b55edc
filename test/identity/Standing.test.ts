import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { ApiKeyId, SuiteId } from "../../src/domain/Ids.ts"
import { Principal } from "../../src/domain/Principal.ts"
import { Standing } from "../../src/identity/Standing.ts"
import { agent, person } from "../a2p/Calls.ts"
import { key, organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

layer(TestServer.layer({ ROLE: "api" }))("the standing of who asked for something", (it) => {
  const world = Effect.gen(function* () {
    const { sql } = yield* TestServer
    const { now } = yield* Effect.provide(Standing, Standing.Default)
    const owner = yield* organization()
    const principal = new Principal({
      ...person(owner, { suite_ids: [SuiteId.make(Bun.randomUUIDv7())] }),
      key_id: ApiKeyId.make(owner.key_id)
    })
    return { sql, now, owner, principal }
  })

  it.effect("of a member is their role of today, and the bounds that they had", () =>
    Effect.gen(function* () {
      const { sql, now, owner, principal } = yield* world
      expect(yield* now(principal)).toEqual(principal)
      yield* sql`update memberships set role = 'viewer' where org_id = ${owner.org_id}`
      expect(yield* now(principal)).toEqual(new Principal({ ...principal, role: "viewer" }))
      yield* sql`delete from memberships where org_id = ${owner.org_id}`
      expect(yield* now(principal)).toBeUndefined()
    })
  )

  it.effect("ends with the key, and with no other one's", () =>
    Effect.gen(function* () {
      const { sql, now, owner, principal } = yield* world
      yield* key(owner, { revoked_at: new Date() })
      expect(yield* now(principal)).toEqual(principal)
      yield* sql`update api_keys set expires_at = now() - interval '1 second' where id = ${owner.key_id}`
      expect(yield* now(principal)).toBeUndefined()
      yield* sql`update api_keys set expires_at = null, revoked_at = now() where id = ${owner.key_id}`
      expect(yield* now(principal)).toBeUndefined()
      // Who came in by another way than by that key still may.
      expect(yield* now(person(owner))).toEqual(person(owner))
    })
  )

  it.effect("of an agent ends when it is disabled, and shrinks with its scopes", () =>
    Effect.gen(function* () {
      const { sql, now, owner } = yield* world
      const whole = yield* agent(owner.org_id)
      expect(yield* now(whole)).toEqual(whole)
      yield* sql`update agents set scopes = '{a2p:use,examples:read}' where id = ${whole.agent_id}`
      const some = new Principal({ ...whole, scopes: ["examples:read", "models:read"] })
      expect((yield* now(whole))?.scopes).toEqual(["a2p:use", "examples:read"])
      expect((yield* now(some))?.scopes).toEqual(["examples:read"])
      yield* sql`update agents set scopes = '{*}' where id = ${whole.agent_id}`
      expect(yield* now(some)).toEqual(some)
      yield* sql`update agents set status = 'disabled' where id = ${whole.agent_id}`
      expect(yield* now(whole)).toBeUndefined()
    })
  )
})
