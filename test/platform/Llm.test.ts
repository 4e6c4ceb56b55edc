import { describe, expect, it } from "@effect/vitest"
import { Effect, Either, Layer, Redacted, Schema } from "effect"
import fc from "fast-check"
import * as EgressLive from "../../src/platform/EgressLive.ts"
import { Llm, layer } from "../../src/platform/Llm.ts"
import { connect, type LlmModel } from "../../src/platform/llm/LlmConnection.ts"
import { retryAfter } from "../../src/platform/llm/LlmFailed.ts"
import { settingsOf } from "../../src/platform/llm/LlmSettings.ts"
import { decode, Settings } from "../../src/platform/Settings.ts"
import { type LlmReply, type LlmServer, llmKey, llmServer, llmUsage } from "../support/LlmServer.ts"

const Answer = Schema.Struct({ colour: Schema.Literal("red", "green") })

const providers = [
  ["CUSTOM", "/v1"],
  ["AZURE", "/openai/v1?api-version=preview"],
  ["OPENAI", "/v1"],
  ["ANTHROPIC", ""],
  ["GOOGLE", "/v1beta"]
] as const
type Provider = (typeof providers)[number][0]

interface Scene {
  readonly provider: Provider
  readonly path: string
}

/** Asks the fake, which answers in the order of the replies and then goes on with the last. */
const asked = (
  { provider, path }: Scene,
  replies: readonly [LlmReply, ...ReadonlyArray<LlmReply>],
  more: { readonly settings?: object; readonly environment?: Readonly<Record<string, string>> } = {}
) =>
  Effect.gen(function* () {
    const server = yield* llmServer
    const times: Array<number> = []
    server.reply = (_call, at) => {
      times.push(performance.now())
      return replies[Math.min(at, replies.length - 1)] ?? replies[0]
    }
    const settings = Settings.layer({
      LLM_PROVIDER: provider.toLowerCase(),
      LLM_BASE_URL: server.origin + path,
      LLM_API_KEY: llmKey,
      LLM_TIMEOUT: "1 s",
      LLM_RETRY_FOR: "3 s",
      ...more.environment
    })
    const answer = yield* Effect.flatMap(Llm, (llm) =>
      llm.object({
        model: { provider, name: "some-model", base_url: null },
        settings: Either.getOrThrow(settingsOf({ ...more.settings })),
        system: "You know colours.",
        user: "What is grass?",
        schema: Answer,
        name: "colour"
      })
    ).pipe(Effect.either, Effect.provide(layer.pipe(Layer.provide(EgressLive.layer), Layer.provide(settings))))
    return { answer, server, times }
  })

const good: LlmReply = { object: { colour: "green" } }
const success = Either.right({ value: { colour: "green" }, usage: llmUsage })

const test = (name: string, effect: () => Effect.Effect<void, unknown, import("effect").Scope.Scope>) =>
  it.scopedLive(name, effect)

