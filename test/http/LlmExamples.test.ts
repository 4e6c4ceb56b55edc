import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import type { CreateExample, Example } from "../../src/domain/example/Example.ts"
import type { CreateModel } from "../../src/domain/example/Model.ts"
import type { SessionId } from "../../src/domain/Ids.ts"
import { careful, episodesOf } from "../support/CarefulModel.ts"
import {
  customerSuite,
  customers,
  finished,
  lexical,
  messagesOf,
  recorded,
  secretCustomer,
  secrets
} from "../support/Customers.ts"
import { eventually } from "../support/Eventually.ts"
import { type LlmCall, type LlmReply, type LlmServer, llmKey, llmServer, llmUsage } from "../support/LlmServer.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

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

const customersMade = (id: Example["id"]) =>
  Effect.map(messagesOf(id), (messages) =>
    messages.flatMap(({ tool_calls = [] }) =>
      tool_calls.map((call: { readonly function: { readonly arguments: string } }) =>
        JSON.parse(call.function.arguments)
      )
    )
  )

const make = (session_id: SessionId, model_id: CreateExample["model_id"], model_configuration = {}) =>
  Effect.flatMap(client(), (api) =>
    api.examples.create({ payload: { session_id, model_id, model_configuration, range: null } })
  )

const completes = (provider: CreateModel["provider"]) =>
  Effect.gen(function* () {
    const server = yield* Provider
    server.reply = (call) => ({ object: careful(call) })
    const suite_id = yield* customerSuite("Happy")
    const session_id = yield* recorded(suite_id, customers(1))
    const { id: model_id, name } = yield* model({ provider })
    const example = yield* Effect.flatMap(make(session_id, model_id), ({ id }) => finished(id))
    expect(example).toMatchObject({
      status: "COMPLETED",
      model: `${provider}/${name}`,
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
    expect(JSON.stringify(call?.schema)).toContain('"enum":["create_customer","delete_invoice"]')
    expect(call?.text).toContain('"temperature":0')
    expect(server.calls).toHaveLength(1)
    const response = yield* request("/metrics")
    const metrics = yield* Effect.promise(() => response.text())
    expect(metrics).toContain(`tracepipe_llm_tokens_total{provider="${provider}",direction="in"} ${llmUsage.tokens_in}`)
    expect(metrics).toContain(`tracepipe_llm_cost_total{provider="${provider}"} ${example.cost}`)
  })

for (const [provider, path, spoken] of [
  ["CUSTOM", "/v1", /^\/v1\/chat\/completions$/],
  ["AZURE", "/openai/v1?api-version=preview", /^\/openai\/v1\/chat\/completions$/],
  ["OPENAI", "/v1", /^\/v1\/responses$/],
  ["ANTHROPIC", "", /^\/v1\/messages$/],
  ["GOOGLE", "/v1beta", /^\/v1beta\/models\/.*:generateContent$/]
] as const) {
  layer(scene(provider.toLowerCase(), path), { excludeTestServices: true })(`examples by ${provider}`, (it) => {
    it.effect("a browser recording becomes a conversation, with its tokens and cost", () =>
      Effect.gen(function* () {
        yield* completes(provider)
        const server = yield* Provider
        expect(server.calls[0]?.path).toMatch(spoken)
      })
    )
  })
}

const impatient = { LLM_TIMEOUT: "2 s", LLM_RETRY_FOR: "2 s", LLM_CONCURRENCY: "2", REDACT_PATTERNS: "PATIENT-\\d+" }

layer(scene("custom", "/v1", impatient), { excludeTestServices: true })("a model that recognises actions", (it) => {
  /** A session of so many customers, and a server that has forgotten what was asked before. */
  const given = (inputs: string, description = "") =>
    Effect.gen(function* () {
      const server = yield* Provider
      server.calls.length = 0
      server.reply = (call) => ({ object: careful(call) })
      const suite_id = yield* customerSuite(`Suite ${crypto.randomUUID()}`)
      const session_id = yield* recorded(suite_id, inputs, description)
      return { server, suite_id, session_id }
    })

  const made = (session_id: SessionId, wanted: Partial<CreateModel> = {}, configuration = {}) =>
    Effect.gen(function* () {
      const { id } = yield* model({ provider: "CUSTOM", ...wanted })
      const example = yield* make(session_id, id, configuration)
      return yield* finished(example.id)
    })

  /** What the model answers when it answers with one customer and this of it changed. */
  const customer = (call: LlmCall, change: object): LlmReply => {
    const { intent, actions } = careful(call)
    return { object: { intent, actions: actions.map((action) => ({ ...action, ...change })) } }
  }
  const invented = (call: LlmCall) => customer(call, { action: "launch_rocket" })

  it.effect("is asked once more when it invents an action, and told what was wrong", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      server.reply = (call, at) => (at === 0 ? invented(call) : { object: careful(call) })
      const example = yield* made(session_id)
      expect(example).toMatchObject({ status: "COMPLETED", tokens_in: 2 * llmUsage.tokens_in, error_code: null })
      expect(server.calls).toHaveLength(2)
      expect(server.calls[1]?.user).toContain("launch_rocket")
      expect(yield* customersMade(example.id)).toHaveLength(1)
    })
  )

  for (const [what, reply] of [
    ["invents actions", invented],
    ["answers nothing", () => ({ empty: true })],
    ["answers no JSON", () => ({ text: "A customer was created." })]
  ] as const satisfies ReadonlyArray<readonly [string, (call: LlmCall) => LlmReply]>) {
    it.effect(`fails the example when it ${what} twice, whose tokens are counted all the same`, () =>
      Effect.gen(function* () {
        const { server, session_id } = yield* given(customers(1))
        server.reply = reply
        const example = yield* made(session_id)
        expect(example).toMatchObject({
          status: "FAILED",
          error_code: "invalid_model_output",
          tokens_in: 2 * llmUsage.tokens_in,
          tokens_out: 2 * llmUsage.tokens_out
        })
        expect(example.error_message).toContain("choose a model")
        expect(server.calls).toHaveLength(2)
      })
    )
  }

  it.effect("has its values held against their types: what does not fit is dropped, with less confidence", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      const parameters = [
        { name: "full_name", value: "Customer 0" },
        { name: "email", value: "customer0@example.org" },
        { name: "age", value: "quite old" }
      ]
      server.reply = (call) => customer(call, { parameters })
      const example = yield* made(session_id)
      expect(example).toMatchObject({ status: "COMPLETED", confidence: 0.72 })
      expect(server.calls).toHaveLength(1)
      expect(yield* customersMade(example.id)).toEqual([{ full_name: "Customer 0", email: "customer0@example.org" }])
    })
  )

  it.effect("is asked once more for a parameter that the action does not have, which is then dropped", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      const parameters = [
        { name: "full_name", value: "Customer 0" },
        { name: "shoe_size", value: "43" }
      ]
      server.reply = (call) => customer(call, { parameters })
      const example = yield* made(session_id)
      expect(server.calls).toHaveLength(2)
      expect(server.calls[1]?.user).toContain("shoe_size")
      expect(yield* customersMade(example.id)).toEqual([{ full_name: "Customer 0" }])
      // A required one is missing, too.
      expect(example.confidence).toBe(0.612)
    })
  )

  it.effect("whose provider is away fails the example; a retry completes it", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      server.reply = () => ({ status: 500, message: "oh" })
      const failed = yield* made(session_id)
      expect(failed).toMatchObject({ status: "FAILED", error_code: "provider_unavailable", tokens_in: null })
      expect(failed.error_message).toContain("retry later")
      server.reply = (call) => ({ object: careful(call) })
      const api = yield* client()
      yield* api.examples.retry({ path: { id: failed.id } })
      expect(yield* finished(failed.id)).toMatchObject({
        status: "COMPLETED",
        attempts: 2,
        ...llmUsage,
        error_code: null
      })
    })
  )

  it.effect("that was deleted before a retry says so", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      server.reply = () => ({ status: 400, message: "no" })
      const failed = yield* made(session_id)
      expect(failed).toMatchObject({ status: "FAILED", error_code: "provider_rejected_request" })
      const api = yield* client()
      yield* api.models.delete({ path: { id: failed.model_id! } })
      yield* api.examples.retry({ path: { id: failed.id } })
      expect(yield* finished(failed.id)).toMatchObject({ status: "FAILED", error_code: "model_deleted", attempts: 2 })
    })
  )

  it.effect("whose provider refuses the key fails the example at once, without the key", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      server.reply = () => ({ status: 401, message: `Incorrect API key: ${llmKey}` })
      const failed = yield* made(session_id)
      expect(failed).toMatchObject({ status: "FAILED", error_code: "provider_refused_key" })
      expect(failed.error_message).not.toContain(llmKey)
      expect(server.calls).toHaveLength(1)
    })
  )

  it.effect("that has no key, no address, or wrong settings is refused before anything is made", () =>
    Effect.gen(function* () {
      const { session_id } = yield* given(customers(1))
      const refused = (wanted: Partial<CreateModel> & Pick<CreateModel, "provider">, configuration = {}) =>
        Effect.flatMap(model(wanted), ({ id }) => Effect.flip(make(session_id, id, configuration)))
      const keyless = yield* refused({ provider: "OPENAI" })
      expect(keyless).toMatchObject({ _tag: "ValidationError", errors: [{ path: "model_id" }] })
      expect(keyless.message).toContain("OPENAI_API_KEY")
      expect((yield* refused({ provider: "AZURE" })).message).toContain("LLM_BASE_URL")
      const elsewhere = { provider: "CUSTOM", base_url: "https://elsewhere.example/v1" } as const
      expect((yield* refused(elsewhere)).message).toContain("ALLOWED_EGRESS_HOSTS")
      const hot = yield* refused({ provider: "CUSTOM" }, { temperature: "hot" })
      expect(hot).toMatchObject({ errors: [{ path: "model_configuration.temperature" }] })
      const api = yield* client()
      expect((yield* api.examples.list({ urlParams: { limit: 20, session_id } })).items).toEqual([])
    })
  )

  it.effect("sees nothing that is redacted", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(secretCustomer, `For ${secrets.own}, paid with ${secrets.card}`)
      const example = yield* made(session_id)
      expect(example.status).toBe("COMPLETED")
      const sent = server.calls.map(({ text }) => text).join("")
      expect(sent).toContain("Customer 0")
      expect(sent).toContain("[redacted]")
      expect(sent).toContain("The person said about the recording")
      for (const secret of [...Object.values(secrets), "4111", "4711"]) expect(sent).not.toContain(secret)
    })
  )

  it.effect("says what the person wanted, where the session does not", () =>
    Effect.gen(function* () {
      const { session_id } = yield* given(customers(1), "Make a customer of Ada")
      const told = yield* made(session_id)
      expect((yield* messagesOf(told.id))[1].content).toBe("Make a customer of Ada")
    })
  )

  it.effect("sees a long recording in windows, and what two of them show is one action", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(60))
      const example = yield* made(session_id)
      expect(example).toMatchObject({ status: "COMPLETED", error_message: null })
      const shown = server.calls.map((call) => episodesOf(call).map(({ n }) => n))
      expect(shown.length).toBeGreaterThan(2)
      for (const [at, window] of shown.slice(1).entries()) expect(window[0]).toBeLessThanOrEqual(shown[at]?.at(-1) ?? 0)
      expect(new Set(shown.flat()).size).toBe(300)
      expect(example.tokens_in).toBe(shown.length * llmUsage.tokens_in)
      expect(yield* customersMade(example.id)).toEqual(
        Array.from({ length: 60 }, (_, n) => ({
          full_name: `Customer ${n}`,
          email: `customer${n}@example.org`,
          age: 20 + (n % 50)
        }))
      )
    })
  )

  it.effect("is not asked about a recording that is too long for one example", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1200))
      expect(yield* made(session_id)).toMatchObject({ status: "FAILED", error_code: "too_long" })
      expect(server.calls).toHaveLength(0)
    })
  )

  it.effect("sees smaller windows where its context is smaller", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(20))
      const example = yield* made(session_id, { context_window: 5000 })
      expect(example.status).toBe("COMPLETED")
      expect(server.calls.length).toBeGreaterThan(2)
      expect(yield* customersMade(example.id)).toHaveLength(20)
      expect(yield* made(session_id, { context_window: 1000 })).toMatchObject({
        status: "FAILED",
        error_code: "context_window_too_small"
      })
    })
  )

  it.effect("is not asked again for the windows that it answered, when a later one failed", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(60))
      server.reply = (call) =>
        call.user.includes("Customer 59") ? { status: 400, message: "no" } : { object: careful(call) }
      const failed = yield* made(session_id)
      expect(failed).toMatchObject({ status: "FAILED", error_code: "provider_rejected_request" })
      const before = server.calls.length
      const { sql } = yield* TestServer
      const kept = Effect.map(
        Effect.orDie(sql`select 1 from example_answers where example_id = ${failed.id}`),
        (rows) => rows.length
      )
      expect(yield* kept).toBe(before - 1)
      expect(failed.tokens_in).toBe((before - 1) * llmUsage.tokens_in)
      server.reply = (call) => ({ object: careful(call) })
      const api = yield* client()
      yield* api.examples.retry({ path: { id: failed.id } })
      expect(yield* finished(failed.id)).toMatchObject({ status: "COMPLETED", tokens_in: before * llmUsage.tokens_in })
      expect(server.calls).toHaveLength(before + 1)
      expect(yield* customersMade(failed.id)).toHaveLength(60)
      expect(yield* kept).toBe(0)
    })
  )

  it.effect("ends with a cancelled example before the next window", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(60))
      const api = yield* client()
      const { id: model_id } = yield* model({ provider: "CUSTOM" })
      const held = Promise.withResolvers<void>()
      server.reply = async (call) => {
        await held.promise
        return { object: careful(call) }
      }
      const { id } = yield* make(session_id, model_id)
      yield* eventually(
        Effect.sync(() => server.calls.length),
        (calls) => calls === 1
      )
      yield* api.examples.cancel({ path: { id } })
      held.resolve()
      const spent = api.examples.get({ path: { id } })
      const example = yield* eventually(spent, ({ tokens_in }) => tokens_in !== null)
      expect(example).toMatchObject({ status: "CANCELLED", ...llmUsage })
      // The next example comes after all that the cancelled one would have asked.
      const other = yield* given(customers(1))
      yield* made(other.session_id)
      expect(server.calls).toHaveLength(1)
    })
  )

  it.effect("that takes longer than the engine's patience with a message is not asked twice", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      const held = Promise.withResolvers<void>()
      server.reply = async (call) => {
        await held.promise
        return { object: careful(call) }
      }
      const { id: model_id } = yield* model({ provider: "CUSTOM" })
      const { id } = yield* make(session_id, model_id)
      yield* eventually(
        Effect.sync(() => server.calls.length),
        (calls) => calls === 1
      )
      const { sql } = yield* TestServer
      // The engine reads a message again that was not done with ten minutes later.
      const [aged] = yield* sql<{ at: string | null }>`with aged as (
        update cluster_messages set last_read = last_read - interval '1 hour' where not processed returning last_read
      ) select max(last_read)::text as at from aged`
      expect(aged?.at).toEqual(expect.any(String))
      const unread = sql<{ count: number }>`select count(*)::int as count from cluster_messages
        where not processed and last_read <= ${aged?.at}::timestamp`
      expect(yield* eventually(Effect.orDie(unread), ([row]) => row?.count === 0)).toEqual([{ count: 0 }])
      held.resolve()
      expect(yield* finished(id)).toMatchObject({ status: "COMPLETED", ...llmUsage })
      expect(server.calls).toHaveLength(1)
    }).pipe(Effect.orDie)
  )

  it.effect("that is slow is asked a few things at a time, and nothing else waits for it", () =>
    Effect.gen(function* () {
      const { server, session_id } = yield* given(customers(1))
      const held = Promise.withResolvers<void>()
      server.reply = async (call) => {
        await held.promise
        return { object: careful(call) }
      }
      const { id: slow } = yield* model({ provider: "CUSTOM" })
      const waiting = yield* Effect.forEach(Array.from({ length: 6 }), () => make(session_id, slow), {
        concurrency: "unbounded"
      })
      const quick = yield* llmServer
      quick.key = null
      quick.reply = (call) => ({ object: careful(call) })
      const other = yield* model({
        provider: "CUSTOM",
        base_url: `${quick.origin.replace("127.0.0.1", "localhost")}/v1`
      })
      for (const id of [other.id, lexical]) {
        const example = yield* Effect.flatMap(make(session_id, id), ({ id }) => finished(id))
        expect(example.status).toBe("COMPLETED")
      }
      yield* eventually(
        Effect.sync(() => server.open().now),
        (now) => now === 2
      )
      expect(server.calls).toHaveLength(2)
      held.resolve()
      const ended = yield* Effect.forEach(waiting, ({ id }) => finished(id))
      expect(ended.map(({ status }) => status)).toEqual(waiting.map(() => "COMPLETED"))
      expect(server.open().most).toBe(2)
    }).pipe(Effect.scoped)
  )
})

