import { expect, layer } from "@effect/vitest"
import { DateTime, Effect } from "effect"
import { SuiteId } from "../../src/domain/Ids.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const newSuite = (api_key: string) =>
  Effect.flatMap(client(api_key), ({ suites }) =>
    Effect.map(
      suites.create({ payload: { name: crypto.randomUUID(), description: "", version: "", base_url: null } }),
      ({ id }) => id
    )
  )

layer(TestServer.layer())("an API key", (it) => {
  it.effect("is shown once, and only its digest is kept", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { api_key } = yield* organization()
      const { api_keys } = yield* client(api_key)
      const made = yield* api_keys.create({ payload: { name: "ci" } })
      expect(KeyFormat.isWellFormed(made.key)).toBe(true)
      expect(made.key.startsWith(made.prefix)).toBe(true)
      const { key: _shown, ...rest } = made
      expect({ ...(yield* api_keys.get({ path: { id: made.id } })) }).toEqual({ ...rest })
      for (const path of [`/v1/api-keys/${made.id}`, "/v1/api-keys"]) {
        const text = yield* Effect.flatMap(request(path, { api_key }), (response) =>
          Effect.promise(() => response.text())
        )
        expect(text).toContain(made.id)
        expect(text).not.toContain(made.key)
        expect(text).not.toContain(KeyFormat.hash(made.key))
      }
      const [row] = yield* sql<{ text: string }>`select to_jsonb(k)::text as text from api_keys k where id = ${made.id}`
      expect(row?.text).toContain(KeyFormat.hash(made.key))
      expect(row?.text).not.toContain(made.key)
    })
  )

  it.effect("has at most the scopes of who makes it, and all of them unless some are named", () =>
    Effect.gen(function* () {
      const limited = yield* organization({ scopes: ["keys:manage", "suites:read"] })
      const { api_keys } = yield* client(limited.api_key)
      const inherited = yield* api_keys.create({ payload: { name: "all I have" } })
      expect([...inherited.scopes].sort()).toEqual(["keys:manage", "suites:read"])
      const fewer = yield* api_keys.create({ payload: { name: "less", scopes: ["suites:read"] } })
      expect(fewer.scopes).toEqual(["suites:read"])
      const more = yield* Effect.flip(
        api_keys.create({ payload: { name: "more", scopes: ["suites:read", "suites:write"] } })
      )
      expect(more).toMatchObject({ _tag: "Forbidden", detail: "you do not hold suites:write yourself" })
      const everything = yield* Effect.flip(api_keys.create({ payload: { name: "more", scopes: ["*"] } }))
      expect(everything).toMatchObject({ _tag: "Forbidden", detail: "you do not hold * yourself" })
    })
  )

  it.effect("never does more than its owner's role allows", () =>
    Effect.gen(function* () {
      const viewer = yield* organization({ role: "viewer", scopes: ["*"] })
      const { suites, users, api_keys } = yield* client(viewer.api_key)
      expect((yield* users.me()).scopes.filter((scope) => !/^\*$|:read$/.test(scope))).toEqual([])
      expect((yield* suites.list({ urlParams: { limit: 1 } })).items).toEqual([])
      expect(yield* Effect.flip(api_keys.create({ payload: { name: "mine" } }))).toMatchObject({ _tag: "Forbidden" })
    })
  )

  it.effect("that is restricted to suites hands the restriction on", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const [here, there] = [yield* newSuite(owner.api_key), yield* newSuite(owner.api_key)]
      const restricted = yield* key(owner, { suite_ids: [here] })
      const { api_keys } = yield* client(restricted.api_key)
      expect((yield* api_keys.create({ payload: { name: "silent" } })).suite_ids).toEqual([here])
      expect((yield* api_keys.create({ payload: { name: "null", suite_ids: null } })).suite_ids).toEqual([here])
      const wider = yield* Effect.flip(api_keys.create({ payload: { name: "wider", suite_ids: [here, there] } }))
      expect(wider).toMatchObject({ _tag: "Forbidden", detail: `your own key does not reach ${there}` })
    })
  )

  it.effect("cannot be restricted to a suite that is not there, or not the organization's", () =>
    Effect.gen(function* () {
      const [owner, stranger] = [yield* organization(), yield* organization()]
      const { api_keys } = yield* client(owner.api_key)
      for (const id of [SuiteId.make(Bun.randomUUIDv7()), yield* newSuite(stranger.api_key)]) {
        const suite_ids = [yield* newSuite(owner.api_key), id]
        const refused = yield* Effect.flip(api_keys.create({ payload: { name: "lost", suite_ids } }))
        expect(refused).toMatchObject({ _tag: "NotFound", detail: `there is no suite ${id}` })
      }
    })
  )

  it.effect("expires when it is told to, and can be told otherwise", () =>
    Effect.gen(function* () {
      const { api_keys } = yield* client()
      const soon = DateTime.unsafeMake("2099-01-01T00:00:00Z")
      const made = yield* api_keys.create({ payload: { name: "soon", expires_at: soon } })
      expect(made.expires_at).toEqual(soon)
      const path = { id: made.id }
      const kept = yield* api_keys.update({ path, payload: { name: "renamed" } })
      expect([kept.name, kept.expires_at]).toEqual(["renamed", soon])
      const never = yield* api_keys.update({ path, payload: { expires_at: null } })
      expect([never.name, never.expires_at]).toEqual(["renamed", null])
    })
  )

  it.effect("is seen by the member whose it is, and by owners and admins", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const [admin, one, other] = [
        yield* member(owner.org_id, { role: "admin" }),
        yield* member(owner.org_id, { role: "member" }),
        yield* member(owner.org_id, { role: "member" })
      ]
      const listed = (api_key: string) =>
        Effect.flatMap(client(api_key), ({ api_keys }) =>
          Effect.map(api_keys.list({ urlParams: { limit: 100 } }), ({ items }) =>
            items.map(({ id }) => String(id)).sort()
          )
        )
      const all = [owner, admin, one, other].map(({ key_id }) => key_id).sort()
      expect(yield* listed(owner.api_key)).toEqual(all)
      expect(yield* listed(admin.api_key)).toEqual(all)
      expect(yield* listed(one.api_key)).toEqual([one.key_id])
      const { api_keys } = yield* client(one.api_key)
      const theirs = {
        id: (yield* (yield* client(other.api_key)).api_keys.list({ urlParams: { limit: 1 } })).items[0]!.id
      }
      const attempts = [
        api_keys.get({ path: theirs }),
        api_keys.update({ path: theirs, payload: { name: "mine now" } }),
        api_keys.revoke({ path: theirs })
      ]
      for (const attempt of attempts) expect(yield* Effect.flip(attempt)).toMatchObject({ _tag: "NotFound" })
      yield* (yield* client(admin.api_key)).api_keys.revoke({ path: theirs })
      expect(yield* Effect.flip((yield* client(other.api_key)).users.me())).toMatchObject({ _tag: "Unauthorized" })
    })
  )
})
