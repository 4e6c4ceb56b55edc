import * as OpenAiClient from "@effect/ai-openai/OpenAiClient"
import * as OpenAiLanguageModel from "@effect/ai-openai/OpenAiLanguageModel"
import { HttpClient } from "@effect/platform"
import { Effect } from "effect"
import type { LlmConnection } from "./LlmConnection.ts"
import { given, type LlmSettings, temperatureOf } from "./LlmSettings.ts"

/** A language model behind OpenAI's `/v1/responses`, which is told to keep nothing. */
export const make = (client: HttpClient.HttpClient, connection: LlmConnection, settings: LlmSettings) =>
  OpenAiClient.make({ apiKey: connection.api_key, apiUrl: connection.base_url }).pipe(
    Effect.provideService(HttpClient.HttpClient, client),
    Effect.flatMap((openai) =>
      OpenAiLanguageModel.make({
        model: connection.name,
        config: {
          store: false,
          ...given({
            temperature: temperatureOf(connection.name, settings),
            top_p: settings.top_p,
            max_output_tokens: settings.max_tokens,
            reasoning: settings.reasoning_effort === undefined ? undefined : { effort: settings.reasoning_effort }
          })
        }
      }).pipe(Effect.provideService(OpenAiClient.OpenAiClient, openai))
    )
  )