describe.each(providers)("the provider %s", (provider, path) => {
  const scene: Scene = { provider, path }

  const fails = (
    code: string,
    replies: readonly [LlmReply, ...ReadonlyArray<LlmReply>],
    check: (found: { readonly detail: string; readonly server: LlmServer }) => void = () => {}
  ) =>
    Effect.gen(function* () {
      const { answer, server } = yield* asked(scene, replies)
      const failure = Either.getOrThrow(Either.flip(answer))
      expect(failure).toMatchObject({ _tag: "LlmFailed", code })
      expect(failure.message).not.toContain(llmKey)
      check({ detail: failure.message, server })
    })

  test("answers an object of the schema, with what it used", () =>
    Effect.gen(function* () {
      const { answer, server } = yield* asked(scene, [good])
      expect(answer).toEqual(success)
      expect(server.calls[0]).toMatchObject({ system: "You know colours.", user: "What is grass?" })
      expect(JSON.stringify(server.calls[0]?.schema)).toContain('"enum":["red","green"]')
    }))

  test("is called with the settings that are given, and with a temperature of 0 else", () =>
    Effect.gen(function* () {
      const plain = yield* asked(scene, [good])
      expect(plain.server.calls[0]?.text).toContain('"temperature":0')
      const { server } = yield* asked(scene, [good], { settings: { temperature: 0.5, top_p: 0.25, max_tokens: 777 } })
      const text = server.calls[0]?.text ?? ""
      expect(text).toContain('"temperature":0.5')
      expect(text).toMatch(/"top_?[pP]":0.25/)
      expect(text).toMatch(/"(max\w+|maxOutputTokens)":777/)
      const without = yield* asked(scene, [good], { settings: { temperature: null } })
      expect(without.server.calls[0]?.text).not.toContain('"temperature"')
    }))

  test("is waited for as long as its Retry-After says", () =>
    Effect.gen(function* () {
      const limited: LlmReply = { status: 429, headers: { "retry-after": "1" }, message: "slow down" }
      const { answer, times } = yield* asked(scene, [limited, good])
      expect(answer).toEqual(success)
      expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(990)
    }))

  test("is not waited for longer than the limit", () =>
    fails(
      "provider_rate_limited",
      [{ status: 429, headers: { "retry-after": "60" }, message: "slow down" }],
      ({ detail, server }) => {
        expect(detail).toContain("60 s")
        expect(server.calls).toHaveLength(1)
      }
    ))

  test("is asked again after failures of its own, and given up when they last", () =>
    Effect.gen(function* () {
      const down: LlmReply = { status: 500, message: "oh" }
      const { answer, server } = yield* asked(scene, [down, { status: 503, message: "oh" }, good])
      expect(answer).toEqual(success)
      expect(server.calls).toHaveLength(3)
      yield* fails("provider_unavailable", [{ status: 500, message: 'it is "broken"' }], ({ detail, server }) => {
        expect(detail).toContain("answers 500")
        expect(detail).toContain("broken")
        expect(server.calls.length).toBeGreaterThan(1)
      })
    }))

  test("is asked again when it does not answer in time, or breaks off", () =>
    Effect.gen(function* () {
      const { answer, server } = yield* asked(scene, [{ hang: true }, { cut: true }, good], {
        environment: { LLM_RETRY_FOR: "20 s" }
      })
      expect(answer).toEqual(success)
      expect(server.calls).toHaveLength(3)
      // What nobody waits for any more is not left open.
      expect(server.open()).toEqual({ now: 0, most: 1 })
    }))

  test("is told nothing of how this service traces", () =>
    Effect.gen(function* () {
      const { server } = yield* asked(scene, [good])
      const names = [...(server.calls[0]?.headers.keys() ?? [])]
      expect(names.filter((name) => /^(traceparent|tracestate|b3)$|^x-b3/.test(name))).toEqual([])
    }))

  for (const [status, code] of [
    [401, "provider_refused_key"],
    [403, "provider_refused_key"],
    [404, "provider_unknown_model"],
    [400, "provider_rejected_request"]
  ] as const) {
    test(`fails at once when it answers ${status}`, () =>
      fails(code, [{ status, message: `no, ${llmKey}` }], ({ server }) => expect(server.calls).toHaveLength(1)))
  }

  test("fails at once when the account has no quota", () =>
    fails("provider_quota_exceeded", [{ status: 429, message: "insufficient_quota" }], ({ server }) =>
      expect(server.calls).toHaveLength(1)
    ))

  for (const [what, reply] of [
    ["is not of the schema", { object: { colour: "blue" } }],
    ["is no JSON", { text: "Grass is green." }],
    ["is empty", { empty: true }],
    ["is not of the protocol", { garbage: "<html>Welcome</html>" }],
    ["is cut off at the limit", { text: '{"colour', finish: "length" }]
  ] as const satisfies ReadonlyArray<readonly [string, LlmReply]>) {
    test(`tells that the answer ${what}, and what it used`, () =>
      Effect.gen(function* () {
        const { answer, server } = yield* asked(scene, [reply])
        const failure = Either.getOrThrow(Either.flip(answer))
        expect(failure.code).toBe("invalid_model_output")
        expect(failure.usage).toEqual("garbage" in reply ? { tokens_in: 0, tokens_out: 0 } : llmUsage)
        expect(failure.message).toContain("finish" in reply ? "max_tokens" : "retry")
        expect(server.calls).toHaveLength(1)
      }))
  }

  test("is not followed to another address, where the key would go along", () =>
    Effect.gen(function* () {
      const other = yield* llmServer
      yield* fails("provider_rejected_request", [{ redirect: `${other.origin}${path}` }])
      expect(other.calls).toHaveLength(0)
    }))
})

