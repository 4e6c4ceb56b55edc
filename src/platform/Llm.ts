import type { AiError } from "@effect/ai/AiError"
import type * as LanguageModel from "@effect/ai/LanguageModel"
import { CurrentSpanTransformer, type SpanTransformer } from "@effect/ai/Telemetry"
import type { HttpClient } from "@effect/platform"
import { Clock, Context, Duration, Effect, Either, Layer, Redacted, type Schema, type Scope } from "effect"
import { connect, type LlmConnection, type LlmModel } from "./llm/LlmConnection.ts"
import {
  cutOff,
  filtered,
  fromAiError,
  type LlmFailed,
  type LlmUsage,
  notConfigured,
  noUsage,
  told,
  unavailable
} from "./llm/LlmFailed.ts"
import { llmHttpClient } from "./llm/LlmHttp.ts"
import type { LlmSettings } from "./llm/LlmSettings.ts"
import { Settings } from "./Settings.ts"

export interface LlmRequest<A, I extends Record<string, unknown>> {
  readonly model: LlmModel
  readonly settings: LlmSettings
  readonly system: string
  readonly user: string
  /** What the answer is, and the provider is told that it must be. */
  readonly schema: Schema.Schema<A, I>
  /** The schema's name for the provider. */
  readonly name: string
}

export interface LlmAnswer<A> {
  readonly value: A
  readonly usage: LlmUsage
}

/** Language models of whatever provider a model's row names. */
export class Llm extends Context.Tag("platform/Llm")<
  Llm,
  {
    /** What has to be configured before the model can be called; undefined: nothing. */
    readonly missing: (model: LlmModel) => string | undefined
    /**
     * Asks a model for an object. What is transient is tried again, with growing pauses or those that
     * the provider asks for, up to `LLM_RETRY_FOR`; a few requests go to one provider at a time.
     */
    readonly object: <A, I extends Record<string, unknown>>(
      request: LlmRequest<A, I>
    ) => Effect.Effect<LlmAnswer<A>, LlmFailed>
  }
>() {}

type Make = (
  client: HttpClient.HttpClient,
  connection: LlmConnection,
  settings: LlmSettings
) => Effect.Effect<LanguageModel.Service, never, Scope.Scope>

/** Loaded only when it is called: what is generated for a provider is large. */
const makerOf = (provider: LlmConnection["provider"]): Promise<{ readonly make: Make }> => {
  switch (provider) {
    case "OPENAI":
      return import("./llm/OpenAi.ts")
    case "ANTHROPIC":
      return import("./llm/Anthropic.ts")
    case "GOOGLE":
      return import("./llm/Gemini.ts")
    case "AZURE":
    case "CUSTOM":
      return import("./llm/ChatCompletions.ts")
  }
}

/** The pause before the next try: doubling from half a second to 30, and up to a quarter more, so that not all come at once. */
const pause = (tries: number): number => Math.min(30_000, 500 * 2 ** tries) * (1 + Math.random() / 4)

const tokens = (counted: number | undefined) => Math.max(0, Math.round(counted ?? 0))

const finishOf = (parts: Parameters<SpanTransformer>[0]["response"]) => {
  const finish = parts.find((part) => part.type === "finish")
  return {
    reason: finish?.reason,
    usage: {
      tokens_in: tokens(finish?.usage.inputTokens),
      tokens_out: tokens(finish?.usage.outputTokens)
    } satisfies LlmUsage
  }
}

const make = Effect.gen(function* () {
  const settings = yield* Settings
  const { llm } = settings
  const client = yield* llmHttpClient
  const gates = new Map<string, Effect.Semaphore>()

  const gateOf = ({ base_url }: LlmConnection) => {
    const { origin } = new URL(base_url)
    const gate = gates.get(origin) ?? Effect.unsafeMakeSemaphore(llm.concurrency)
    gates.set(origin, gate)
    return gate
  }

  /** One request. What an answer that does not fit has used is told with the failure. */
  const once = <A, I extends Record<string, unknown>>(connection: LlmConnection, request: LlmRequest<A, I>) =>
    Effect.gen(function* () {
      const key = connection.api_key === undefined ? undefined : Redacted.value(connection.api_key)
      let finish: ReturnType<typeof finishOf> = { reason: undefined, usage: noUsage }
      const { make } = yield* Effect.promise(() => makerOf(connection.provider))
      const model = yield* make(client, connection, request.settings)
      const { value } = yield* model
        .generateObject({
          prompt: [
            { role: "system", content: request.system },
            { role: "user", content: [{ type: "text", text: request.user }] }
          ],
          schema: request.schema,
          objectName: request.name
        })
        .pipe(
          Effect.provideService(CurrentSpanTransformer, ({ response }) => {
            finish = finishOf(response)
          }),
          Effect.mapError((error: AiError) => {
            const failure =
              finish.reason === "length"
                ? cutOff
                : finish.reason === "content-filter"
                  ? filtered
                  : fromAiError(connection.name, error)
            return told(failure, finish.usage, key)
          })
        )
      return { value, usage: finish.usage }
    }).pipe(
      Effect.scoped,
      Effect.timeoutFail({
        duration: llm.timeout,
        onTimeout: () => unavailable(`did not answer within ${Duration.format(llm.timeout)}`)
      })
    )

  const object = Effect.fn("Llm.object")(function* <A, I extends Record<string, unknown>>(request: LlmRequest<A, I>) {
    const connection = yield* Either.mapLeft(connect(request.model, settings), notConfigured)
    const gate = gateOf(connection)
    // Counted from the first try: waiting for one's turn is not the provider's failure.
    let end: number | undefined
    const attempt = Effect.flatMap(Clock.currentTimeMillis, (now) => {
      end ??= now + Duration.toMillis(llm.retry_for)
      return once(connection, request)
    })
    for (let tries = 0; ; tries++) {
      const answer = yield* Effect.either(gate.withPermits(1)(attempt))
      if (Either.isRight(answer)) return answer.right
      const failure = answer.left
      const wait = failure.retry_after_ms ?? pause(tries)
      if (!failure.transient || (yield* Clock.currentTimeMillis) + wait > (end ?? 0)) return yield* failure
      yield* Effect.logDebug(`${failure.detail}; trying again in ${Math.round(wait)} ms`)
      yield* Effect.sleep(wait)
    }
  })

  const missing = (model: LlmModel) =>
    Either.match(connect(model, settings), {
      onLeft: (problem) => problem,
      onRight: () => undefined
    })

  return Llm.of({ missing, object })
})

/** The providers of the configuration, over HTTP. */
export const layer = Layer.effect(Llm, make)
