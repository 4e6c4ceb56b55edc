import { HttpApiMiddleware } from "@effect/platform"
import { Context, Schema } from "effect"
import { BadRequest, Forbidden, RateLimited, Unauthorized } from "../domain/Errors.ts"
import type { RateGroup as Group } from "../domain/identity/Quota.ts"
import { CurrentPrincipal, type Scope } from "../domain/Principal.ts"

/** Turns the request's one credential into its principal. */
export class Authentication extends HttpApiMiddleware.Tag<Authentication>()("api/Authentication", {
  failure: Schema.Union(Unauthorized, BadRequest, Forbidden, RateLimited),
  provides: CurrentPrincipal
}) {}

/** How a credential may be sent; for the OpenAPI document. */
export const securitySchemes = {
  api_key: { type: "apiKey", in: "header", name: "X-API-Key", description: "An API key, `tp_…`" },
  bearer: { type: "http", scheme: "bearer", description: "An API key, `tp_…`" }
} as const

/** The scope that an endpoint asks of its caller; the service checks it, the contract says it. */
export class RequiredScope extends Context.Tag("api/RequiredScope")<RequiredScope, Scope>() {}

/** Which further rate limit an endpoint's requests count on, or that they count on none at all. */
export class RateGroup extends Context.Reference<RateGroup>()("api/RateGroup", {
  defaultValue: (): Group => "default"
}) {}
