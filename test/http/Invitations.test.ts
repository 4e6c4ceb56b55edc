import { expect, layer } from "@effect/vitest"
import { Effect, Exit } from "effect"
import { UserId } from "../../src/domain/Ids.ts"
import type { Role } from "../../src/domain/Principal.ts"
import { Invitations } from "../../src/identity/Invitations.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { type Caller, key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const address = () => `${crypto.randomUUID()}@example.org`

const invite = ({ api_key }: Pick<Caller, "api_key">, email = address(), role: Role = "member") =>
  Effect.flatMap(client(api_key), ({ invitations }) =>
    invitations.create({ payload: { email, role, expires_in: 604_800 } })
  )

const accept = ({ api_key }: Pick<Caller, "api_key">, token: string) =>
  Effect.flatMap(client(api_key), ({ invitations }) => invitations.accept({ payload: { token } }))

const roleIn = ({ org_id }: Pick<Caller, "org_id">, { user_id }: Pick<Caller, "user_id">) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const rows = yield* sql<{ role: Role }>`
      select role from memberships where org_id = ${org_id} and user_id = ${user_id}`
    return rows[0]?.role
  })

layer(TestServer.layer())("an invitation", (it) => {
  it.effect("shows its token once, and lets whoever has it join with its role, once", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const [owner, guest, other] = [yield* organization(), yield* organization(), yield* organization()]
      const made = yield* invite(owner, address(), "admin")
      expect(made).toMatchObject({ role: "admin", status: "open", invited_by: owner.user_id })
      expect(KeyFormat.isWellFormed(made.token, "invite")).toBe(true)
      for (const path of [`/v1/invitations/${made.id}`, "/v1/invitations"]) {
        const answer = yield* request(path, { api_key: owner.api_key })
        const text = yield* Effect.promise(() => answer.text())
        expect(text).toContain(made.id)
        expect(text).not.toContain(made.token)
        expect(text).not.toContain(KeyFormat.hash(made.token))
      }
      const joined = yield* accept(guest, made.token)
      expect(joined).toMatchObject({ id: owner.org_id, role: "admin" })
      expect(yield* roleIn(owner, guest)).toBe("admin")
      expect((yield* (yield* client(guest.api_key)).users.me()).organizations.map(({ id }) => id)).toEqual([
        guest.org_id,
        owner.org_id
      ])
      expect(yield* Effect.flip(accept(other, made.token))).toMatchObject({
        _tag: "InvitationGone",
        reason: "accepted"
      })
      expect(yield* roleIn(owner, other)).toBeUndefined()
      const entries = yield* sql<{ org_id: string; entry: string }>`
        select org_id, actor || ' ' || action || ' ' || resource as entry from audit_entries
        where action = 'invitation.accept' and ${sql.in("org_id", [owner.org_id, guest.org_id])} order by at, id`
      expect(entries).toEqual(
        expect.arrayContaining([
          { org_id: owner.org_id, entry: `user/${guest.user_id} invitation.accept invitation/${made.id}` },
          { org_id: guest.org_id, entry: `user/${guest.user_id} invitation.accept user/${guest.user_id}` }
        ])
      )
      expect(entries.length).toBe(2)
    })
  )

  it.effect("that is expired, revoked or replaced is gone, one that never was is not found", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const [owner, guest] = [yield* organization(), yield* organization()]
      const { invitations } = yield* client(owner.api_key)
      const expired = yield* invite(owner)
      yield* sql`update invitations set expires_at = now() where id = ${expired.id}`
      const revoked = yield* invite(owner)
      yield* invitations.revoke({ path: { id: revoked.id } })
      const replaced = yield* invite(owner, "Same@example.org")
      const open = yield* invite(owner, "same@EXAMPLE.org")
      for (const [{ id, token }, status] of [
        [expired, "expired"],
        [revoked, "revoked"],
        [replaced, "revoked"]
      ] as const) {
        expect((yield* invitations.get({ path: { id } })).status).toBe(status)
        const answer = yield* request("/v1/invitations/accept", {
          api_key: guest.api_key,
          method: "POST",
          body: JSON.stringify({ token })
        })
        expect(yield* Effect.promise(() => answer.json())).toMatchObject({
          status: 410,
          code: "gone",
          detail: `the invitation is ${status}: ask for another one`
        })
      }
      for (const token of [KeyFormat.make("invite"), KeyFormat.make(), `${open.token}x`, "' or '1'='1"]) {
        expect(yield* Effect.flip(accept(guest, token))).toMatchObject({ _tag: "NotFound" })
      }
      expect(yield* roleIn(owner, guest)).toBeUndefined()
      expect((yield* accept(guest, open.token)).id).toBe(owner.org_id)
      expect(yield* Effect.flip(invitations.revoke({ path: { id: open.id } }))).toMatchObject({
        _tag: "InvitationGone",
        reason: "accepted"
      })
      yield* invitations.revoke({ path: { id: revoked.id } })
    })
  )

  it.effect("is taken by one when many take it at once", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const guests: Array<Caller> = []
      for (let n = 0; n < 8; n++) guests.push(yield* organization())
      const { token } = yield* invite(owner)
      const ends = yield* Effect.all(
        guests.map((guest) => Effect.exit(accept(guest, token))),
        { concurrency: "unbounded" }
      )
      expect(ends.filter(Exit.isSuccess).length).toBe(1)
      const rows = yield* sql<{ count: number }>`
        select count(*)::int as count from memberships where org_id = ${owner.org_id}`
      expect(rows).toEqual([{ count: 2 }])
    })
  )

  it.effect("is of no use to a member, who does not use it up", () =>
    Effect.gen(function* () {
      const [owner, guest] = [yield* organization(), yield* organization()]
      const viewer = yield* member(owner.org_id, { role: "viewer" })
      const { token } = yield* invite(owner, address(), "owner")
      expect(yield* Effect.flip(accept(viewer, token))).toMatchObject({
        _tag: "AlreadyMember",
        user_id: viewer.user_id
      })
      expect(yield* roleIn(owner, viewer)).toBe("viewer")
      expect((yield* accept(guest, token)).role).toBe("owner")
    })
  )

  it.effect("gives no role above that of who invites, and none that they have lost since", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const [owner, guest] = [yield* organization(), yield* organization()]
      const [first, second] = [
        yield* member(owner.org_id, { role: "admin" }),
        yield* member(owner.org_id, { role: "admin" })
      ]
      expect(yield* Effect.flip(invite(first, address(), "owner"))).toMatchObject({
        _tag: "Forbidden",
        detail: "the role owner is above your own, which is admin"
      })
      const [asAdmin, asViewer] = [yield* invite(first, address(), "admin"), yield* invite(first, address(), "viewer")]
      const ofRemoved = yield* invite(second, address(), "viewer")
      const { users } = yield* client(owner.api_key)
      yield* users.update({ path: { id: UserId.make(first.user_id) }, payload: { role: "member" } })
      yield* users.delete({ path: { id: UserId.make(second.user_id) } })
      for (const { token } of [asAdmin, ofRemoved]) {
        expect(yield* Effect.flip(accept(guest, token))).toMatchObject({ _tag: "InvitationGone", reason: "revoked" })
      }
      expect((yield* accept(guest, asViewer.token)).role).toBe("viewer")
      const revoked = yield* sql<{ resource: string }>`select resource from audit_entries
        where org_id = ${owner.org_id} and action = 'invitation.revoke' order by at, id`
      expect(revoked).toEqual([asAdmin, ofRemoved].map(({ id }) => ({ resource: `invitation/${id}` })))
    })
  )

  it.effect("is open for an hour to 30 days, a week unless it is said", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const made = (body: object) =>
        Effect.flatMap(
          request("/v1/invitations", {
            api_key,
            method: "POST",
            body: JSON.stringify({ email: address(), role: "viewer", ...body })
          }),
          (response) => Effect.promise(async () => ({ status: response.status, body: await response.json() }))
        )
      for (const [body, seconds] of [
        [{}, 604_800],
        [{ expires_in: 3600 }, 3600],
        [{ expires_in: 2_592_000 }, 2_592_000]
      ] as const) {
        const { body: invitation } = yield* made(body)
        expect((Date.parse(invitation.expires_at) - Date.parse(invitation.created_at)) / 1000).toBe(seconds)
      }
      for (const expires_in of [3599, 2_592_001, "3600", 1.5]) {
        expect((yield* made({ expires_in })).status, String(expires_in)).toBe(422)
      }
    })
  )
})

