import { Effect, Redacted, Schema } from "effect"
import * as client from "openid-client"
import { UpstreamFailed } from "../domain/Errors.ts"
import { TokenRefused } from "../domain/identity/Token.ts"
import { Egress, type EgressOptions } from "../platform/Egress.ts"
import { Settings } from "../platform/Settings.ts"
import { CLOCK_SKEW } from "./AccessTokens.ts"
import { Person } from "./Person.ts"

const decodePerson = Schema.decodeUnknown(Person)

// A provider's metadata and keys change seldom; a provider that was away is asked again soon.
const READ_EVERY = 600_000
const ASK_AGAIN_AFTER = 5_000

/** A login at the provider, as the application sends it on. */
export interface AuthorizationCode {
  readonly code: string
  readonly redirect_uri: string
  readonly code_verifier: string
  readonly nonce?: string
  readonly iss?: string
}

const codeOf = (cause: unknown): string => (cause instanceof client.ClientError ? (cause.code ?? "") : "")

// What else a provider answers is about this service, or about itself, and not about who logs in.
const ofCode = ["invalid_grant", "invalid_request"]

/** What a log line says of a failure: never its causes, which hold tokens and claims. */
const toldOf = (cause: unknown): string =>
  cause instanceof Error ? `${codeOf(cause)} ${cause.message}`.trim() : "unknown"

/** What to say of a provider that did not give what was asked for. */
const refusal = (cause: unknown): TokenRefused | UpstreamFailed => {
  if (cause instanceof client.ResponseBodyError && ofCode.includes(cause.error)) {
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
  if (cause instanceof client.AuthorizationResponseError || codeOf(cause) === "OAUTH_INVALID_RESPONSE") {
    return new TokenRefused({
      error: "invalid_grant",
      detail: "the login is not one of the configured OpenID provider"
    })
  }
  return new UpstreamFailed({ detail: "the OpenID provider does not answer as it should" })
}

/** The library sends it in its normal form, without a query: any other could not be the one of before. */
const isPlain = (redirect_uri: string) => {
  if (!URL.canParse(redirect_uri)) return false
  const { href, search, hash } = new URL(redirect_uri)
  return href === redirect_uri && search === "" && hash === ""
}

/** The configured OpenID provider: exchanges codes for the people that logged in there. */
export class OpenIdProvider extends Effect.Service<OpenIdProvider>()("identity/OpenIdProvider", {
  effect: Effect.gen(function* () {
    const { login } = yield* Settings
    const egress = yield* Egress
    const clock = yield* Effect.clock
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
        catch: toldOf
      }).pipe(
        Effect.tapError((told) => Effect.logWarning(`the OpenID provider ${url} could not be discovered: ${told}`)),
        Effect.mapError(() => new UpstreamFailed({ detail: "the OpenID provider does not answer as it should" }))
      )

    const one = yield* Effect.makeSemaphore(1)
    let known: { readonly value: client.Configuration; readonly until: number } | undefined
    let failed: { readonly error: UpstreamFailed; readonly until: number } | undefined

    /** What was read last stands in for a provider that is away, which is asked again soon, and not by everybody. */
    const read = (url: string, id: string) =>
      Effect.suspend(() => {
        const now = clock.unsafeCurrentTimeMillis()
        if (known !== undefined && known.until > now) return Effect.succeed(known.value)
        const before = known
        const otherwise = (error: UpstreamFailed) =>
          before === undefined ? Effect.fail(error) : Effect.succeed(before.value)
        if (failed !== undefined && failed.until > now) return otherwise(failed.error)
        return discovered(url, id).pipe(
          Effect.tap((value) => {
            known = { value, until: now + READ_EVERY }
          }),
          Effect.catchAll((error) => {
            failed = { error, until: now + ASK_AGAIN_AFTER }
            return otherwise(error)
          })
        )
      }).pipe(one.withPermits(1))

    /** The provider as it describes itself; undefined where none is configured. */
    const configuration: Effect.Effect<client.Configuration | undefined, UpstreamFailed> =
      address === undefined || client_id === undefined ? Effect.succeed(undefined) : read(address, client_id)

    /** Exchanges a code for the person that it was given to. */
    const exchange = Effect.fn("OpenIdProvider.exchange")(function* (grant: AuthorizationCode) {
      const config = yield* configuration
      if (config === undefined) {
        return yield* new TokenRefused({
          error: "unsupported_grant_type",
          detail: "no OpenID provider is configured here (OIDC_DISCOVERY_URL)"
        })
      }
      if (!isPlain(grant.redirect_uri)) {
        return yield* new TokenRefused({
          error: "invalid_request",
          detail:
            "redirect_uri must be a URL in its normal form (https://app.example/callback), without query and fragment"
        })
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
        catch: (cause) => ({ told: toldOf(cause), refused: refusal(cause) })
      }).pipe(
        Effect.tapError(({ told }) => Effect.logInfo(`a login was refused: ${told}`)),
        Effect.mapError(({ refused }) => refused)
      )
      return yield* Effect.mapError(
        decodePerson(tokens.claims()),
        () => new UpstreamFailed({ detail: "the OpenID provider's id token names nobody" })
      )
    })

    return { configuration, exchange, options } as const
  })
}) {}
