import * as AnthropicClient from "@effect/ai-anthropic/AnthropicClient"
import * as AnthropicLanguageModel from "@effect/ai-anthropic/AnthropicLanguageModel"
import { HttpClient } from "@effect/platform"
import { Effect } from "effect"
import type { LlmConnection } from "./LlmConnection.ts"
import { given, type LlmSettings, temperatureOf } from "./LlmSettings.ts"

/** Anthropic wants a limit; this one is enough for a window of actions. */
const maxTokens = 8192

/** A language model behind Anthropic's `/v1/messages`. */
export const make = (client: HttpClient.HttpClient, connection: LlmConnection, settings: LlmSettings) =>
  AnthropicClient.make({ apiKey: connection.api_key, apiUrl: connection.base_url }).pipe(
    Effect.provideService(HttpClient.HttpClient, client),
    Effect.flatMap((anthropic) =>
      AnthropicLanguageModel.make({
        model: connection.name,
        config: {
          max_tokens: settings.max_tokens ?? maxTokens,
          ...given({ temperature: temperatureOf(connection.name, settings), top_p: settings.top_p })
        }
      }).pipe(Effect.provideService(AnthropicClient.AnthropicClient, anthropic))
    )
  )
