import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import { type HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Redacted, Schema, Stream } from "effect"
import type { LlmConnection } from "./LlmConnection.ts"
import { given, type LlmSettings, temperatureOf } from "./LlmSettings.ts"
import { failures, plainPrompt, wholeOnly } from "./PlainPrompt.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true, exact: true })

const Completion = Schema.Struct({
  choices: Schema.Array(
    Schema.Struct({
      message: Schema.Struct({ content: optional(Schema.String) }),
      finish_reason: optional(Schema.String)
    })
  ),
  usage: optional(Schema.Struct({ prompt_tokens: optional(Schema.Number), completion_tokens: optional(Schema.Number) }))
})

/** `…/chat/completions` of an address, whose query (an `api-version`) stays. */
const addressOf = (base_url: string): string => {
  const url = new URL(base_url)
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/chat/completions`
  return url.toString()
}

/** Small models put their JSON into a fence all the same. */
const bare = (text: string): string => /^\s*```(?:json)?\s*\n([\s\S]*?)\n?```\s*$/.exec(text)?.[1] ?? text

const finishReasons: Readonly<Record<string, typeof Response.FinishReason.Encoded>> = {
  stop: "stop",
  length: "length",
  content_filter: "content-filter",
  tool_calls: "tool-calls"
}

/** A language model behind any server that has `/chat/completions`: vLLM, Ollama, LM Studio, OpenRouter, Azure… */
export const make = (client: HttpClient.HttpClient, connection: LlmConnection, settings: LlmSettings) => {
  const { name, provider, base_url, api_key } = connection
  const isAzure = provider === "AZURE"

  const authorised = (request: HttpClientRequest.HttpClientRequest) => {
    if (api_key === undefined) return request
    return isAzure
      ? HttpClientRequest.setHeader(request, "api-key", Redacted.value(api_key))
      : HttpClientRequest.bearerToken(request, api_key)
  }

  const bodyOf = (options: LanguageModel.ProviderOptions) => {
    const { responseFormat } = options
    const { system, messages } = plainPrompt(options.prompt)
    const format = responseFormat.type === "json" ? (settings.response_format ?? "json_schema") : undefined
    const schema =
      responseFormat.type === "json" ? Tool.getJsonSchemaFromSchemaAst(responseFormat.schema.ast) : undefined
    const told =
      format === "json_object" || format === "text"
        ? `${system}\n\nAnswer with one JSON object and nothing else. It must fit this JSON schema: ${JSON.stringify(schema)}`
        : system
    return given({
      model: name,
      messages: [{ role: "system", content: told }, ...messages],
      temperature: temperatureOf(name, settings),
      top_p: settings.top_p,
      seed: settings.seed,
      reasoning_effort: settings.reasoning_effort,
      [isAzure ? "max_completion_tokens" : "max_tokens"]: settings.max_tokens,
      response_format:
        format === "json_schema" && responseFormat.type === "json"
          ? { type: format, json_schema: { name: responseFormat.objectName, schema, strict: true } }
          : format === "json_object"
            ? { type: format }
            : undefined
    })
  }

  const generateText = (options: LanguageModel.ProviderOptions) =>
    HttpClientRequest.post(addressOf(base_url)).pipe(
      authorised,
      HttpClientRequest.acceptJson,
      HttpClientRequest.bodyUnsafeJson(bodyOf(options)),
      client.execute,
      Effect.flatMap(HttpClientResponse.schemaBodyJson(Completion)),
      Effect.map(({ choices, usage }): Array<Response.PartEncoded> => {
        const [choice] = choices
        const text = choice?.message.content ?? ""
        const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = usage ?? {}
        return [
          ...(text === ""
            ? []
            : [{ type: "text" as const, text: options.responseFormat.type === "json" ? bare(text) : text }]),
          {
            type: "finish",
            reason: finishReasons[choice?.finish_reason ?? ""] ?? "unknown",
            usage: { inputTokens, outputTokens, totalTokens: (inputTokens ?? 0) + (outputTokens ?? 0) }
          }
        ]
      }),
      Effect.catchTags(failures("ChatCompletions"))
    )

  return LanguageModel.make({ generateText, streamText: () => Stream.fail(wholeOnly("ChatCompletions")) })
}
