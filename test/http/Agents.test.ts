import { expect, layer } from "@effect/vitest"
import { Clock, Effect, TestClock } from "effect"
import { AgentId, SuiteId, UserId } from "../../src/domain/Ids.ts"
import type { AgentScope } from "../../src/domain/identity/Agent.ts"
import type { Scope } from "../../src/domain/Principal.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { eventually } from "../support/Eventually.ts"
import { key, member, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

const defaults = { description: "", record: false } as const

const named = (name: string, scopes: ReadonlyArray<AgentScope> = ["bridge:use", "a2p:use"]) => ({
  ...defaults,
  name,
  scopes
})

/** An agent and a key of it, both with the same scopes. */
const agentWithKey = (api_key: string, scopes: ReadonlyArray<AgentScope>) =>
  Effect.gen(function* () {
    const { agents, api_keys } = yield* client(api_key)
    const agent = yield* agents.create({ payload: named(crypto.randomUUID(), scopes) })
    const made = yield* api_keys.create({ payload: { name: "an agent's", agent_id: agent.id } })
    return { agent, path: { id: agent.id }, made }
  })

const stored = (id: AgentId) =>
  Effect.gen(function* () {
    const { sql } = yield* TestServer
    const [row] = yield* sql<{
      secret_hash: string
      previous_secret_hash: string | null
      previous_secret_until: string | null
      now: string
    }>`select secret_hash, previous_secret_hash, previous_secret_until, now() as now from agents where id = ${id}`
    return row!
  })

const status = (api_key: string) => Effect.map(request("/v1/users/me", { api_key }), (response) => response.status)

layer(TestServer.layer())("an agent", (it) => {
  it.effect("has a client id and a secret, which is shown once and kept as its digest alone", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { api_key, user_id } = yield* organization()
      const { agents } = yield* client(api_key)
      const made = yield* agents.create({ payload: named("crawler") })
      expect(made.client_id).toMatch(/^agent_[0-9A-Za-z]{22}$/)
      expect(made.client_secret).toMatch(/^tp_agent_[0-9A-Za-z]{28}$/)
      expect(KeyFormat.isWellFormed(made.client_secret, "agent")).toBe(true)
      expect(KeyFormat.isWellFormed(made.client_secret)).toBe(false)
      expect(made).toMatchObject({
        scopes: ["bridge:use", "a2p:use"],
        status: "active",
        owner_id: user_id,
        previous_secret_until: null,
        last_seen_at: null
      })
      for (const path of [`/v1/agents/${made.id}`, "/v1/agents"]) {
        const text = yield* Effect.flatMap(request(path, { api_key }), (response) =>
          Effect.promise(() => response.text())
        )
        expect(text).toContain(made.client_id)
        expect(text).not.toContain(made.client_secret)
        expect(text).not.toContain(KeyFormat.hash(made.client_secret))
      }
      const [row] = yield* sql<{ text: string }>`select to_jsonb(a)::text as text from agents a where id = ${made.id}`
      expect(row?.text).toContain(KeyFormat.hash(made.client_secret))
      expect(row?.text).not.toContain(made.client_secret)
    })
  )

  it.effect("has another name than the others, and an owner who is a member", () =>
    Effect.gen(function* () {
      const [{ api_key }, stranger] = [yield* organization(), yield* organization()]
      const { agents } = yield* client(api_key)
      const first = yield* agents.create({ payload: named("crawler") })
      const second = yield* agents.create({ payload: named("reader") })
      for (const attempt of [
        agents.create({ payload: named("crawler") }),
        agents.update({ path: { id: second.id }, payload: { name: "crawler" } })
      ]) {
        expect(yield* Effect.flip(attempt)).toMatchObject({ _tag: "AgentNameTaken", name: "crawler" })
      }
      const theirs = UserId.make(stranger.user_id)
      for (const attempt of [
        agents.create({ payload: { ...named("other"), owner_id: theirs } }),
        agents.update({ path: { id: first.id }, payload: { owner_id: theirs } })
      ]) {
        expect(yield* Effect.flip(attempt)).toMatchObject({ _tag: "NotFound", detail: `there is no user ${theirs}` })
      }
      const { agents: others } = yield* client(stranger.api_key)
      expect((yield* others.create({ payload: named("crawler") })).name).toBe("crawler")
    })
  )

  it.effect("is found by its status and its text, newest first", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const { agents } = yield* client(api_key)
      for (const name of ["one", "two", "three"]) {
        const { id } = yield* agents.create({ payload: { ...named(name), description: `the ${name}th` } })
        if (name !== "one") yield* agents.update({ path: { id }, payload: { status: "disabled" } })
      }
      const found = (filter: { readonly status?: "active" | "disabled"; readonly q?: string }) =>
        Effect.map(agents.list({ urlParams: { limit: 100, ...filter } }), ({ items }) => items.map(({ name }) => name))
      expect(yield* found({})).toEqual(["three", "two", "one"])
      expect(yield* found({ status: "active" })).toEqual(["one"])
      expect(yield* found({ status: "disabled" })).toEqual(["three", "two"])
      expect(yield* found({ q: "THE TWO" })).toEqual(["two"])
    })
  )

  it.effect("does no more than who makes it, changes it or takes its secret", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const all = yield* client(owner.api_key)
      const strong = yield* all.agents.create({ payload: named("strong", ["sessions:read", "agents:read"]) })
      const path = { id: strong.id }
      const limited = yield* key(owner, { scopes: ["agents:read", "agents:write"] })
      const { agents } = yield* client(limited.api_key)
      const weak = yield* agents.create({ payload: named("weak", ["agents:read"]) })
      yield* all.agents.update({ path, payload: { status: "disabled" } })
      for (const attempt of [
        agents.create({ payload: named("wider", ["agents:read", "sessions:read"]) }),
        agents.update({ path: { id: weak.id }, payload: { scopes: ["sessions:read"] } }),
        agents.rotate_secret({ path, payload: { overlap: 0 } }),
        agents.update({ path, payload: { status: "active" } })
      ]) {
        expect(yield* Effect.flip(attempt)).toMatchObject({
          _tag: "Forbidden",
          detail: expect.stringContaining("sessions:read")
        })
      }
      expect((yield* agents.update({ path, payload: { description: "strong" } })).description).toBe("strong")
      const everything = yield* request("/v1/agents", {
        api_key: owner.api_key,
        method: "POST",
        body: JSON.stringify({ name: "all", scopes: ["*"] })
      })
      expect(everything.status).toBe(422)
      const suite = yield* all.suites.create({
        payload: { name: "Shop", description: "", version: "", base_url: null }
      })
      const restricted = yield* client((yield* key(owner, { suite_ids: [suite.id] })).api_key)
      expect(yield* Effect.flip(restricted.agents.create({ payload: named("free") }))).toMatchObject({
        _tag: "Forbidden",
        detail: expect.stringContaining("restricted to some suites")
      })
    })
  )

  it.effect("gets a new secret while the old one goes on for a day, as long as said, or not at all", () =>
    Effect.gen(function* () {
      const { agents } = yield* client((yield* organization()).api_key)
      const made = yield* agents.create({ payload: named("rotated") })
      const path = { id: made.id }
      let old = made.client_secret
      for (const [sent, seconds] of [
        [{}, 86_400],
        [{ overlap: 60 }, 60],
        [{ overlap: 604_800 }, 604_800],
        [{ overlap: 0 }, null]
      ] as const) {
        const rotated = yield* agents.rotate_secret({ path, payload: { overlap: 86_400, ...sent } })
        expect(rotated.client_id).toBe(made.client_id)
        expect(rotated.client_secret).not.toBe(old)
        const row = yield* stored(made.id)
        expect(row.secret_hash).toBe(KeyFormat.hash(rotated.client_secret))
        expect(row.previous_secret_hash).toBe(seconds === null ? null : KeyFormat.hash(old))
        if (seconds === null) expect([row.previous_secret_until, rotated.previous_secret_until]).toEqual([null, null])
        else {
          const left = (Date.parse(String(row.previous_secret_until)) - Date.parse(row.now)) / 1000
          expect(left).toBeGreaterThan(seconds - 30)
          expect(left).toBeLessThanOrEqual(seconds)
          expect(rotated.previous_secret_until?.epochMillis).toBe(Date.parse(String(row.previous_secret_until)))
        }
        old = rotated.client_secret
      }
    })
  )

  it.effect("refuses an overlap that is no whole number of seconds within a week", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const { agents } = yield* client(api_key)
      const { id } = yield* agents.create({ payload: named("rotated") })
      for (const overlap of [-1, 604_801, 1.5, "60", null]) {
        const answer = yield* request(`/v1/agents/${id}/rotate-secret`, {
          api_key,
          method: "POST",
          body: JSON.stringify({ overlap })
        })
        expect(answer.status, String(overlap)).toBe(422)
      }
      expect((yield* stored(id)).previous_secret_hash).toBeNull()
    })
  )

  it.effect("is shown by who asks about themselves with its key", () =>
    Effect.gen(function* () {
      const { api_key, org_id } = yield* organization()
      const { agent, made } = yield* agentWithKey(api_key, ["users:read", "organizations:read"])
      expect(made).toMatchObject({ user_id: null, agent_id: agent.id, scopes: ["users:read", "organizations:read"] })
      const { users, organizations } = yield* client(made.key)
      expect(yield* users.me()).toMatchObject({
        user: null,
        agent: { id: agent.id, client_id: agent.client_id },
        org_id,
        role: null,
        scopes: ["organizations:read", "users:read"],
        organizations: []
      })
      expect((yield* organizations.list({ urlParams: { limit: 10 } })).items).toEqual([])
    })
  )

  it.effect("ends with its keys at once when it is disabled or deleted", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const { agents, api_keys } = yield* client(api_key)
      const { path, made } = yield* agentWithKey(api_key, ["users:read"])
      expect(yield* status(made.key)).toBe(200)
      yield* agents.update({ path, payload: { status: "disabled" } })
      expect(yield* status(made.key)).toBe(401)
      yield* agents.update({ path, payload: { status: "active" } })
      expect(yield* status(made.key)).toBe(200)
      yield* agents.delete({ path })
      expect(yield* status(made.key)).toBe(401)
      expect(yield* Effect.flip(api_keys.get({ path: { id: made.id } }))).toMatchObject({ _tag: "NotFound" })
    })
  )

  it.effect("that another node disabled ends within five seconds", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { agent, made } = yield* agentWithKey((yield* organization()).api_key, ["users:read"])
      expect(yield* status(made.key)).toBe(200)
      yield* sql`update agents set status = 'disabled' where id = ${agent.id}`
      yield* TestClock.adjust("5 seconds")
      expect(yield* status(made.key)).toBe(401)
    })
  )

  it.effect("takes from its keys at once what is taken from it", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const { agents } = yield* client(api_key)
      const { path, made } = yield* agentWithKey(api_key, ["users:read", "suites:read"])
      const its = yield* client(made.key)
      expect((yield* its.suites.list({ urlParams: { limit: 1 } })).items).toEqual([])
      yield* agents.update({ path, payload: { scopes: ["users:read"] } })
      expect((yield* its.users.me()).scopes).toEqual(["users:read"])
      expect(yield* Effect.flip(its.suites.list({ urlParams: { limit: 1 } }))).toMatchObject({ _tag: "Forbidden" })
    })
  )

  it.effect("was last seen when its key was", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const { agents } = yield* client(api_key)
      const { path, made } = yield* agentWithKey(api_key, ["users:read"])
      const now = yield* Clock.currentTimeMillis
      yield* status(made.key)
      yield* TestClock.adjust("10 seconds")
      const seen = yield* eventually(agents.get({ path }), ({ last_seen_at }) => last_seen_at !== null)
      expect(seen.last_seen_at?.epochMillis).toBe(now)
    })
  )
})

