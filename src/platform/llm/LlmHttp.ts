import { FetchHttpClient, HttpClient, HttpClientError, HttpClientResponse } from "@effect/platform"
import { Effect, Stream } from "effect"

/** An answer of a model is far smaller; one that is larger is a fault of the server. */
const maxBytes = 16 * 1024 * 1024

/** A key would go along with a redirect; and Bun ends what is silent for five minutes, which a slow model is. */
const requestInit: BunFetchRequestInit = { redirect: "manual", timeout: false }

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
)
