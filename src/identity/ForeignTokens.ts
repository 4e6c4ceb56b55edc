import { Effect, Option, Schema } from "effect"
import { createRemoteJWKSet, customFetch, decodeJwt, errors, type JWTVerifyGetKey, jwtVerify } from "jose"
import { Unauthorized, UpstreamFailed } from "../domain/Errors.ts"
import type { AuthMethod } from "../domain/Principal.ts"
import { Egress, type EgressOptions } from "../platform/Egress.ts"
import { Settings, type Values } from "../platform/Settings.ts"
import { CLOCK_SKEW, isFromTheFuture, refusedToken } from "./AccessTokens.ts"
import { OpenIdProvider } from "./OpenIdProvider.ts"
import { Person } from "./Person.ts"
import { audiences } from "./ServiceAddress.ts"

/** Somebody whom an accepted issuer's token names. */
export interface Bearer {
  readonly person: Person
  readonly auth_method: AuthMethod
  /** Milliseconds since the epoch. */
  readonly expires_at: number
}

/** An issuer whose tokens are taken, and how they are verified. */
interface Issuer {
  readonly issuer: string
  readonly audience: ReadonlyArray<string>
  readonly keys: JWTVerifyGetKey
  readonly auth_method: AuthMethod
}

const decode = Schema.decodeUnknown(Schema.extend(Person, Schema.Struct({ exp: Schema.Number })))

// Signatures by a private key alone: a token signed with a public key as an HMAC's secret is no token.
const algorithms = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]

const unanswered = new UpstreamFailed({ detail: "the issuer of the access token does not answer as it should" })

/** jose's own errors are about the token; what else fails is the way to its issuer. */
const failure = (cause: unknown): Unauthorized | UpstreamFailed =>
  cause instanceof errors.JOSEError && !(cause instanceof errors.JWKSTimeout) && cause.code !== "ERR_JOSE_GENERIC"
    ? refusedToken(cause)
    : unanswered

const withoutSlash = (url: string) => url.replace(/\/+$/, "")

/** Better Auth keeps its routes below `/api/auth` unless its address says where. */
export const betterAuthJwks = (address: string): URL => {
  const url = new URL(address)
  return new URL(`${url.pathname === "/" ? `${url.origin}/api/auth` : withoutSlash(address)}/jwks`)
}

/** Access tokens of others: of the configured OpenID provider, and of Better Auth. */
export class ForeignTokens extends Effect.Service<ForeignTokens>()("identity/ForeignTokens", {
  dependencies: [OpenIdProvider.Default],
  effect: Effect.gen(function* () {
    const settings: Values = yield* Settings
    const egress = yield* Egress
    const provider = yield* OpenIdProvider
    const clock = yield* Effect.clock
    const { better_auth_url } = settings.login

    const remote = (url: URL, options: EgressOptions) =>
      createRemoteJWKSet(url, {
        timeoutDuration: 5_000,
        cooldownDuration: 10_000,
        cacheMaxAge: 600_000,
        [customFetch]: (address, init) => egress.fetch(options)(address, init as RequestInit)
      })

    const betterAuth: Issuer | undefined =
      better_auth_url === undefined
        ? undefined
        : {
            issuer: withoutSlash(better_auth_url),
            // Better Auth's tokens name Better Auth itself, unless it is told otherwise.
            audience: [...audiences(settings), better_auth_url, withoutSlash(better_auth_url)],
            keys: remote(betterAuthJwks(better_auth_url), { operator_hosts: [new URL(better_auth_url).host] }),
            auth_method: "better_auth"
          }

    // One set of keys for as long as the provider names the same address for them.
    let provided: { readonly address: string; readonly keys: JWTVerifyGetKey } | undefined
    const openId = Effect.map(provider.configuration, (configuration): Issuer | undefined => {
      const { issuer, jwks_uri } = configuration?.serverMetadata() ?? {}
      if (issuer === undefined || jwks_uri === undefined) return undefined
      if (provided?.address !== jwks_uri) {
        provided = { address: jwks_uri, keys: remote(new URL(jwks_uri), provider.options) }
      }
      return { issuer, audience: audiences(settings), keys: provided.keys, auth_method: "oidc" }
    })

    const issuerOf = (iss: string) =>
      Effect.gen(function* () {
        if (betterAuth !== undefined && withoutSlash(iss) === betterAuth.issuer) return { ...betterAuth, issuer: iss }
        const found = yield* openId
        return found?.issuer === iss ? found : undefined
      })

    /** Who the token is for; fails where it is of no issuer that is taken here, or not good. */
    const verify = (token: string): Effect.Effect<Bearer, Unauthorized | UpstreamFailed> =>
      Effect.gen(function* () {
        const claimed = yield* Effect.try({ try: () => decodeJwt(token), catch: refusedToken })
        const issuer = claimed.iss === undefined ? undefined : yield* issuerOf(claimed.iss)
        if (issuer === undefined)
          return yield* new Unauthorized({ detail: "the access token is of an issuer that is not taken here" })
        const now = clock.unsafeCurrentTimeMillis()
        const { payload } = yield* Effect.tryPromise({
          try: () =>
            jwtVerify(token, issuer.keys, {
              issuer: issuer.issuer,
              audience: [...issuer.audience],
              algorithms,
              clockTolerance: CLOCK_SKEW,
              currentDate: new Date(now),
              requiredClaims: ["sub", "exp", "aud"]
            }),
          catch: failure
        })
        if (isFromTheFuture(payload.iat, now)) {
          return yield* new Unauthorized({ detail: "the access token is not valid yet" })
        }
        const { exp, ...person } = yield* Effect.mapError(decode(payload), refusedToken)
        return { person, auth_method: issuer.auth_method, expires_at: (exp + CLOCK_SKEW) * 1000 }
      })

    /** The addresses of the issuers whose tokens are taken here, for who asks where to get one. */
    const authorizationServers = Effect.gen(function* () {
      const found = yield* Effect.option(openId)
      const oidc = Option.getOrUndefined(found)
      return [oidc, betterAuth].flatMap((issuer) => (issuer === undefined ? [] : [issuer.issuer]))
    })

    return { verify, authorizationServers } as const
  })
}) {}