layer(TestServer.layer())("a key of an agent", (it) => {
  it.effect("is made by owners and admins alone, within what they and the agent hold", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const { agents } = yield* client(owner.api_key)
      const agent = yield* agents.create({ payload: named("agent", ["suites:read", "sessions:read"]) })
      const asked = (
        api_key: string,
        payload: { readonly scopes?: ReadonlyArray<Scope>; readonly agent_id?: AgentId }
      ) =>
        Effect.flatMap(client(api_key), ({ api_keys }) =>
          api_keys.create({ payload: { name: "key", agent_id: agent.id, ...payload } })
        )
      const admin = yield* member(owner.org_id, { role: "admin" })
      expect((yield* asked(admin.api_key, {})).scopes).toEqual(["suites:read", "sessions:read"])
      expect((yield* asked(admin.api_key, { scopes: ["suites:read"] })).scopes).toEqual(["suites:read"])
      const some = yield* key(owner, { scopes: ["keys:manage", "suites:read"] })
      expect((yield* asked(some.api_key, {})).scopes).toEqual(["suites:read"])
      const refusals = [
        [(yield* member(owner.org_id, { role: "member" })).api_key, {}, "only owners and admins make keys of agents"],
        [some.api_key, { scopes: ["sessions:read"] }, "you do not hold sessions:read yourself"],
        [admin.api_key, { scopes: ["users:read"] }, "the agent does not hold users:read"],
        [owner.api_key, { scopes: ["*"] }, "the agent does not hold *"],
        [(yield* key(owner, { scopes: ["keys:manage"] })).api_key, {}, "you hold none of the agent's scopes yourself"]
      ] as const
      for (const [api_key, payload, detail] of refusals) {
        expect(yield* Effect.flip(asked(api_key, payload))).toMatchObject({ _tag: "Forbidden", detail })
      }
      const missing = AgentId.make(Bun.randomUUIDv7())
      expect(yield* Effect.flip(asked(owner.api_key, { agent_id: missing }))).toMatchObject({
        _tag: "NotFound",
        detail: `there is no agent ${missing}`
      })
    })
  )

  it.effect("manages itself and its agent's others, and no more", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const first = yield* agentWithKey(owner.api_key, ["keys:manage", "users:write", "organizations:write"])
      const second = yield* agentWithKey(owner.api_key, ["keys:manage"])
      const its = yield* client(first.made.key)
      expect((yield* its.api_keys.list({ urlParams: { limit: 100 } })).items.map(({ id }) => id)).toEqual([
        first.made.id
      ])
      expect(yield* Effect.flip(its.api_keys.revoke({ path: { id: second.made.id } }))).toMatchObject({
        _tag: "NotFound"
      })
      const refusals = [
        Effect.flip(its.api_keys.create({ payload: { name: "more" } })),
        Effect.flip(its.users.create({ payload: { display_name: "Somebody", role: "viewer" } })),
        Effect.flip(its.invitations.create({ payload: { email: "a@example.org", role: "viewer", expires_in: 3600 } })),
        Effect.flip(its.organizations.create({ payload: { slug: "agents", name: "Agents" } }))
      ]
      for (const refused of refusals) expect(yield* refused).toMatchObject({ _tag: "Forbidden" })
    })
  )

  it.effect("records as the agent, and is restricted to suites as any other", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const owner = yield* organization()
      const { agents, api_keys, suites } = yield* client(owner.api_key)
      const suite = (name: string) => suites.create({ payload: { name, description: "", version: "", base_url: null } })
      const [here, there] = [yield* suite("here"), yield* suite("there")]
      const agent = yield* agents.create({ payload: named("agent", ["suites:read", "suites:write"]) })
      const { key: secret } = yield* api_keys.create({
        payload: { name: "key", agent_id: agent.id, suite_ids: [SuiteId.make(here.id)] }
      })
      const its = yield* client(secret)
      yield* its.suites.update({ path: { id: here.id }, payload: { description: "by an agent" } })
      expect(yield* Effect.flip(its.suites.get({ path: { id: there.id } }))).toMatchObject({ _tag: "NotFound" })
      const entries = yield* sql<{ actor: string }>`
        select actor from audit_entries where action = 'suite.update' and resource = ${`suite/${here.id}`}`
      expect(entries).toEqual([{ actor: `agent/${agent.id}` }])
    })
  )
})
