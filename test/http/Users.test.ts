import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import type { Role } from "../../src/domain/Principal.ts"
import { type Caller, elsewhere, key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const pathOf = ({ user_id }: Pick<Caller, "user_id">) => ({ id: UserId.make(user_id) })

const status = (api_key: string) => Effect.map(request("/v1/users/me", { api_key }), (response) => response.status)

const usersOf = ({ api_key }: Pick<Caller, "api_key">) => Effect.map(client(api_key), ({ users }) => users)

const actions = ({ org_id }: Pick<Caller, "org_id">) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const rows = yield* sql<{ entry: string }>`
      select action || ' ' || resource as entry from audit_entries where org_id = ${org_id} and action not in ('auth.fail', 'access.deny') order by at, id`
    return rows.map(({ entry }) => entry)
  })

layer(TestServer.layer())("members", (it) => {
  it.effect("are listed with their roles, who joined last first, page after page", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const others: Array<Caller> = []
      for (let n = 0; n < 6; n++) others.push(yield* member(owner.org_id, { role: "member" }))
      // Three of them joined in the same microsecond.
      yield* sql`update memberships set created_at = '2026-01-01T00:00:00.000001Z'
        where org_id = ${owner.org_id} and ${sql.in(
          "user_id",
          others.slice(0, 3).map(({ user_id }) => user_id)
        )}`
      const users = yield* usersOf(owner)
      const all = yield* users.list({ urlParams: { limit: 100 } })
      expect(all.items.length).toBe(7)
      expect(all.next_cursor).toBeNull()
      expect(all.items.map(({ id }) => id).slice(0, 3)).toEqual(
        others
          .slice(3)
          .map(({ user_id }) => user_id)
          .toReversed()
      )
      const walked: Array<string> = []
      let at: { readonly cursor?: string } | undefined = {}
      while (at !== undefined) {
        const page: typeof all = yield* users.list({ urlParams: { limit: 2, ...at } })
        walked.push(...page.items.map(({ id }) => id))
        at = page.next_cursor === null ? undefined : { cursor: page.next_cursor }
      }
      expect(walked).toEqual(all.items.map(({ id }) => id))
      expect(new Set(walked).size).toBe(7)
      for (const { joined_at, created_at, role } of all.items) {
        expect([typeof joined_at.epochMillis, typeof created_at.epochMillis, typeof role]).toEqual([
          "number",
          "number",
          "string"
        ])
      }
    })
  )

  it.effect("are found by their role, name and address", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const users = yield* usersOf(owner)
      for (const [display_name, email, role] of [
        ["Ada Lovelace", "ada@example.org", "admin"],
        ["Charles Babbage", "charles@example.org", "viewer"],
        ["Nobody", null, "viewer"]
      ] as const) {
        yield* users.create({ payload: { display_name, email, role } })
      }
      const found = (filter: { readonly role?: Role; readonly q?: string }) =>
        Effect.map(users.list({ urlParams: { limit: 100, ...filter } }), ({ items }) =>
          items.map(({ display_name }) => display_name)
        )
      expect(yield* found({ role: "admin" })).toEqual(["Ada Lovelace"])
      expect(yield* found({ role: "viewer" })).toEqual(["Nobody", "Charles Babbage"])
      expect(yield* found({ q: "LOVE" })).toEqual(["Ada Lovelace"])
      expect(yield* found({ q: "@example.org" })).toEqual(["Charles Babbage", "Ada Lovelace"])
      expect(yield* found({ q: "%" })).toEqual([])
    })
  )
})

