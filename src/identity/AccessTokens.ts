import { Effect, Schema } from "effect"
import { decodeProtectedHeader, jwtVerify, SignJWT } from "jose"
import { Unauthorized, type Unavailable } from "../domain/Errors.ts"
import { AgentId, OrganizationId, TokenFamilyId, UserId } from "../domain/Ids.ts"
import { Id } from "../platform/Id.ts"
import { Settings } from "../platform/Settings.ts"
import { publicUrl } from "./ServiceAddress.ts"
import { SigningKeys } from "./SigningKeys.ts"

/** Seconds that an access token is good for. */
export const ACCESS_TOKEN_SECONDS = 15 * 60

/** Clocks may differ by so many seconds. */
export const CLOCK_SKEW = 60

// RFC 9068: so that no other JWT of ours, should there ever be one, is taken for an access token.
const TYPE = "at+jwt"

/** What an access token of this service says. */
const Claims = Schema.Struct({
  sub: Schema.Union(Schema.TemplateLiteralParser("user/", UserId), Schema.TemplateLiteralParser("agent/", AgentId)),
  org_id: OrganizationId,
  sid: TokenFamilyId,
  iat: Schema.Number,
  exp: Schema.Number
})
const decode = Schema.decodeUnknown(Claims)

/** Who an access token is for. */
export interface AccessToken {
  readonly org_id: OrganizationId
  readonly user_id: UserId | null
  readonly agent_id: AgentId | null
  readonly family_id: TokenFamilyId
  /** Milliseconds since the epoch. */
  readonly expires_at: number
}

/** What is said of a JWT that is not taken, without telling an attacker more than its own claims. */
export const refusedToken = (cause: unknown): Unauthorized => {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const claim = cause instanceof Error && "claim" in cause ? String(cause.claim) : ""
  if (code === "ERR_JWT_EXPIRED") return new Unauthorized({ detail: "the access token has expired" })
  if (claim === "aud") return new Unauthorized({ detail: "the access token is for another audience" })
  if (claim === "nbf" || claim === "iat") return new Unauthorized({ detail: "the access token is not valid yet" })
  return new Unauthorized({ detail: "the access token is not one that is taken here" })
}

/** A token that claims to be made later than now is refused: jose looks at `nbf` alone. */
export const isFromTheFuture = (iat: number | undefined, now: number): boolean =>
  iat !== undefined && iat > now / 1000 + CLOCK_SKEW

const notYet = new Unauthorized({ detail: "the access token is not valid yet" })

/** Access tokens of this service: JWTs (RFC 9068) signed with EdDSA. */
export class AccessTokens extends Effect.Service<AccessTokens>()("identity/AccessTokens", {
  dependencies: [SigningKeys.Default],
  effect: Effect.gen(function* () {
    const keys = yield* SigningKeys
    const id = yield* Id
    const issuer = publicUrl(yield* Settings)
    const clock = yield* Effect.clock

    /** The signed text of a token that ends {@link ACCESS_TOKEN_SECONDS} from now. */
    const sign = (token: Omit<AccessToken, "expires_at">, scope: string) =>
      Effect.gen(function* () {
        const { signing } = yield* keys.current
        const now = Math.floor(clock.unsafeCurrentTimeMillis() / 1000)
        const sub = token.user_id === null ? `agent/${token.agent_id}` : `user/${token.user_id}`
        const claims = { org_id: token.org_id, sid: token.family_id, scope, client_id: sub }
        return yield* Effect.promise(() =>
          new SignJWT(claims)
            .setProtectedHeader({ alg: "EdDSA", typ: TYPE, kid: signing.kid })
            .setIssuer(issuer)
            .setAudience(issuer)
            .setSubject(sub)
            .setJti(id.next())
            .setIssuedAt(now)
            .setExpirationTime(now + ACCESS_TOKEN_SECONDS)
            .sign(signing.private_key)
        )
      })

    /** Who the token is for, when it is one of ours and still good. */
    const verify = (token: string): Effect.Effect<AccessToken, Unauthorized | Unavailable> =>
      Effect.gen(function* () {
        const { kid } = yield* Effect.try({ try: () => decodeProtectedHeader(token), catch: refusedToken })
        const key = kid === undefined ? undefined : yield* keys.verifying(kid)
        if (key === undefined) return yield* refusedToken(undefined)
        const now = clock.unsafeCurrentTimeMillis()
        const { payload } = yield* Effect.tryPromise({
          try: () =>
            jwtVerify(token, key.public_key, {
              issuer,
              audience: issuer,
              algorithms: ["EdDSA"],
              typ: TYPE,
              clockTolerance: CLOCK_SKEW,
              currentDate: new Date(now),
              requiredClaims: ["sub", "exp", "iat"]
            }),
          catch: refusedToken
        })
        if (isFromTheFuture(payload.iat, now)) return yield* notYet
        const { sub, org_id, sid, exp } = yield* Effect.mapError(decode(payload), refusedToken)
        return {
          org_id,
          user_id: sub[0] === "user/" ? sub[1] : null,
          agent_id: sub[0] === "agent/" ? sub[1] : null,
          family_id: sid,
          expires_at: (exp + CLOCK_SKEW) * 1000
        }
      })

    return { sign, verify, issuer } as const
  })
}) {}
