import { expect, layer } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { OrganizationId } from "../../src/domain/Ids.ts"
import { type Caller, elsewhere, key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const pathOf = (org_id: string) => ({ id: OrganizationId.make(org_id) })

const slug = () => `s-${crypto.randomUUID()}`

const organizationsOf = ({ api_key }: Pick<Caller, "api_key">) =>
  Effect.map(client(api_key), ({ organizations }) => organizations)

layer(TestServer.layer())("an organization", (it) => {
  it.effect("that somebody makes is theirs, and listed with their others", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const caller = yield* organization()
      const organizations = yield* organizationsOf(caller)
      const wanted = { slug: slug(), name: "Second", settings: { theme: { dark: true } } }
      const made = yield* organizations.create({ payload: wanted })
      expect(made).toMatchObject(wanted)
      const { items } = yield* organizations.list({ urlParams: { limit: 10 } })
      expect(items.map(({ id, role }) => [id, role])).toEqual([
        [made.id, "owner"],
        [caller.org_id, "owner"]
      ])
      const first = yield* organizations.list({ urlParams: { limit: 1 } })
      const rest = yield* organizations.list({ urlParams: { limit: 1, cursor: first.next_cursor ?? "" } })
      expect([...first.items, ...rest.items]).toEqual([...items])
      expect(rest.next_cursor).toBeNull()
      const entries = yield* sql<{ org_id: string }>`
        select org_id from audit_entries where action = 'organization.create' and resource = ${`organization/${made.id}`}`
      expect(entries.map(({ org_id }) => org_id).sort()).toEqual([caller.org_id, made.id].sort())
    })
  )

  it.effect("has a slug of its own", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* organization(), yield* organization()]
      const taken = slug()
      yield* (yield* organizationsOf(one)).create({ payload: { slug: taken, name: "First" } })
      const organizations = yield* organizationsOf(other)
      for (const attempt of [
        Effect.flip(organizations.create({ payload: { slug: taken, name: "Second" } })),
        Effect.flip(organizations.update({ path: pathOf(other.org_id), payload: { slug: taken } }))
      ]) {
        expect(yield* attempt).toMatchObject({ _tag: "SlugTaken", slug: taken })
      }
      for (const bad of ["", "-a", "A", "a b", "a".repeat(64), "ä"]) {
        const answer = yield* request("/v1/organizations", {
          api_key: other.api_key,
          method: "POST",
          body: JSON.stringify({ slug: bad, name: "Bad" })
        })
        expect(answer.status, bad).toBe(422)
      }
    })
  )

  it.effect("is read and changed by its own credentials alone", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const other = yield* elsewhere(caller)
      const organizations = yield* organizationsOf(caller)
      const settings = { a: [1, null, "x"] }
      const changed = yield* organizations.update({ path: pathOf(caller.org_id), payload: { name: "New", settings } })
      expect(changed).toMatchObject({ name: "New", settings })
      expect({ ...(yield* organizations.get({ path: pathOf(caller.org_id) })) }).toEqual({ ...changed })
      const path = pathOf(other)
      for (const attempt of [
        Effect.flip(organizations.get({ path })),
        Effect.flip(organizations.update({ path, payload: { name: "Mine" } })),
        Effect.flip(organizations.delete({ path }))
      ]) {
        expect(yield* attempt).toMatchObject({ _tag: "NotFound" })
      }
      const large = yield* request(`/v1/organizations/${caller.org_id}`, {
        api_key: caller.api_key,
        method: "PATCH",
        body: JSON.stringify({ settings: { text: "x".repeat(16 * 1024) } })
      })
      expect(large.status).toBe(422)
    })
  )

  it.effect("is one of twenty that somebody owns at most, also when they make many at once", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const organizations = yield* organizationsOf(caller)
      const ends = yield* Effect.all(
        Array.from({ length: 24 }, () =>
          Effect.exit(organizations.create({ payload: { slug: slug(), name: "One of many" } }))
        ),
        { concurrency: 8 }
      )
      expect(ends.filter(Exit.isSuccess).length).toBe(19)
      expect(yield* Effect.flip(organizations.create({ payload: { slug: slug(), name: "More" } }))).toMatchObject({
        _tag: "TooManyOrganizations",
        limit: 20
      })
      expect((yield* organizations.list({ urlParams: { limit: 100 } })).items.length).toBe(20)
    })
  )

  it.effect("is deleted by an owner, when it is empty and not their only one, and its credentials end at once", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const [admin, other] = [yield* member(owner.org_id, { role: "admin" }), yield* member(owner.org_id)]
      const path = pathOf(owner.org_id)
      const { organizations, suites, mcp_servers, agents, api_keys } = yield* client(owner.api_key)
      expect(yield* Effect.flip(organizations.delete({ path }))).toMatchObject({
        _tag: "LastOrganization",
        id: owner.org_id
      })
      const abroad = yield* elsewhere(owner)
      const there = yield* key({ org_id: abroad, user_id: owner.user_id })
      expect(yield* Effect.flip((yield* organizationsOf(admin)).delete({ path }))).toMatchObject({
        _tag: "Forbidden",
        detail: "only an owner can delete the organization"
      })
      yield* suites.create({ payload: { name: "Shop", description: "", version: "", base_url: null } })
      const server = yield* request("/v1/mcp/servers", {
        api_key: owner.api_key,
        method: "POST",
        body: JSON.stringify({ name: "server", url: "https://mcp.example/mcp" })
      })
      const { id: server_id } = yield* Effect.promise(() => server.json())
      expect(yield* Effect.flip(organizations.delete({ path }))).toMatchObject({
        _tag: "OrganizationInUse",
        holds: "MCP servers"
      })
      yield* mcp_servers.delete({ path: { id: server_id } })
      const job = { id: Bun.randomUUIDv7(), org_id: owner.org_id, kind: "examples.batch", principal: "user/1" }
      yield* sql`insert into jobs ${sql.insert({
        ...job,
        request_hash: "0".repeat(64),
        payload: "{}",
        session_ids: [],
        status: "RUNNING"
      })}`
      expect(yield* Effect.flip(organizations.delete({ path }))).toMatchObject({ holds: "jobs under way" })
      yield* sql`update jobs set status = 'COMPLETED' where id = ${job.id}`
      const agent = yield* agents.create({
        payload: { name: "agent", description: "", record: false, scopes: ["users:read"] }
      })
      const { key: agents_key } = yield* api_keys.create({ payload: { name: "key", agent_id: agent.id } })
      const status = (api_key: string) =>
        Effect.map(request("/v1/users/me", { api_key }), (response) => response.status)
      const ended = [owner.api_key, admin.api_key, other.api_key, agents_key]
      for (const api_key of ended) expect(yield* status(api_key)).toBe(200)
      yield* organizations.delete({ path })
      for (const api_key of ended) expect(yield* status(api_key)).toBe(401)
      expect(yield* status(there.api_key)).toBe(200)
      const [left] = yield* sql<{ count: number }>`
        select count(*)::int as count from organizations where id = ${owner.org_id}`
      expect(left).toEqual({ count: 0 })
    })
  )

  it.effect("is left to somebody who deletes all of theirs at once", () =>
    Effect.gen(function* () {
      const first = yield* organization()
      const keys = [first]
      for (let n = 0; n < 3; n++) {
        keys.push(yield* key({ org_id: yield* elsewhere(first), user_id: first.user_id }))
      }
      const ends = yield* Effect.all(
        keys.map((caller) =>
          Effect.exit(
            Effect.flatMap(organizationsOf(caller), (organizations) =>
              organizations.delete({ path: pathOf(caller.org_id) })
            )
          )
        ),
        { concurrency: "unbounded" }
      )
      expect(ends.filter(Exit.isSuccess).length).toBe(3)
    })
  )
})
