import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { Api } from "./api/Api.ts"

export { Api } from "./api/Api.ts"

export interface ClientOptions {
  /** Where the service is: `http://127.0.0.1:8000`. */
  readonly base_url: string
  /** Sent as `X-API-Key`; absent: only the open endpoints can be used. */
  readonly api_key?: string | undefined
}

/**
 * The typed client, derived from the contract: every endpoint is a method of its group, and a
 * problem document comes back as the typed error that it names. Runs in browsers.
 */
export const make = (options: ClientOptions) =>
  HttpApiClient.make(Api, {
    baseUrl: options.base_url,
    transformClient: HttpClient.mapRequest((request) =>
      options.api_key === undefined ? request : HttpClientRequest.setHeader(request, "x-api-key", options.api_key)
    )
  })
