import { FetchHttpClient, HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import { Duration, Effect, Layer, Stream } from "effect"
import { Egress } from "../Egress.ts"
import { Settings } from "../Settings.ts"
import { operatorHosts } from "./LlmConnection.ts"

/** An answer of a model is far smaller; one that is larger is a fault of the server. */
const maxBytes = 16 * 1024 * 1024

/** A key would go along with a redirect. */
const requestInit: RequestInit = { redirect: "manual" }

/** A model's address may be a user's choice. Longer than an answer may take, which is counted elsewhere. */
const guarded = Layer.effect(
  FetchHttpClient.Fetch,
  Effect.gen(function* () {
    const egress = yield* Egress
    const settings = yield* Settings
    const send = egress.fetch({
      operator_hosts: operatorHosts(settings),
      streamed: true,
      timeout_ms: Duration.toMillis(settings.llm.timeout) + 1000,
      max_bytes: 2 * maxBytes
    })
    return Object.assign(
      (url: string | URL | Request, init?: RequestInit) => send(url instanceof Request ? url.url : url, init),
      {
        preconnect: () => undefined
      }
    )
  })
)

/** Reads the whole answer at once, so that one that breaks off is a failure of the connection. */
const whole = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const { request, status, headers } = response
    const chunks: Array<Uint8Array> = []
    let size = 0
    yield* Stream.runForEach(response.stream, (chunk) =>
      Effect.suspend(() => {
        size += chunk.length
        chunks.push(chunk)
        return size <= maxBytes
          ? Effect.void
          : new HttpClientError.ResponseError({
              request,
              response,
              reason: "Decode",
              description: `it is larger than ${maxBytes / 1024 ** 2} MiB`
            })
      })
    ).pipe(
      Effect.mapError((error) =>
        error._tag === "ResponseError" && error.reason === "Decode" && error.description === undefined
          ? new HttpClientError.RequestError({
              request,
              reason: "Transport",
              cause: error,
              description: "the answer ended before it was whole"
            })
          : error
      )
    )
    return HttpClientResponse.fromWeb(
      request,
      new Response(size === 0 ? null : Buffer.concat(chunks), { status, headers: { ...headers } })
    )
  })

/**
 * The client that providers are called with: follows no redirect, as a key would go along; reads
 * answers whole and bounded; anything but a 2xx is a failure with its status and body.
 */
export const llmHttpClient = Effect.map(HttpClient.HttpClient, (client) =>
  client.pipe(
    HttpClient.transformResponse((response) =>
      response.pipe(Effect.provideService(FetchHttpClient.RequestInit, requestInit), Effect.flatMap(whole))
    ),
    HttpClient.filterStatusOk,
    // What this service traces is nobody else's business; nor do providers' keys belong into its spans.
    HttpClient.withTracerDisabledWhen(() => true),
    HttpClient.withTracerPropagation(false)
  )
).pipe(Effect.provide(FetchHttpClient.layer.pipe(Layer.provideMerge(guarded))))
