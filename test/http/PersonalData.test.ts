import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { answer, post } from "../support/Answers.ts"
import { type Caller, key, organization } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"

const send = (caller: Caller, path: string, body: unknown = {}) => post(path, body, { "x-api-key": caller.api_key })

const invitations = (caller: Caller) =>
  Effect.map(answer("/v1/invitations", { headers: { "x-api-key": caller.api_key } }), ({ body }) => body.items)

layer(TestServer.layer())("what is kept of a person", (it) => {
  it.effect("in another organization is neither told nor erased because somebody claims their address", () =>
    Effect.gen(function* () {
      const [theirs, mine] = [yield* organization(), yield* organization()]
      const email = `${crypto.randomUUID()}@example.org`
      expect((yield* send(theirs, "/v1/invitations", { email, role: "admin" })).status).toBe(201)
      expect((yield* send(mine, "/v1/invitations", { email, role: "viewer" })).status).toBe(201)
      const claimed = yield* send(mine, "/v1/users", { display_name: "Not them", email, role: "viewer" })
      expect(claimed.status, JSON.stringify(claimed.body)).toBe(201)
      const exported = yield* send(mine, `/v1/users/${claimed.body.id}/export`)
      expect(exported.body.invitations).toMatchObject([{ org_id: mine.org_id, role: "viewer" }])
      expect((yield* send(mine, `/v1/users/${claimed.body.id}/erase`)).status).toBeLessThan(300)
      expect(yield* invitations(theirs)).toMatchObject([{ email, role: "admin" }])
      expect(yield* invitations(mine)).toEqual([])
    })
  )

  it.effect("in an organization that they left is not told to those of another", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const [left, here] = [yield* organization(), yield* organization()]
      const person = yield* key(left, { scopes: ["suites:read"] })
      yield* sql`update memberships set org_id = ${here.org_id}, role = 'member' where user_id = ${person.user_id}`
      const exported = yield* send(here, `/v1/users/${person.user_id}/export`)
      expect(exported.status, JSON.stringify(exported.body)).toBe(200)
      expect(exported.body.api_keys).toEqual([])
    })
  )

  it.effect("ends with every login of theirs", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const made = yield* send(owner, "/v1/users", { display_name: "Ada", role: "member" })
      const user_id: string = made.body.id
      yield* sql`insert into token_families (id, org_id, user_id, expires_at)
        values (${Bun.randomUUIDv7()}, ${owner.org_id}, ${user_id}, now() + interval '1 day')`
      expect((yield* send(owner, `/v1/users/${user_id}/erase`)).status).toBeLessThan(300)
      expect(yield* sql`select from token_families where user_id = ${user_id}`).toEqual([])
      expect((yield* send(owner, `/v1/users/${user_id}/export`)).status).toBe(404)
    })
  )
})
