import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { client, request, TestServer } from "../support/TestServer.ts"

const payload = {
  provider: "OPENAI" as const,
  name: "gpt-5",
  base_url: null,
  input_price: 1.25,
  output_price: 10,
  context_window: 400_000
}

layer(TestServer.layer())("models", (it) => {
  it.effect("those that ship with the product are there, and are nobody's to change", () =>
    Effect.gen(function* () {
      const { models } = yield* client()
      const { items } = yield* models.list({ urlParams: { limit: 20, provider: "BUILTIN" } })
      expect(items.map(({ name, shipped }) => [name, shipped]).sort()).toEqual([
        ["lexical", true],
        ["offline", true]
      ])
      for (const { id } of items) {
        const path = { id }
        expect(yield* models.get({ path })).toMatchObject({ input_price: 0 })
        expect(yield* Effect.flip(models.update({ path, payload: { name: "x" } }))).toMatchObject({
          _tag: "ModelShipped"
        })
        expect(yield* Effect.flip(models.delete({ path }))).toMatchObject({ _tag: "ModelShipped" })
      }
    })
  )

  it.effect("a model is made, read, changed, listed and deleted", () =>
    Effect.gen(function* () {
      const { models } = yield* client()
      const made = yield* models.create({ payload })
      expect(made).toMatchObject({ ...payload, shipped: false })
      const path = { id: made.id }
      const changed = yield* models.update({ path, payload: { input_price: 0.1, output_price: null } })
      expect(changed).toMatchObject({ input_price: 0.1, output_price: null, name: "gpt-5" })
      expect(yield* models.get({ path })).toEqual(changed)
      const { items } = yield* models.list({ urlParams: { limit: 20, q: "openai/GPT" } })
      expect(items).toEqual([changed])
      expect(yield* Effect.flip(models.create({ payload }))).toMatchObject({ _tag: "ModelNameTaken" })
      yield* models.delete({ path })
      expect((yield* Effect.flip(models.get({ path })))._tag).toBe("NotFound")
    })
  )

  it.effect.each([
    [{ provider: "BUILTIN" }, "provider"],
    [{ input_price: -1 }, "input_price"],
    [{ context_window: 0.5 }, "context_window"],
    [{ base_url: "https://me:pw@api.example" }, "base_url"]
  ] as const)("%j is a 422", ([wrong, path]) =>
    Effect.gen(function* () {
      const response = yield* request("/v1/models", {
        method: "POST",
        body: JSON.stringify({ ...payload, ...wrong }),
        headers: { "content-type": "application/json" }
      })
      expect(response.status).toBe(422)
      const { errors } = yield* Effect.promise(() => response.json())
      expect(new Set(errors.map((issue: { path: string }) => issue.path))).toEqual(new Set([path]))
    })
  )
})