describe("a server of /chat/completions without schemas", () => {
  for (const response_format of ["json_object", "text"]) {
    test(`is told the schema in words (${response_format})`, () =>
      Effect.gen(function* () {
        const scene: Scene = { provider: "CUSTOM", path: "/v1" }
        const fenced: LlmReply = { text: '```json\n{"colour":"green"}\n```' }
        const { answer, server } = yield* asked(scene, [fenced], { settings: { response_format } })
        expect(answer).toEqual(success)
        expect(server.calls[0]?.system).toContain('"enum":["red","green"]')
        expect(server.calls[0]?.text).not.toContain('json_schema"')
      }))
  }
})

describe("a server that misbehaves", () => {
  const scene: Scene = { provider: "CUSTOM", path: "/v1" }

  test("is not read further than an answer can be long", () =>
    Effect.gen(function* () {
      const { answer } = yield* asked(scene, [{ garbage: " ".repeat(20 * 1024 * 1024) }])
      const failure = Either.getOrThrow(Either.flip(answer))
      expect([failure.code, failure.message]).toEqual([
        "invalid_model_output",
        expect.stringContaining("larger than 16 MiB")
      ])
    }))

  test("and is not there is unavailable, with the reason", () =>
    Effect.gen(function* () {
      const nobody = { LLM_BASE_URL: "http://127.0.0.1:1/v1", LLM_RETRY_FOR: "100 ms" }
      const { answer } = yield* asked(scene, [good], { environment: nobody })
      const failure = Either.getOrThrow(Either.flip(answer))
      expect(failure).toMatchObject({ code: "provider_unavailable", transient: true })
      expect(failure.message).toMatch(/connect/i)
    }))
})

describe("a model's base_url", () => {
  test("is asked at no private address, unless the operator named its host", () =>
    Effect.gen(function* () {
      const server = yield* llmServer
      server.key = null
      server.reply = () => good
      const { port } = new URL(server.origin)
      const ask = (ALLOWED_EGRESS_HOSTS: string) =>
        Effect.flatMap(Llm, (llm) =>
          llm.object({
            model: { provider: "CUSTOM", name: "m", base_url: `http://gpu.inner.example:${port}/v1` },
            settings: {},
            system: "You know colours.",
            user: "What is grass?",
            schema: Answer,
            name: "colour"
          })
        ).pipe(
          Effect.either,
          Effect.provide(
            layer.pipe(
              Layer.provide(EgressLive.layerWith({ resolve: async () => ["127.0.0.1"] })),
              Layer.provide(Settings.layer({ ALLOWED_EGRESS_HOSTS, LLM_RETRY_FOR: "1 min" }))
            )
          )
        )
      const refused = Either.getOrThrow(Either.flip(yield* ask("*.inner.example")))
      expect(refused).toMatchObject({ code: "provider_not_configured", transient: false })
      expect(refused.message).toMatch(/gpu\.inner\.example is at 127\.0\.0\.1, which is not a public address/)
      expect(server.calls).toHaveLength(0)
      expect(yield* ask("gpu.inner.example")).toEqual(success)
    }))
})

