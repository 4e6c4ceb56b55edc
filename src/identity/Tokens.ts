import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Forbidden, Unauthorized } from "../domain/Errors.ts"
import type { OrganizationId } from "../domain/Ids.ts"
import { TokenRefused, type TokenRequest, Tokens as TokensAnswer } from "../domain/identity/Token.ts"
import { CurrentPrincipal, effectiveScopes, Principal } from "../domain/Principal.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { ACCESS_TOKEN_SECONDS, AccessTokens, CLOCK_SKEW } from "./AccessTokens.ts"
import { Audit } from "./Audit.ts"
import { Authenticator } from "./Authenticator.ts"
import { clientIdIn, presentedClient, presentedCredential, type RequestHeaders } from "./Credentials.ts"
import * as KeyFormat from "./KeyFormat.ts"
import { Logins, wantedOrganization } from "./Logins.ts"
import { OpenIdProvider } from "./OpenIdProvider.ts"
import { issuedBy } from "./ServiceAddress.ts"
import { type Family, TokensRepo } from "./TokensRepo.ts"

const DAY = 24 * 60 * 60

/** Seconds that a refresh token may lie unused. */
const REFRESH_SECONDS = 30 * DAY

/** Seconds after which a person has to log in again, however often the tokens were refreshed. */
const LOGIN_SECONDS = 90 * DAY

const invalidRefresh = new TokenRefused({
  error: "invalid_grant",
  detail: "the refresh token is unknown, expired or revoked"
})

const reused = new TokenRefused({
  error: "invalid_grant",
  detail: "the refresh token was used before: all tokens of this login are revoked now"
})

const noMember = new Forbidden({ detail: "you are not a member of the organization any more" })

const lacks = (field: string, { grant_type }: TokenRequest) =>
  new TokenRefused({ error: "invalid_request", detail: `${field} is needed for the grant ${grant_type}` })

const makeRefresh = () => `tp_refresh_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64url")}`

