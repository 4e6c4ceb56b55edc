import { type HttpApp, HttpMiddleware, HttpServerRequest } from "@effect/platform"
import { Effect } from "effect"

const isPreflight = ({ method, headers }: HttpServerRequest.HttpServerRequest) =>
  method === "OPTIONS" && headers["access-control-request-method"] !== undefined

const allowedMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

const allowedHeaders = [
  "authorization",
  "x-api-key",
  "api-key",
  "mcp_client_id",
  "mcp-client-id",
  "api_key",
  "x-org-id",
  "content-type",
  "idempotency-key",
  "x-request-id",
  "range",
  "if-range",
  "if-none-match",
  // tus, and what its clients send for proxies that know few methods.
  "tus-resumable",
  "upload-length",
  "upload-offset",
  "upload-metadata",
  "upload-concat",
  "upload-checksum",
  "x-http-method-override",
  // W3C Trace Context and B3, which the derived client sends with every request.
  "traceparent",
  "tracestate",
  "b3",
  // MCP and A2A.
  "mcp-session-id",
  "mcp-protocol-version",
  "mcp-method",
  "mcp-name",
  "last-event-id",
  "a2a-version",
  "a2a-extensions"
]

const exposedHeaders = [
  "x-request-id",
  "www-authenticate",
  "etag",
  "location",
  "retry-after",
  "ratelimit",
  "ratelimit-policy",
  "allow",
  "accept-ranges",
  "content-range",
  "content-disposition",
  "tus-resumable",
  "tus-version",
  "tus-extension",
  "tus-max-size",
  "tus-checksum-algorithm",
  "upload-offset",
  "upload-length",
  "upload-metadata",
  "upload-concat",
  "upload-expires",
  "tracepipe-session-id",
  "mcp-session-id",
  "mcp-protocol-version",
  "a2a-version"
]

const maxAge = 600

const isAllowed = (origins: ReadonlyArray<string>, origin: string) => origins.includes("*") || origins.includes(origin)

/** The same rules as header fields of an answer of the web; with `preflight` those of an answer to one. */
export const crossOriginFields = (
  origins: ReadonlyArray<string>,
  origin: string | null,
  preflight: boolean
): Readonly<Record<string, string>> => {
  if (origin === null || !isAllowed(origins, origin)) return {}
  const fields = { "access-control-allow-origin": origin, vary: "Origin" }
  return preflight
    ? {
        ...fields,
        "access-control-allow-methods": allowedMethods.join(", "),
        "access-control-allow-headers": allowedHeaders.join(","),
        "access-control-max-age": String(maxAge)
      }
    : { ...fields, "access-control-expose-headers": exposedHeaders.join(",") }
}

/** Cross-origin rules for the configured origins (`*`: any); answers preflights. Without origins there are none. */
export const cors = (origins: ReadonlyArray<string>): (<E, R>(app: HttpApp.Default<E, R>) => HttpApp.Default<E, R>) => {
  if (origins.length === 0) return (app) => app
  const ruled = HttpMiddleware.cors({
    // The framework asks for requests without an Origin too.
    allowedOrigins: (origin: string | undefined) => origin !== undefined && isAllowed(origins, origin),
    allowedMethods,
    allowedHeaders,
    exposedHeaders,
    maxAge
  })
  return (app) =>
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      request.method === "OPTIONS" && !isPreflight(request) ? app : ruled(app)
    )
}
