import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { CreateExample } from "../../src/domain/example/Example.ts"
import type { CreateModel } from "../../src/domain/example/Model.ts"
import type { SessionId } from "../../src/domain/Ids.ts"
import { customerSuite, customers, finished, messagesOf, recorded } from "../support/Customers.ts"
import { type LlmCall, type LlmServer, llmKey, llmServer, llmUsage } from "../support/LlmServer.ts"
import { client, TestServer } from "../support/TestServer.ts"

class Provider extends Context.Tag("test/Provider")<Provider, LlmServer>() {}

/** A service whose provider is the fake. */
const scene = (name: string, path: string, environment: Readonly<Record<string, string>> = {}) =>
  Layer.unwrapScoped(
    Effect.map(llmServer, (server) =>
      Layer.merge(
        TestServer.layer({
          LLM_PROVIDER: name,
          LLM_BASE_URL: `${server.origin}${path}`,
          LLM_API_KEY: llmKey,
          ...environment
        }),
        Layer.succeed(Provider, server)
      )
    )
  )

type ShownEpisode = {
  readonly n: number
  readonly type: string
  readonly value?: string
  readonly target?: { name: string }
}

const episodesOf = ({ user }: LlmCall): ReadonlyArray<ShownEpisode> =>
  user
    .split("\n")
    .filter((line) => line.startsWith('{"n":'))
    .map((line) => JSON.parse(line))

/** What a model that reads carefully answers: one customer for each button that was clicked. */
const careful = (call: LlmCall) => {
  const episodes = episodesOf(call)
  const value = (n: number, name: string) =>
    episodes.findLast((episode) => episode.n < n && episode.n > n - 5 && episode.target?.name === name)?.value ?? ""
  return {
    intent: "Add the customers",
    actions: episodes
      .filter(({ type }) => type === "click" || type === "submit")
      .map(({ n }) => ({
        action: "create_customer",
        parameters: [
          { name: "full_name", value: value(n, "Full name") },
          { name: "email", value: value(n, "E-mail") },
          { name: "age", value: value(n, "Age") }
        ],
        first: Math.max(n - 4, episodes[0]?.n ?? n),
        last: n,
        confidence: 0.9
      }))
  }
}

const model = (wanted: Pick<CreateModel, "provider"> & Partial<CreateModel>) =>
  Effect.gen(function* () {
    const api = yield* client()
    const payload = {
      name: `model-${crypto.randomUUID()}`,
      base_url: null,
      input_price: 2,
      output_price: 8,
      context_window: null
    }
    return yield* api.models.create({ payload: { ...payload, ...wanted } })
  })

const make = (session_id: SessionId, model_id: CreateExample["model_id"], model_configuration = {}) =>
  Effect.flatMap(client(), (api) =>
    api.examples.create({ payload: { session_id, model_id, model_configuration, range: null } })
  )

layer(scene("custom", "/v1"), { excludeTestServices: true })("examples by a server of /chat/completions", (it) => {
  it.effect("a browser recording becomes a conversation, with its tokens and cost", () =>
    Effect.gen(function* () {
      const server = yield* Provider
      server.reply = (call) => ({ object: careful(call) })
      const suite_id = yield* customerSuite("Plain")
      const session_id = yield* recorded(suite_id, customers(1))
      const { id: model_id, name } = yield* model({ provider: "CUSTOM" })
      const example = yield* Effect.flatMap(make(session_id, model_id), ({ id }) => finished(id))
      expect(example).toMatchObject({
        status: "COMPLETED",
        model: `CUSTOM/${name}`,
        error_message: null,
        confidence: 0.9,
        ...llmUsage,
        cost: (llmUsage.tokens_in * 2 + llmUsage.tokens_out * 8) / 1e6
      })
      const messages = yield* messagesOf(example.id)
      expect(messages[1]).toEqual({ role: "user", content: "Add the customers" })
      expect(messages[2].tool_calls[0].function.name).toBe("create_customer")
      expect(JSON.parse(messages[2].tool_calls[0].function.arguments)).toEqual({
        full_name: "Customer 0",
        email: "customer0@example.org",
        age: 20
      })
      const [call] = server.calls
      expect(call?.body).toMatchObject({ model: name, temperature: 0 })
      expect(JSON.stringify(call?.schema)).toContain('"enum":["create_customer","delete_invoice"]')
    })
  )
})
