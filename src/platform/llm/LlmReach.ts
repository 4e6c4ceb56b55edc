import { HttpClientRequest } from "@effect/platform"
import { Effect, Either, Redacted } from "effect"
import type { Values } from "../Settings.ts"
import { connect, type LlmConnection } from "./LlmConnection.ts"
import { llmHttpClient } from "./LlmHttp.ts"

const providers = ["OPENAI", "ANTHROPIC", "GOOGLE", "AZURE", "CUSTOM"] as const

/** Every provider that the configuration has an address and, where it needs one, a key for. */
export const configured = (values: Values): ReadonlyArray<LlmConnection> =>
  providers.flatMap((provider) =>
    Either.match(connect({ provider, name: "any", base_url: null }, values), {
      onLeft: () => [],
      onRight: (connection) => [connection]
    })
  )

const headersOf = ({ provider, api_key }: LlmConnection): Readonly<Record<string, string>> => {
  if (api_key === undefined) return {}
  const key = Redacted.value(api_key)
  switch (provider) {
    case "ANTHROPIC":
      return { "x-api-key": key, "anthropic-version": "2023-06-01" }
    case "GOOGLE":
      return { "x-goog-api-key": key }
    case "AZURE":
      return { "api-key": key }
    default:
      return { authorization: `Bearer ${key}` }
  }
}

/** Asks the provider for its list of models, which costs nothing; answers the HTTP status. */
export const reach = (connection: LlmConnection) =>
  Effect.gen(function* () {
    const client = yield* llmHttpClient
    const url = new URL(connection.base_url)
    url.pathname = `${url.pathname.replace(/\/+$/, "")}${connection.provider === "ANTHROPIC" ? "/v1/models" : "/models"}`
    const request = HttpClientRequest.get(url, { headers: headersOf(connection) })
    return yield* client.execute(request).pipe(
      Effect.map(({ status }) => status),
      Effect.catchTag("ResponseError", ({ response }) => Effect.succeed(response.status))
    )
  })