layer(TestServer.layer())("a person who is added", (it) => {
  it.effect("is a member at once, and known by the login that will come", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const users = yield* usersOf(owner)
      const ada = yield* users.create({
        payload: {
          display_name: "Ada",
          email: "ada@example.org",
          role: "member",
          issuer: "https://id.example.org",
          subject: crypto.randomUUID()
        }
      })
      expect({ ...(yield* users.get({ path: { id: ada.id } })) }).toEqual({ ...ada })
      const bob = yield* users.create({ payload: { display_name: "Bob", role: "viewer" } })
      expect(bob.email).toBeNull()
      const [row] = yield* sql<{
        issuer: string
        subject: string
      }>`select issuer, subject from users where id = ${bob.id}`
      expect(row).toEqual({ issuer: "tracepipe", subject: bob.id })
      expect(yield* actions(owner)).toEqual([`user.create user/${ada.id}`, `user.create user/${bob.id}`])
    })
  )

  it.effect("has a login that nobody else has, which is an issuer's subject", () =>
    Effect.gen(function* () {
      const [one, other] = [yield* organization(), yield* organization()]
      const login = { issuer: "https://id.example.org", subject: crypto.randomUUID() }
      const wanted = { display_name: "Ada", role: "viewer" } as const
      const users = yield* usersOf(one)
      yield* users.create({ payload: { ...wanted, ...login } })
      for (const caller of [one, other]) {
        const taken = yield* Effect.flip((yield* usersOf(caller)).create({ payload: { ...wanted, ...login } }))
        expect(taken).toMatchObject({ _tag: "LoginTaken", ...login })
      }
      for (const [body, path] of [
        [{ issuer: login.issuer }, "subject"],
        [{ subject: "ada" }, "issuer"],
        [{ issuer: "tracepipe", subject: "owner" }, "issuer"],
        [{ email: "nowhere" }, "email"],
        [{ email: "a b@example.org" }, "email"],
        [{ role: "king" }, "role"],
        [{ display_name: "" }, "display_name"]
      ] as const) {
        const answer = yield* request("/v1/users", {
          api_key: one.api_key,
          method: "POST",
          body: JSON.stringify({ ...wanted, ...body })
        })
        expect(yield* Effect.promise(() => answer.json()), JSON.stringify(body)).toMatchObject({
          status: 422,
          errors: [{ path }]
        })
      }
    })
  )
})

layer(TestServer.layer())("a role", (it) => {
  it.effect("is given and taken by those who hold it: owners alone make and unmake owners", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const admin = yield* member(owner.org_id, { role: "admin" })
      const other = yield* member(owner.org_id, { role: "member" })
      const byAdmin = yield* usersOf(admin)
      for (const attempt of [
        Effect.flip(byAdmin.create({ payload: { display_name: "Mine", role: "owner" } })),
        Effect.flip(byAdmin.update({ path: pathOf(other), payload: { role: "owner" } })),
        Effect.flip(byAdmin.update({ path: pathOf(admin), payload: { role: "owner" } })),
        Effect.flip(byAdmin.update({ path: pathOf(owner), payload: { role: "viewer" } })),
        Effect.flip(byAdmin.update({ path: pathOf(owner), payload: { display_name: "Nobody" } })),
        Effect.flip(byAdmin.delete({ path: pathOf(owner) }))
      ]) {
        expect(yield* attempt).toMatchObject({
          _tag: "Forbidden",
          detail: "the role owner is above your own, which is admin"
        })
      }
      expect((yield* byAdmin.update({ path: pathOf(other), payload: { role: "admin" } })).role).toBe("admin")
      expect((yield* byAdmin.update({ path: pathOf(admin), payload: { role: "viewer" } })).role).toBe("viewer")
      const again = yield* Effect.flip(byAdmin.update({ path: pathOf(admin), payload: { role: "admin" } }))
      expect(again).toMatchObject({ _tag: "Forbidden" })
      const byOwner = yield* usersOf(owner)
      expect((yield* byOwner.update({ path: pathOf(other), payload: { role: "owner" } })).role).toBe("owner")
      expect((yield* byOwner.update({ path: pathOf(owner), payload: { role: "member" } })).role).toBe("member")
    })
  )

  it.effect("that is changed bounds the keys of its holder at once", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const other = yield* member(owner.org_id, { role: "admin" })
      const theirs = yield* client(other.api_key)
      expect((yield* theirs.users.me()).role).toBe("admin")
      const users = yield* usersOf(owner)
      yield* users.update({ path: pathOf(other), payload: { role: "viewer" } })
      expect(yield* theirs.users.me()).toMatchObject({ role: "viewer" })
      expect(yield* Effect.flip(theirs.api_keys.create({ payload: { name: "more" } }))).toMatchObject({
        _tag: "Forbidden"
      })
    })
  )

  it.effect("of the only owner cannot be given up, until another is made one", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const users = yield* usersOf(owner)
      const path = pathOf(owner)
      for (const attempt of [
        Effect.flip(users.update({ path, payload: { role: "admin" } })),
        Effect.flip(users.delete({ path }))
      ]) {
        expect(yield* attempt).toMatchObject({ _tag: "LastOwner", id: owner.user_id })
      }
      yield* member(owner.org_id, { role: "owner" })
      expect((yield* users.update({ path, payload: { role: "admin" } })).role).toBe("admin")
    })
  )

  it.effect("of owner is left to somebody when all owners unmake and remove each other at once", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      for (let round = 0; round < 4; round++) {
        const owners = [yield* organization()]
        const [first] = owners
        for (let n = 0; n < 5; n++) owners.push(yield* member(first!.org_id, { role: "owner" }))
        const attempts = owners.map((owner, at) =>
          Effect.gen(function* () {
            const users = yield* usersOf(owner)
            const path = pathOf(owners[(at + 1) % owners.length]!)
            yield* at % 2 === 0 ? users.delete({ path }) : users.update({ path, payload: { role: "viewer" } })
          }).pipe(Effect.either)
        )
        const ends = yield* Effect.all(attempts, { concurrency: "unbounded" })
        const rows = yield* sql<{ count: number }>`
          select count(*)::int as count from memberships where org_id = ${first!.org_id} and role = 'owner'`
        expect(rows[0]?.count).toBeGreaterThan(0)
        for (const end of ends) {
          if (end._tag === "Left") expect(["LastOwner", "Forbidden", "Unauthorized"]).toContain(end.left._tag)
        }
        expect(rows[0]?.count).toBe(owners.length - ends.filter(({ _tag }) => _tag === "Right").length)
      }
    })
  )

  it.effect("that was just taken cannot be used from another node's memory of it", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const admin = yield* member(owner.org_id, { role: "admin" })
      const users = yield* usersOf(admin)
      yield* users.me()
      yield* sql`update memberships set role = 'viewer' where user_id = ${admin.user_id}`
      const refused = yield* Effect.flip(users.create({ payload: { display_name: "Late", role: "member" } }))
      expect(refused).toMatchObject({ _tag: "Forbidden", detail: expect.stringContaining("which is viewer") })
    })
  )
})

