import { HttpApiMiddleware } from "@effect/platform"
import { Context, Schema } from "effect"
import { BadRequest, Forbidden, RateLimited, Unauthorized, Unavailable, UpstreamFailed } from "../domain/Errors.ts"
import type { RateGroup as Group } from "../domain/identity/Quota.ts"
import { CurrentPrincipal, type Scope } from "../domain/Principal.ts"

/** Turns the request's one credential into its principal. */
export class Authentication extends HttpApiMiddleware.Tag<Authentication>()("api/Authentication", {
  failure: Schema.Union(Unauthorized, BadRequest, Forbidden, RateLimited, UpstreamFailed, Unavailable),
  provides: CurrentPrincipal
}) {}

/** How a credential may be sent; for the OpenAPI document. */
export const securitySchemes = {
  api_key: { type: "apiKey", in: "header", name: "X-API-Key", description: "An API key, `tp_…`" },
  bearer: {
    type: "http",
    scheme: "bearer",
    description: "An API key, `tp_…`, or an access token: of `/auth/token`, or of a configured issuer"
  },
  basic: { type: "http", scheme: "basic", description: "An agent's client id and secret" },
  client_id: {
    type: "apiKey",
    in: "header",
    name: "MCP_CLIENT_ID",
    description: "An agent's client id, with its secret in the header `API_KEY`"
  }
} as const

/** The scope that an endpoint asks of its caller; the service checks it, the contract says it. */
export class RequiredScope extends Context.Tag("api/RequiredScope")<RequiredScope, Scope>() {}

/** Which further rate limit an endpoint's requests count on, or that they count on none at all. */
export class RateGroup extends Context.Reference<RateGroup>()("api/RateGroup", {
  defaultValue: (): Group => "default"
}) {}