layer(scene("custom", "/v1"), { excludeTestServices: true })("an organization's quota of tokens", (it) => {
  it.effect("stops what asks a model once it is used up, and says until when", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const server = yield* Provider
      server.reply = (call) => ({ object: careful(call) })
      const used = llmUsage.tokens_in + llmUsage.tokens_out
      yield* sql`insert into quotas (id, org_id, kind, "window", ceiling)
        select gen_random_uuid(), id, 'tokens', 'day', ${used}::bigint from organizations`
      const suite_id = yield* customerSuite("Thrifty")
      const session_id = yield* recorded(suite_id, customers(1))
      const { id: model_id } = yield* model({ provider: "CUSTOM" })
      const examples = []
      for (let turn = 0; turn < 2; turn++) {
        const { id: other } = yield* model({ provider: "CUSTOM" })
        examples.push(yield* Effect.flatMap(make(session_id, turn === 0 ? model_id : other), ({ id }) => finished(id)))
      }
      expect(examples.map(({ status, error_code }) => [status, error_code])).toEqual([
        ["COMPLETED", null],
        ["FAILED", "quota_exceeded"]
      ])
      expect(examples[1]?.error_message).toMatch(
        new RegExp(`^the organization's quota of ${used} tokens a day is used up until \\d{4}-.*: retry it then$`)
      )
      expect(server.calls).toHaveLength(1)
      const { items } = yield* Effect.flatMap(client(), ({ quotas }) => quotas.list())
      expect(items.find(({ kind, window }) => kind === "tokens" && window === "day")).toMatchObject({ used })
    }).pipe(Effect.orDie)
  )
})