describe("where a model is called", () => {
  const connected = (environment: Readonly<Record<string, string>>, model: Partial<LlmModel>) =>
    Effect.map(decode(environment), (settings) =>
      Either.map(connect({ provider: "OPENAI", name: "m", base_url: null, ...model }, settings), (found) => ({
        base_url: found.base_url,
        key: found.api_key === undefined ? undefined : Redacted.value(found.api_key)
      }))
    )

  it.effect("is the provider's own address with its own key", () =>
    Effect.gen(function* () {
      expect(yield* connected({ OPENAI_API_KEY: "a" }, {})).toEqual(
        Either.right({ base_url: "https://api.openai.com/v1", key: "a" })
      )
      expect(yield* connected({ LLM_PROVIDER: "anthropic", LLM_API_KEY: "b" }, { provider: "ANTHROPIC" })).toEqual(
        Either.right({ base_url: "https://api.anthropic.com", key: "b" })
      )
    })
  )

  it.effect("is told when the key is missing, by the name of the variable", () =>
    Effect.gen(function* () {
      for (const [provider, variable] of [
        ["OPENAI", "OPENAI_API_KEY"],
        ["ANTHROPIC", "ANTHROPIC_API_KEY"],
        ["GOOGLE", "GOOGLE_API_KEY"],
        ["AZURE", "LLM_BASE_URL"],
        ["CUSTOM", "LLM_BASE_URL"]
      ] as const) {
        const found = yield* connected({}, { provider })
        expect(Either.getOrThrow(Either.flip(found)), provider).toContain(variable)
      }
      const other = { LLM_PROVIDER: "anthropic", LLM_API_KEY: "b" }
      expect(Either.getOrThrow(Either.flip(yield* connected(other, {})))).toContain("OPENAI_API_KEY")
    })
  )

  it.effect("is no host that the operator did not allow, and keys go to none but their own", () =>
    Effect.gen(function* () {
      const keys = {
        OPENAI_API_KEY: "a",
        LLM_PROVIDER: "custom",
        LLM_BASE_URL: "https://llm.example/v1",
        LLM_API_KEY: "b"
      }
      const custom = (base_url: string, more: Readonly<Record<string, string>> = {}) =>
        connected({ ...keys, ...more }, { provider: "CUSTOM", base_url })
      expect(yield* custom("https://llm.example/other")).toEqual(
        Either.right({ base_url: "https://llm.example/other", key: "b" })
      )
      for (const base_url of ["https://evil.example/v1", "http://llm.example/v1", "https://llm.example.evil.example"]) {
        expect(Either.getOrThrow(Either.flip(yield* custom(base_url)))).toContain("ALLOWED_EGRESS_HOSTS")
      }
      const allowed = { ALLOWED_EGRESS_HOSTS: "gpu.example,*.inner.example" }
      expect(yield* custom("http://gpu.example/v1", allowed)).toEqual(
        Either.right({ base_url: "http://gpu.example/v1", key: undefined })
      )
      expect(Either.isRight(yield* custom("http://a.inner.example/v1", allowed))).toBe(true)
      expect(Either.isLeft(yield* custom("http://ainner.example/v1", allowed))).toBe(true)
      expect(Either.isRight(yield* custom("http://localhost:11434/v1"))).toBe(true)
      expect(
        Either.isLeft(
          yield* custom("http://localhost:11434/v1", { APP_ENV: "production", ALLOW_LOCAL_SECRETS: "true" })
        )
      ).toBe(true)
      const stolen = yield* connected({ ...keys, ...allowed }, { base_url: "http://gpu.example/v1" })
      expect(Either.getOrThrow(Either.flip(stolen))).toContain("there is no key")
    })
  )

  it.effect("is not configured without its provider's name", () =>
    Effect.gen(function* () {
      const failure = yield* Effect.flip(decode({ LLM_API_KEY: "x" }))
      expect(failure.message).toContain("LLM_PROVIDER")
    })
  )
})

describe("Retry-After", () => {
  it("is seconds, a date, or OpenAI's milliseconds; anything else is nothing", () => {
    const now = Date.parse("2026-03-01T10:00:00Z")
    expect(retryAfter({ "retry-after": "7" }, now)).toBe(7000)
    expect(retryAfter({ "retry-after": "Sun, 01 Mar 2026 10:00:30 GMT" }, now)).toBe(30_000)
    expect(retryAfter({ "retry-after": "Sun, 01 Mar 2026 09:00:00 GMT" }, now)).toBe(0)
    expect(retryAfter({ "retry-after": "9", "retry-after-ms": "120" }, now)).toBe(120)
    fc.assert(
      fc.property(fc.string(), (text) => {
        const wait = retryAfter({ "retry-after": text }, now)
        expect(wait === undefined || (wait >= 0 && !Number.isNaN(wait))).toBe(true)
      })
    )
  })
})