layer(TestServer.layer())("a person", (it) => {
  it.effect("who is in no other organization is renamed by its admins, anybody by themselves", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const [here, both] = [
        yield* member(owner.org_id, { role: "admin" }),
        yield* member(owner.org_id, { role: "admin" })
      ]
      yield* elsewhere(both)
      const users = yield* usersOf(owner)
      const payload = { display_name: "Ada", email: "ada@example.org" }
      expect(yield* users.update({ path: pathOf(here), payload })).toMatchObject(payload)
      expect(yield* Effect.flip(users.update({ path: pathOf(both), payload }))).toMatchObject({
        _tag: "Forbidden",
        detail: "they are in another organization too: only they can change their name and address"
      })
      expect((yield* users.get({ path: pathOf(both) })).display_name).toBe("Somebody")
      expect(yield* (yield* usersOf(both)).update({ path: pathOf(both), payload })).toMatchObject(payload)
      expect((yield* users.update({ path: pathOf(both), payload: { role: "viewer" } })).role).toBe("viewer")
      expect(yield* actions(owner)).toEqual([
        `user.update user/${here.user_id}`,
        `user.update user/${both.user_id}`,
        `membership.update user/${both.user_id}`
      ])
    })
  )

  it.effect("who is removed has no key here at once, also when they come back, and keeps those of elsewhere", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const other = yield* member(owner.org_id, { role: "member" })
      const [second, abroad] = [yield* key(other), yield* elsewhere(other)]
      const there = yield* key({ org_id: abroad, user_id: other.user_id })
      const { agents, users } = yield* client(owner.api_key)
      const agent = yield* agents.create({
        payload: { name: "theirs", description: "", record: false, scopes: ["bridge:use"], owner_id: pathOf(other).id }
      })
      for (const { api_key } of [other, second, there]) expect(yield* status(api_key)).toBe(200)
      yield* users.delete({ path: pathOf(other) })
      for (const { api_key } of [other, second]) expect(yield* status(api_key)).toBe(401)
      expect(yield* status(there.api_key)).toBe(200)
      expect(yield* Effect.flip(users.get({ path: pathOf(other) }))).toMatchObject({ _tag: "NotFound" })
      expect((yield* actions(owner)).slice(1).sort()).toEqual(
        [
          `agent.update agent/${agent.id}`,
          `api_key.revoke api_key/${other.key_id}`,
          `api_key.revoke api_key/${second.key_id}`,
          `membership.delete user/${other.user_id}`
        ].sort()
      )
      expect((yield* agents.get({ path: { id: agent.id } })).owner_id).toBeNull()
      yield* sql`insert into memberships (id, org_id, user_id, role)
        values (${Bun.randomUUIDv7()}, ${owner.org_id}, ${other.user_id}, 'member')`
      expect(yield* status(second.api_key)).toBe(401)
    })
  )
})
