import * as LanguageModel from "@effect/ai/LanguageModel"
import type * as Response from "@effect/ai/Response"
import * as Tool from "@effect/ai/Tool"
import { type HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Redacted, Schema, Stream } from "effect"
import type { LlmConnection } from "./LlmConnection.ts"
import { given, type LlmSettings, temperatureOf } from "./LlmSettings.ts"
import { failures, plainPrompt, wholeOnly } from "./PlainPrompt.ts"

const optional = <A, I>(schema: Schema.Schema<A, I>) => Schema.optionalWith(schema, { nullable: true, exact: true })

const Generated = Schema.Struct({
  candidates: optional(
    Schema.Array(
      Schema.Struct({
        content: optional(
          Schema.Struct({
            parts: optional(
              Schema.Array(Schema.Struct({ text: optional(Schema.String), thought: optional(Schema.Boolean) }))
            )
          })
        ),
        finishReason: optional(Schema.String)
      })
    )
  ),
  usageMetadata: optional(
    Schema.Struct({
      promptTokenCount: optional(Schema.Number),
      candidatesTokenCount: optional(Schema.Number),
      thoughtsTokenCount: optional(Schema.Number)
    })
  )
})

const finishReasons: Readonly<Record<string, typeof Response.FinishReason.Encoded>> = {
  STOP: "stop",
  MAX_TOKENS: "length",
  SAFETY: "content-filter",
  RECITATION: "content-filter",
  BLOCKLIST: "content-filter",
  PROHIBITED_CONTENT: "content-filter"
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A JSON schema as the subset of OpenAPI's that every Gemini takes: it refuses what it does not know. */
const openApi = (schema: unknown): unknown => {
  if (Array.isArray(schema)) return schema.map(openApi)
  if (!isObject(schema)) return schema
  const known = Object.entries(schema).filter(([key]) => key !== "additionalProperties" && !key.startsWith("$"))
  return Object.fromEntries(
    known.map(([key, value]) => [
      key,
      key === "properties" && isObject(value)
        ? Object.fromEntries(Object.entries(value).map(([name, property]) => [name, openApi(property)]))
        : openApi(value)
    ])
  )
}

/**
 * A language model behind Gemini's `generateContent`. The library's package for it (0.15) is for an
 * older line of the library than the rest.
 */
export const make = (client: HttpClient.HttpClient, connection: LlmConnection, settings: LlmSettings) => {
  const { name, base_url, api_key } = connection

  const bodyOf = ({ prompt, responseFormat }: LanguageModel.ProviderOptions) => {
    const { system, messages } = plainPrompt(prompt)
    return {
      systemInstruction: { parts: [{ text: system }] },
      contents: messages.map(({ role, content }) => ({
        role: role === "assistant" ? "model" : "user",
        parts: [{ text: content }]
      })),
      generationConfig: given({
        temperature: temperatureOf(name, settings),
        topP: settings.top_p,
        seed: settings.seed,
        maxOutputTokens: settings.max_tokens,
        ...(responseFormat.type === "json"
          ? {
              responseMimeType: "application/json",
              responseSchema: openApi(Tool.getJsonSchemaFromSchemaAst(responseFormat.schema.ast))
            }
          : {})
      })
    }
  }

  const generateText = (options: LanguageModel.ProviderOptions) =>
    HttpClientRequest.post(`${base_url}/models/${encodeURIComponent(name)}:generateContent`).pipe(
      api_key === undefined
        ? (request) => request
        : HttpClientRequest.setHeader("x-goog-api-key", Redacted.value(api_key)),
      HttpClientRequest.acceptJson,
      HttpClientRequest.bodyUnsafeJson(bodyOf(options)),
      client.execute,
      Effect.flatMap(HttpClientResponse.schemaBodyJson(Generated)),
      Effect.map(({ candidates, usageMetadata }): Array<Response.PartEncoded> => {
        const [candidate] = candidates ?? []
        const parts = candidate?.content?.parts ?? []
        const text = parts.map((part) => (part.thought === true ? "" : (part.text ?? ""))).join("")
        const inputTokens = usageMetadata?.promptTokenCount
        const outputTokens =
          usageMetadata === undefined
            ? undefined
            : (usageMetadata.candidatesTokenCount ?? 0) + (usageMetadata.thoughtsTokenCount ?? 0)
        return [
          ...(text === "" ? [] : [{ type: "text" as const, text }]),
          {
            type: "finish",
            reason: finishReasons[candidate?.finishReason ?? ""] ?? "unknown",
            usage: { inputTokens, outputTokens, totalTokens: (inputTokens ?? 0) + (outputTokens ?? 0) }
          }
        ]
      }),
      Effect.catchTags(failures("Gemini"))
    )

  return LanguageModel.make({ generateText, streamText: () => Stream.fail(wholeOnly("Gemini")) })
}
