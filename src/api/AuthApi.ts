import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Forbidden, Unauthorized, UpstreamFailed } from "../domain/Errors.ts"
import {
  JsonWebKeySet,
  ProtectedResource,
  RefreshRequest,
  RevokeRequest,
  TokenRefused,
  TokenRequest,
  Tokens
} from "../domain/identity/Token.ts"

const form = "The body is JSON, or the form that OAuth clients send."

/** Tokens of this service, and what others need to verify them or to get one. */
export class AuthApi extends HttpApiGroup.make("auth")
  .annotate(OpenApi.Description, "Logging in: tokens of this service (RFC 6749), and the metadata of its protection")
  .add(
    HttpApiEndpoint.post("token", "/auth/token")
      .annotate(OpenApi.Summary, "Tokens for a login, an agent's secret, or a refresh token")
      .annotate(
        OpenApi.Description,
        `\`authorization_code\` is exchanged at the configured OpenID provider, with PKCE. ${form} \`X-Org-Id\` chooses the organization of somebody who is in several.`
      )
      .setPayload(TokenRequest)
      .addSuccess(Tokens)
      .addError(TokenRefused)
      .addError(Unauthorized)
      .addError(Forbidden)
      .addError(UpstreamFailed)
  )
  .add(
    HttpApiEndpoint.post("refresh", "/auth/refresh")
      .annotate(OpenApi.Summary, "New tokens for a refresh token")
      .annotate(
        OpenApi.Description,
        `A refresh token is good for one use: a second one revokes all tokens of its login. With \`X-Org-Id\` the new tokens act in that organization. ${form}`
      )
      .setPayload(RefreshRequest)
      .addSuccess(Tokens)
      .addError(TokenRefused)
      .addError(Forbidden)
  )
  .add(
    HttpApiEndpoint.post("revoke", "/auth/revoke")
      .annotate(OpenApi.Summary, "End the login that a token belongs to (RFC 7009)")
      .annotate(OpenApi.Description, `Succeeds for a token that is unknown or over, too. ${form}`)
      .setPayload(RevokeRequest)
      .addSuccess(HttpApiSchema.NoContent)
  )
  .add(
    HttpApiEndpoint.get("jwks", "/.well-known/jwks.json")
      .annotate(OpenApi.Summary, "The keys that verify this service's access tokens")
      .addSuccess(JsonWebKeySet)
  )
  .add(
    HttpApiEndpoint.get("protected_resource", "/.well-known/oauth-protected-resource")
      .annotate(OpenApi.Summary, "How to authenticate here (RFC 9728)")
      .addSuccess(ProtectedResource)
  )
  .add(
    HttpApiEndpoint.get("protected_mcp", "/.well-known/oauth-protected-resource/mcp")
      .annotate(OpenApi.Summary, "The same, of `/mcp`")
      .addSuccess(ProtectedResource)
  )
  .add(
    HttpApiEndpoint.get("protected_bridge", "/.well-known/oauth-protected-resource/bridge/mcp")
      .annotate(OpenApi.Summary, "The same, of `/bridge/mcp`")
      .addSuccess(ProtectedResource)
  ) {}