/** Tokens of this service: given for a login or an agent's secret, refreshed, revoked. */
export class Tokens extends Effect.Service<Tokens>()("identity/Tokens", {
  dependencies: [
    TokensRepo.Default,
    AccessTokens.Default,
    OpenIdProvider.Default,
    Logins.Default,
    Authenticator.Default,
    Audit.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* TokensRepo
    const accessTokens = yield* AccessTokens
    const provider = yield* OpenIdProvider
    const logins = yield* Logins
    const authenticator = yield* Authenticator
    const audit = yield* Audit

    const recorded = (principal: Principal, action: string, family: Family) =>
      audit
        .record({ action, resource: `token_family/${family.id}` })
        .pipe(Effect.provideService(CurrentPrincipal, principal))

    const answer = (principal: Principal, family: Family, refresh_token?: string) =>
      Effect.gen(function* () {
        const { org_id, user_id, agent_id } = principal
        const scope = effectiveScopes(principal)
          .filter((one) => one !== "*")
          .join(" ")
        const access_token = yield* accessTokens.sign({ org_id, user_id, agent_id, family_id: family.id }, scope)
        return new TokensAnswer({
          access_token,
          token_type: "Bearer",
          expires_in: ACCESS_TOKEN_SECONDS,
          ...(refresh_token === undefined ? {} : { refresh_token }),
          scope,
          org_id,
          user_id,
          agent_id
        })
      })

    /** A principal of a login: whoever it is, with all that their role allows. */
    const toPrincipal = (who: Pick<Principal, "org_id" | "user_id" | "agent_id" | "role">) =>
      new Principal({ ...who, scopes: ["*"], suite_ids: null, key_id: null, auth_method: "access_token" })

    const logIn = (request: TokenRequest, wanted: OrganizationId | undefined) =>
      Effect.gen(function* () {
        const { code, redirect_uri, code_verifier } = request
        if (code === undefined) return yield* lacks("code", request)
        if (redirect_uri === undefined) return yield* lacks("redirect_uri", request)
        if (code_verifier === undefined) return yield* lacks("code_verifier", request)
        const person = yield* provider.exchange({ ...request, code, redirect_uri, code_verifier })
        // Also for a member of one organization whom another has invited.
        yield* logins.welcome(person)
        const { org_id, user_id, role } = yield* logins.membership(person, wanted)
        const principal = toPrincipal({ org_id, user_id, agent_id: null, role })
        const refresh_token = makeRefresh()
        const family = yield* Effect.gen(function* () {
          const made = yield* repo.insertFamily({ org_id, user_id, agent_id: null }, LOGIN_SECONDS)
          yield* repo.insertRefresh(made.id, KeyFormat.hash(refresh_token), REFRESH_SECONDS)
          yield* recorded(principal, "auth.login", made)
          return made
        }).pipe(sql.withTransaction, orDefect)
        return yield* answer(principal, family, refresh_token)
      })

    const clientCredential = (grant: TokenRequest, headers: RequestHeaders) => {
      const { client_id, client_secret } = grant
      if (client_id === undefined && client_secret === undefined) return presentedCredential(headers)
      if (client_id === undefined || client_secret === undefined) {
        return new TokenRefused({ error: "invalid_request", detail: "client_id and client_secret belong together" })
      }
      return presentedClient(client_id, client_secret)
    }

    const logInAgent = (grant: TokenRequest, headers: RequestHeaders) =>
      Effect.gen(function* () {
        const credential = yield* clientCredential(grant, headers)
        if (credential.kind !== "client_secret") {
          return yield* new Unauthorized({ detail: "client_credentials are an agent's client id and secret" })
        }
        const principal = yield* authenticator.identify(credential, undefined)
        const { org_id, agent_id } = principal
        const family = yield* Effect.tap(
          repo.insertFamily({ org_id, user_id: null, agent_id }, ACCESS_TOKEN_SECONDS + CLOCK_SKEW),
          (made) => recorded(principal, "auth.login", made)
        ).pipe(sql.withTransaction, orDefect)
        // No refresh token (RFC 6749, 4.4.3): the agent has its secret.
        return yield* answer(principal, family)
      })

    /** What a refresh comes to; a reuse is no failure of the transaction, which has to hold what it revokes. */
    const exchange = (hash: string, next: string, wanted: OrganizationId | undefined) =>
      Effect.gen(function* () {
        const found = yield* repo.refresh(hash)
        if (found === undefined || found.user_id === null) return invalidRefresh
        const { user_id, org_id } = found
        if (found.used) {
          const revoked = yield* repo.revoke(found.id)
          if (revoked !== undefined) yield* recorded(toPrincipal({ ...found, role: null }), "auth.refresh_reuse", found)
          return reused
        }
        if (found.over) return invalidRefresh
        const { role } = (yield* repo.roleIn(wanted ?? org_id, user_id)) ?? { role: null }
        if (role === null) return noMember
        const principal = toPrincipal({ org_id: wanted ?? org_id, user_id, agent_id: null, role })
        yield* repo.use(hash)
        yield* repo.insertRefresh(found.id, KeyFormat.hash(next), REFRESH_SECONDS)
        if (principal.org_id !== org_id) yield* repo.move(found.id, principal.org_id)
        yield* recorded(principal, "auth.refresh", found)
        return { principal, family: found }
      }).pipe(sql.withTransaction, orDefect)

    /** New tokens for a refresh token, which is good for this one use. */
    const refresh = Effect.fn("Tokens.refresh")(function* (refresh_token: string, headers: RequestHeaders) {
      const next = makeRefresh()
      const result = yield* exchange(KeyFormat.hash(refresh_token), next, wantedOrganization(headers))
      if (result === reused) yield* authenticator.forgetTokens
      if ("_tag" in result) return yield* result
      return yield* answer(result.principal, result.family, next)
    })

    /** Tokens for a login, for an agent's secret, or for a refresh token (RFC 6749). */
    const token = Effect.fn("Tokens.token")(function* (request: TokenRequest, headers: RequestHeaders) {
      switch (request.grant_type) {
        case "authorization_code":
          return yield* logIn(request, wantedOrganization(headers))
        case "client_credentials":
          return yield* logInAgent(request, headers)
        case "refresh_token":
          if (request.refresh_token === undefined) return yield* lacks("refresh_token", request)
          return yield* refresh(request.refresh_token, headers)
        default:
          return yield* new TokenRefused({
            error: "unsupported_grant_type",
            detail: "grant_type is authorization_code, client_credentials or refresh_token"
          })
      }
    })

    const familyOf = (text: string) =>
      issuedBy(text, accessTokens.issuer)
        ? accessTokens.verify(text).pipe(
            Effect.map(({ family_id }) => family_id),
            Effect.catchTag("Unauthorized", () => Effect.succeed(undefined))
          )
        : Effect.map(repo.refresh(KeyFormat.hash(text)), (found) => found?.id)

    /** Ends the login that a refresh or an access token belongs to; a token of nobody is no failure (RFC 7009). */
    const revoke = Effect.fn("Tokens.revoke")(function* (text: string) {
      const family_id = yield* familyOf(text)
      if (family_id === undefined) return
      yield* Effect.gen(function* () {
        const family = yield* repo.revoke(family_id)
        if (family !== undefined) yield* recorded(toPrincipal({ ...family, role: null }), "auth.revoke", family)
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forgetTokens
    })

    /** By which beginning a request's failures are counted: an agent's client id, for what it proves with its secret. */
    const presentedBy = (request: TokenRequest, headers: RequestHeaders): string | null =>
      request.grant_type === "client_credentials" ? (request.client_id ?? clientIdIn(headers)) : null

    return { token, refresh, revoke, presentedBy } as const
  })
}) {}
