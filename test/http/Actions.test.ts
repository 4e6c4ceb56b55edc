import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { client, request, TestServer } from "../support/TestServer.ts"

const email = [
  { name: "to", type: "STRING" as const, required: true, description: "the recipient" },
  { name: "attachments", type: "ARRAY" as const, required: false, description: "" }
]

const suite = (name: string) =>
  Effect.flatMap(client(), ({ suites }) =>
    suites.create({ payload: { name, description: "", version: "", base_url: null } })
  )

const audited = (resource: string) =>
  Effect.flatMap(TestServer, ({ sql }) =>
    Effect.map(
      sql<{ action: string }>`select action from audit_entries where resource = ${resource} order by at, id`,
      (rows) => rows.map(({ action }) => action)
    )
  )

layer(TestServer.layer())("actions", (it) => {
  it.effect("an action is made, read, changed, listed and deleted, with its parameters in order", () =>
    Effect.gen(function* () {
      const { actions } = yield* client()
      const { id: suite_id } = yield* suite("Mail")
      const made = yield* actions.create({
        path: { suite_id },
        payload: { name: "send_email", description: "sends it", parameters: email }
      })
      expect(made.parameters).toMatchObject(email)
      const path = { suite_id, id: made.id }
      expect(yield* actions.get({ path })).toEqual(made)
      const changed = yield* actions.update({ path, payload: { parameters: email.toReversed() } })
      expect(changed.parameters.map(({ name }) => name)).toEqual(["attachments", "to"])
      expect(changed.description).toBe("sends it")
      const { items } = yield* actions.list({ path: { suite_id }, urlParams: { limit: 20, q: "SEND" } })
      expect(items).toEqual([changed])
      yield* actions.delete({ path })
      expect((yield* Effect.flip(actions.get({ path })))._tag).toBe("NotFound")
      expect(yield* audited(`action/${made.id}`)).toEqual(["action.create", "action.update", "action.delete"])
    })
  )

  it.effect("names are unique in a suite, and free in another", () =>
    Effect.gen(function* () {
      const { actions } = yield* client()
      const [one, two] = [yield* suite("One"), yield* suite("Two")]
      const payload = { name: "open", description: "", parameters: [] }
      yield* actions.create({ path: { suite_id: one.id }, payload })
      yield* actions.create({ path: { suite_id: two.id }, payload })
      const failure = yield* Effect.flip(actions.create({ path: { suite_id: one.id }, payload }))
      expect(failure).toMatchObject({ _tag: "ActionNameTaken", name: "open" })
    })
  )

  it.effect("an action is not found under another suite", () =>
    Effect.gen(function* () {
      const { actions } = yield* client()
      const [here, there] = [yield* suite("Here"), yield* suite("There")]
      const payload = { name: "open", description: "", parameters: [] }
      const { id } = yield* actions.create({ path: { suite_id: here.id }, payload })
      const path = { suite_id: there.id, id }
      expect((yield* Effect.flip(actions.get({ path })))._tag).toBe("NotFound")
      expect((yield* Effect.flip(actions.update({ path, payload: { name: "x" } })))._tag).toBe("NotFound")
      expect((yield* Effect.flip(actions.delete({ path })))._tag).toBe("NotFound")
    })
  )

  it.effect("a parameter named twice is a 422 that says where", () =>
    Effect.gen(function* () {
      const { id } = yield* suite("Twice named")
      const parameter = { name: "to", type: "STRING" }
      const response = yield* request(`/v1/suites/${id}/actions`, {
        method: "POST",
        body: JSON.stringify({ name: "send", parameters: [parameter, parameter] }),
        headers: { "content-type": "application/json" }
      })
      expect(response.status).toBe(422)
      expect(yield* Effect.promise(() => response.json())).toMatchObject({ errors: [{ path: "parameters.1.name" }] })
    })
  )

  it.effect("deleting a suite deletes its actions", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { actions, suites } = yield* client()
      const { id } = yield* suite("Short-lived")
      yield* actions.create({ path: { suite_id: id }, payload: { name: "a", description: "", parameters: email } })
      yield* suites.delete({ path: { id } })
      expect(yield* sql`select 1 from actions where suite_id = ${id}`).toEqual([])
    })
  )
})

layer(TestServer.layer())("PUT /v1/suites", (it) => {
  const wanted = {
    name: "Gmail",
    description: "mail",
    version: "1",
    base_url: null,
    actions: [
      { name: "send", description: "sends", parameters: email },
      { name: "archive", description: "", parameters: [] }
    ]
  }
  const put = (body: unknown) =>
    request("/v1/suites", {
      method: "PUT",
      body: JSON.stringify(body),
      headers: { "content-type": "application/json" }
    })

  it.effect("makes a suite with its actions, once", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const first = yield* put(wanted)
      expect(first.status).toBe(201)
      const made = yield* Effect.promise(() => first.json())
      expect(made).toMatchObject({ ...wanted, change: "created" })
      const rows = sql`select (select json_agg(s order by id) from suites s) as suites,
        (select json_agg(a order by id) from actions a) as actions,
        (select json_agg(p order by id) from action_parameters p) as parameters`
      const before = yield* rows
      const again = yield* put(wanted)
      expect(again.status).toBe(200)
      expect(yield* Effect.promise(() => again.json())).toEqual({ ...made, change: "unchanged" })
      expect(yield* rows).toEqual(before)
      expect(yield* audited(`suite/${made.id}`)).toEqual(["suite.create"])
    })
  )

  it.effect("makes the actions equal the body, and keeps the ids of those that stay", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const before = yield* suites.put({ payload: wanted })
      const [send] = before.actions
      const after = yield* suites.put({
        payload: {
          ...wanted,
          description: "post",
          actions: [
            { name: "send", description: "sends", parameters: email.slice(0, 1) },
            { name: "star", description: "", parameters: [] }
          ]
        }
      })
      expect(after).toMatchObject({ id: before.id, description: "post", change: "updated" })
      expect(after.actions.map(({ name }) => name)).toEqual(["send", "star"])
      expect(after.actions[0]).toMatchObject({ id: send?.id, parameters: email.slice(0, 1) })
      expect(yield* audited(`suite/${before.id}`)).toEqual(["suite.create", "suite.update"])
    })
  )

  it.effect("of two that make the same suite at once, both succeed and one has made it", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const results = yield* Effect.all(
        Array.from({ length: 6 }, () => suites.put({ payload: { ...wanted, name: "Raced" } })),
        { concurrency: "unbounded" }
      )
      expect(new Set(results.map(({ id }) => id)).size).toBe(1)
      expect(results.filter(({ change }) => change === "created")).toHaveLength(1)
      expect(results.filter(({ change }) => change === "unchanged")).toHaveLength(5)
    })
  )

  it.effect("a key that is restricted to some suites can put those and make no others", () =>
    Effect.gen(function* () {
      const { api_keys, suites } = yield* client()
      const { id } = yield* suites.put({ payload: { ...wanted, name: "Mine" } })
      const { key } = yield* api_keys.create({ payload: { name: "restricted", suite_ids: [id] } })
      const restricted = yield* client(key)
      const changed = yield* restricted.suites.put({ payload: { ...wanted, name: "Mine", actions: [] } })
      expect(changed.actions).toEqual([])
      const refused = yield* Effect.flip(restricted.suites.put({ payload: { ...wanted, name: "Gmail" } }))
      expect(refused._tag).toBe("Forbidden")
    })
  )
})
