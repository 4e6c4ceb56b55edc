import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { client, request, TestServer } from "../support/TestServer.ts"

layer(TestServer.layer())("suites", (it) => {
  it.effect("a suite is made, read, changed, listed and deleted", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const made = yield* suites.create({
        payload: { name: "Shop", description: "", version: "", base_url: "https://shop.example" }
      })
      expect(yield* suites.get({ path: { id: made.id } })).toEqual(made)
      const changed = yield* suites.update({ path: { id: made.id }, payload: { description: "sells things" } })
      expect(changed.description).toBe("sells things")
      const { items } = yield* suites.list({ urlParams: { limit: 20 } })
      expect(items.map(({ id }) => id)).toContain(made.id)
      yield* suites.delete({ path: { id: made.id } })
      const gone = yield* Effect.flip(suites.get({ path: { id: made.id } }))
      expect(gone._tag).toBe("NotFound")
    })
  )

  it.effect("a second suite of the same name is a conflict that names it", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const payload = { name: "Twice", description: "", version: "", base_url: null }
      yield* suites.create({ payload })
      expect(yield* Effect.flip(suites.create({ payload }))).toMatchObject({ _tag: "SuiteNameTaken", name: "Twice" })
    })
  )

  it.effect("a body that is not JSON is a 400 that says why", () =>
    Effect.gen(function* () {
      const response = yield* request("/v1/suites", {
        method: "POST",
        body: "{",
        headers: { "content-type": "application/json" }
      })
      expect(response.status).toBe(400)
      expect(yield* Effect.promise(() => response.json())).toMatchObject({ code: "bad_request", _tag: "BadRequest" })
    })
  )
})