layer(TestServer.layer())("a verified address", (it) => {
  it.effect("joins where it is invited to, once, with the role of the newest invitation", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const invitations = yield* Invitations
      const [one, two, three, guest] = [
        yield* organization(),
        yield* organization(),
        yield* organization(),
        yield* organization()
      ]
      const email = address()
      yield* invite(one, email, "viewer")
      yield* invite(one, email.toUpperCase(), "admin")
      yield* invite(two, email, "viewer")
      const late = yield* invite(three, email, "viewer")
      yield* sql`update invitations set expires_at = now() where id = ${late.id}`
      yield* invite(three, address(), "owner")
      const pending = yield* invitations.pendingFor(email)
      expect(pending.map(({ org_id, role }) => [org_id, role]).sort()).toEqual(
        [
          [one.org_id, "admin"],
          [two.org_id, "viewer"]
        ].sort()
      )
      const user_id = UserId.make(guest.user_id)
      const joined = yield* invitations.acceptFor(email, user_id)
      expect(joined.map(({ org_id }) => String(org_id)).sort()).toEqual([one.org_id, two.org_id].sort())
      expect(yield* roleIn(one, guest)).toBe("admin")
      expect(yield* roleIn(two, guest)).toBe("viewer")
      expect(yield* roleIn(three, guest)).toBeUndefined()
      expect(yield* invitations.acceptFor(email, user_id)).toEqual([])
      const entries = yield* sql<{ actor: string }>`
        select actor from audit_entries where action = 'invitation.accept' and ${sql.in("org_id", [one.org_id, two.org_id])}`
      expect(entries).toEqual([{ actor: `user/${guest.user_id}` }, { actor: `user/${guest.user_id}` }])
    })
  )

  it.effect("changes nothing where its owner is a member already, and stays open", () =>
    Effect.gen(function* () {
      const invitations = yield* Invitations
      const owner = yield* organization()
      const viewer = yield* member(owner.org_id, { role: "viewer" })
      const email = address()
      yield* invite(owner, email, "admin")
      expect(yield* invitations.acceptFor(email, UserId.make(viewer.user_id))).toEqual([])
      expect(yield* roleIn(owner, viewer)).toBe("viewer")
      expect((yield* invitations.pendingFor(email)).length).toBe(1)
      expect(yield* invitations.pendingFor(address())).toEqual([])
    })
  )
})

layer(TestServer.layer())("a key that is restricted to some suites", (it) => {
  it.effect("changes neither people nor organizations", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const { suites } = yield* client(owner.api_key)
      const suite = yield* suites.create({ payload: { name: "Shop", description: "", version: "", base_url: null } })
      const restricted = yield* key(owner, { suite_ids: [suite.id] })
      const { users, organizations } = yield* client(restricted.api_key)
      for (const refused of [
        Effect.flip(invite(restricted)),
        Effect.flip(users.create({ payload: { display_name: "Ada", role: "viewer" } })),
        Effect.flip(organizations.create({ payload: { slug: "more", name: "More" } }))
      ]) {
        expect(yield* refused).toMatchObject({
          _tag: "Forbidden",
          detail: expect.stringContaining("restricted to some suites")
        })
      }
    })
  )
})
