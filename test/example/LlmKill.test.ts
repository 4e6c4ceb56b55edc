import { SqlClient } from "@effect/sql"
import { PgClient } from "@effect/sql-pg"
import { expect, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import { careful } from "../support/CarefulModel.ts"
import { childService } from "../support/ChildService.ts"
import { customerSuite, customers, finished, messagesOf, recorded } from "../support/Customers.ts"
import { eventually } from "../support/Eventually.ts"
import { llmKey, llmServer, llmUsage } from "../support/LlmServer.ts"
import { client, TestServer } from "../support/TestServer.ts"

it.scopedLive.each(["SIGKILL", "SIGTERM"] as const)(
  "a service that gets a %s while a model answers goes on with the window it was at, and asks for no other again",
  (signal) =>
    Effect.gen(function* () {
      const server = yield* llmServer
      const service = yield* childService({
        environment: { LLM_PROVIDER: "custom", LLM_BASE_URL: `${server.origin}/v1`, LLM_API_KEY: llmKey }
      })
      const scene = Layer.effect(
        TestServer,
        Effect.map(SqlClient.SqlClient, (sql) => ({
          base_url: service.base_url,
          api_key: service.api_key,
          data_dir: service.data_dir,
          sql
        }))
      ).pipe(Layer.provide(PgClient.layer({ url: Redacted.make(service.database.app) })))

      yield* Effect.gen(function* () {
        const api = yield* client()
        const suite_id = yield* customerSuite("Killed")
        const session_id = yield* recorded(suite_id, customers(60))
        const { id: model_id } = yield* api.models.create({
          payload: {
            provider: "CUSTOM",
            name: "some-model",
            base_url: null,
            input_price: 1,
            output_price: 1,
            context_window: null
          }
        })
        // The second window is never answered.
        server.reply = (call, at) => (at === 0 ? { object: careful(call) } : { hang: true })
        const { id } = yield* api.examples.create({
          payload: { session_id, model_id, model_configuration: {}, range: null }
        })
        yield* eventually(
          Effect.sync(() => server.calls.length),
          (calls) => calls === 2
        )
        yield* service.end(signal)
        server.reply = (call) => ({ object: careful(call) })
        yield* service.start
        const example = yield* finished(id)
        expect(example).toMatchObject({ status: "COMPLETED", attempts: 1, tokens_in: 3 * llmUsage.tokens_in })
        const asked = server.calls.map(({ user }) => user)
        expect(asked).toHaveLength(4)
        // Of the same window the same is asked: the answer before it was kept as it came.
        expect(asked[2]).toBe(asked[1])
        expect(new Set(asked).size).toBe(3)
        const messages = yield* messagesOf(id)
        expect(messages.filter(({ tool_calls }) => tool_calls !== undefined)).toHaveLength(60)
      }).pipe(Effect.provide(scene))
    }),
  120_000
)
