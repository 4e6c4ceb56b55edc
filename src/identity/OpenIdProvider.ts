import { Duration, Effect, Redacted, Schema } from "effect"
import * as client from "openid-client"
import { UpstreamFailed } from "../domain/Errors.ts"
import { TokenRefused } from "../domain/identity/Token.ts"
import { Egress, type EgressOptions } from "../platform/Egress.ts"
import { Settings } from "../platform/Settings.ts"
import { CLOCK_SKEW } from "./AccessTokens.ts"
import { Person } from "./Person.ts"

const decodePerson = Schema.decodeUnknown(Person)

// A provider's metadata and keys change seldom; a provider that was away is asked again soon.
const READ_EVERY = Duration.minutes(10)

/** A login at the provider, as the application sends it on. */
export interface AuthorizationCode {
  readonly code: string
  readonly redirect_uri: string
  readonly code_verifier: string
  readonly nonce?: string
  readonly iss?: string
}

/** What to say of a provider that did not give what was asked for. */
const refusal = (cause: unknown): TokenRefused | UpstreamFailed => {
  if (cause instanceof client.ResponseBodyError && cause.status < 500) {
    return new TokenRefused({
      error: "invalid_grant",
      detail: `the OpenID provider refuses the code: ${cause.error_description ?? cause.error}`
    })
  }
  if (cause instanceof client.ClientError && cause.code?.startsWith("OAUTH_JWT")) {
    return new TokenRefused({
      error: "invalid_grant",
      detail: "the OpenID provider's id token is not valid for this login"
    })
  }
  if (cause instanceof client.AuthorizationResponseError || cause instanceof client.ClientError) {
    return new TokenRefused({ error: "invalid_grant", detail: `the login is not valid: ${cause.message}` })
  }
  return new UpstreamFailed({ detail: "the OpenID provider does not answer as it should" })
}

/** The configured OpenID provider: exchanges codes for the people that logged in there. */
export class OpenIdProvider extends Effect.Service<OpenIdProvider>()("identity/OpenIdProvider", {
  effect: Effect.gen(function* () {
    const { login } = yield* Settings
    const egress = yield* Egress
    const { oidc_discovery_url: address, oidc_client_id: client_id, oidc_client_secret: secret } = login

    const options: EgressOptions = {
      operator_hosts: address === undefined ? [] : [new URL(address).host],
      // Providers keep their keys and token endpoints at other hosts than their issuer.
      any_public_host: true
    }
    const fetch: client.CustomFetch = (url, { redirect: _redirect, ...init }) =>
      egress.fetch(options)(url, init as RequestInit)

    const discovered = (url: string, id: string) =>
      Effect.tryPromise({
        try: () =>
          client.discovery(
            new URL(url),
            id,
            { [client.clockTolerance]: CLOCK_SKEW },
            secret === undefined ? client.None() : client.ClientSecretBasic(Redacted.value(secret)),
            {
              [client.customFetch]: fetch,
              execute: [
                // The id token's signature is verified even though it comes straight from the provider.
                client.enableNonRepudiationChecks,
                ...(url.startsWith("http://") ? [client.allowInsecureRequests] : [])
              ]
            }
          ),
        catch: (cause) => cause
      }).pipe(
        Effect.tapError((cause) => Effect.logWarning(`the OpenID provider ${url} could not be discovered`, cause)),
        Effect.mapError(() => new UpstreamFailed({ detail: "the OpenID provider does not answer as it should" }))
      )

    const read =
      address === undefined || client_id === undefined
        ? Effect.succeed(undefined)
        : yield* Effect.cachedWithTTL(discovered(address, client_id), READ_EVERY)

    /** The provider as it describes itself; undefined where none is configured. */
    const configuration = read

    /** Exchanges a code for the person that it was given to. */
    const exchange = Effect.fn("OpenIdProvider.exchange")(function* (grant: AuthorizationCode) {
      const config = yield* configuration
      if (config === undefined) {
        return yield* new TokenRefused({
          error: "unsupported_grant_type",
          detail: "no OpenID provider is configured here (OIDC_DISCOVERY_URL)"
        })
      }
      if (!URL.canParse(grant.redirect_uri)) {
        return yield* new TokenRefused({ error: "invalid_request", detail: "redirect_uri is no URL" })
      }
      const answered = new URL(grant.redirect_uri)
      answered.searchParams.set("code", grant.code)
      // RFC 9207 tells several providers apart; here is one, so that an application need not pass it on.
      const { issuer, authorization_response_iss_parameter_supported } = config.serverMetadata()
      const iss = grant.iss ?? (authorization_response_iss_parameter_supported ? issuer : undefined)
      if (iss !== undefined) answered.searchParams.set("iss", iss)
      const tokens = yield* Effect.tryPromise({
        try: () =>
          client.authorizationCodeGrant(config, answered, {
            pkceCodeVerifier: grant.code_verifier,
            expectedState: client.skipStateCheck,
            idTokenExpected: true,
            ...(grant.nonce === undefined ? {} : { expectedNonce: grant.nonce })
          }),
        catch: (cause) => cause
      }).pipe(
        Effect.tapError((cause) => Effect.logInfo("a login was refused", cause)),
        Effect.mapError(refusal)
      )
      return yield* Effect.mapError(
        decodePerson(tokens.claims()),
        () => new UpstreamFailed({ detail: "the OpenID provider's id token names nobody" })
      )
    })

    return { configuration, exchange, options } as const
  })
}) {}
