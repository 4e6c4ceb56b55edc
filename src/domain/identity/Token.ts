import { Schema } from "effect"
import { AgentId, OrganizationId, UserId } from "../Ids.ts"
import { Text } from "../Json.ts"
import { problem } from "../Problem.ts"

/** Why a token endpoint refused (RFC 6749, 5.2): `error` is what OAuth clients branch on. */
export class TokenRefused extends Schema.TaggedError<TokenRefused>("TokenRefused")(
  "TokenRefused",
  {
    detail: Schema.String,
    error: Schema.Literal("invalid_request", "invalid_grant", "unsupported_grant_type").annotations({
      description: "The error code of RFC 6749"
    })
  },
  problem(400, "bad_request", "The token request is refused")
) {
  override get message() {
    return this.detail
  }
}

const Secret = Text(1, 4096)

const optional = <A extends Schema.Schema.Any>(schema: A) => Schema.optionalWith(schema, { exact: true })

/** What `/auth/token` takes, as JSON or as a form; which fields there have to be depends on `grant_type`. */
export class TokenRequest extends Schema.Class<TokenRequest>("TokenRequest")({
  grant_type: Text(1, 100).annotations({
    description: "`authorization_code`, `client_credentials` or `refresh_token`",
    examples: ["authorization_code"]
  }),
  code: optional(Secret).annotations({ description: "authorization_code: what the OpenID provider sent" }),
  redirect_uri: optional(Text(1, 2048)).annotations({
    description: "authorization_code: the same as in the authorization request"
  }),
  code_verifier: optional(Secret).annotations({
    description: "authorization_code: the PKCE verifier (RFC 7636) whose challenge the authorization request carried"
  }),
  nonce: optional(Text(1, 512)).annotations({
    description: "authorization_code: the nonce of the authorization request, when it had one"
  }),
  iss: optional(Text(1, 2048)).annotations({
    description: "authorization_code: the `iss` that the provider sent along (RFC 9207), when it did"
  }),
  client_id: optional(Text(1, 200)).annotations({
    description: "client_credentials: an agent's, here or by HTTP Basic"
  }),
  client_secret: optional(Secret).annotations({ description: "client_credentials: its secret" }),
  refresh_token: optional(Secret).annotations({ description: "refresh_token: the one to exchange" })
}) {}

export class RefreshRequest extends Schema.Class<RefreshRequest>("RefreshRequest")({ refresh_token: Secret }) {}

/** RFC 7009. */
export class RevokeRequest extends Schema.Class<RevokeRequest>("RevokeRequest")({
  token: Secret.annotations({ description: "A refresh or an access token of this service" })
}) {}

/** Tokens as their request answers them (RFC 6749, 5.1). */
export class Tokens extends Schema.Class<Tokens>("Tokens")({
  access_token: Schema.String.annotations({ description: "A JWT (RFC 9068), signed with EdDSA" }),
  token_type: Schema.Literal("Bearer"),
  expires_in: Schema.Int.annotations({ description: "Seconds that the access token is good for" }),
  refresh_token: Schema.optionalWith(Schema.String, { exact: true }).annotations({
    description: "Good for one use; a person's only: an agent asks again with its secret"
  }),
  scope: Schema.String.annotations({ description: "What it allows, separated by spaces" }),
  org_id: OrganizationId,
  user_id: Schema.NullOr(UserId),
  agent_id: Schema.NullOr(AgentId)
}) {}

/** One public key (RFC 8037). */
export const JsonWebKey = Schema.Struct({
  kty: Schema.Literal("OKP"),
  crv: Schema.Literal("Ed25519"),
  x: Schema.String,
  kid: Schema.String,
  alg: Schema.Literal("EdDSA"),
  use: Schema.Literal("sig")
}).annotations({ identifier: "JsonWebKey" })

/** The keys that this service's tokens are verified with (RFC 7517). */
export class JsonWebKeySet extends Schema.Class<JsonWebKeySet>("JsonWebKeySet")({ keys: Schema.Array(JsonWebKey) }) {}

/** Where a client of a protected resource finds out how to authenticate (RFC 9728). */
export class ProtectedResource extends Schema.Class<ProtectedResource>("ProtectedResource")({
  resource: Schema.String,
  authorization_servers: Schema.Array(Schema.String),
  jwks_uri: Schema.String,
  scopes_supported: Schema.Array(Schema.String),
  bearer_methods_supported: Schema.Array(Schema.Literal("header")),
  resource_name: Schema.String,
  resource_documentation: Schema.String
}) {}
