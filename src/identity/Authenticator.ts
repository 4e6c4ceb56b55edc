import { Duration, Effect, Option, Schedule } from "effect"
import { type BadRequest, Forbidden, Unauthorized, type Unavailable, type UpstreamFailed } from "../domain/Errors.ts"
import type { AgentId, ApiKeyId } from "../domain/Ids.ts"
import { Principal, Scope } from "../domain/Principal.ts"
import { AccessTokens } from "./AccessTokens.ts"
import { AgentsRepo } from "./AgentsRepo.ts"
import { ApiKeysRepo, type KeyOwner } from "./ApiKeysRepo.ts"
import type { Credential } from "./Credentials.ts"
import { ForeignTokens } from "./ForeignTokens.ts"
import * as KeyFormat from "./KeyFormat.ts"
import { Logins } from "./Logins.ts"
import type { Person } from "./Person.ts"
import { Refusals } from "./Refusals.ts"
import { type Found, remembering } from "./Remembered.ts"
import { issuedBy } from "./ServiceAddress.ts"
import { TokensRepo } from "./TokensRepo.ts"

/** Why a request is not let in. */
export type AuthenticationFailure = Unauthorized | BadRequest | Forbidden | Unavailable | UpstreamFailed

const sweepEvery = Duration.minutes(10)
const touchEvery = Duration.seconds(10)

const unknownKey = new Unauthorized({ detail: "the API key is unknown, expired or revoked" })

const notOurKey = new Unauthorized({ detail: "this is not an API key of this service" })

const unknownClient = new Unauthorized({ detail: "the client id or its secret is wrong, or the agent is disabled" })

const revokedToken = new Unauthorized({ detail: "the access token was revoked, or its owner is not a member any more" })

const elsewhere = new Forbidden({
  detail: "this credential acts in its own organization, which is not the one that X-Org-Id names"
})

/** A principal whose parts were checked where they were read. */
const principal = (parts: ConstructorParameters<typeof Principal>[0]) =>
  new Principal(parts, { disableValidation: true })

const ofKey = (key: KeyOwner): Found => ({
  principal: principal({
    org_id: key.org_id,
    user_id: key.user_id,
    agent_id: key.agent_id,
    role: key.role,
    scopes: key.scopes,
    suite_ids: key.suite_ids,
    key_id: key.id,
    auth_method: "api_key"
  }),
  expires_at: key.expires_at === null ? Number.POSITIVE_INFINITY : key.expires_at.epochMillis
})

const openIdScopes = ["openid", "profile", "email", "address", "phone", "offline_access", ""]

/**
 * What an issuer's token may do: the scopes of this service that it names. One that names none but those
 * of OpenID Connect stands for its whole person; one that names others was meant for something else.
 */
const scopesOf = ({ scope }: Person): ReadonlyArray<Scope> => {
  const named = (scope ?? "").split(" ").filter((one) => !openIdScopes.includes(one))
  return named.length === 0 ? ["*"] : Scope.literals.filter((one) => one !== "*" && named.includes(one))
}

/** Empties a map of what was used when. */
const noted = <Id>(moments: Map<Id, number>) => {
  const batch = [...moments].map(([id, at]) => ({ id, at: new Date(at) }))
  moments.clear()
  return batch
}

/** Turns credentials into principals. One plain function, for every protocol alike. */
export class Authenticator extends Effect.Service<Authenticator>()("identity/Authenticator", {
  dependencies: [
    ApiKeysRepo.Default,
    AgentsRepo.Default,
    TokensRepo.Default,
    AccessTokens.Default,
    ForeignTokens.Default,
    Logins.Default,
    Refusals.Default
  ],
  scoped: Effect.gen(function* () {
    const keys = yield* ApiKeysRepo
    const agents = yield* AgentsRepo
    const tokens = yield* TokensRepo
    const accessTokens = yield* AccessTokens
    const foreign = yield* ForeignTokens
    const logins = yield* Logins
    const refusals = yield* Refusals
    const clock = yield* Effect.clock
    const used = new Map<ApiKeyId, number>()
    // Agents that came without a key: whose key is used was seen by that.
    const seen = new Map<AgentId, number>()

    const byKey = yield* remembering(20_000, (hash) =>
      Effect.map(keys.byHash(hash), (key) => (key === undefined ? undefined : ofKey(key)))
    )

    const byClient = yield* remembering(5_000, (presented) =>
      Effect.gen(function* () {
        // A hash has 64 letters, whatever the client id may be.
        const [hash, client_id] = [presented.slice(0, 64), presented.slice(64)]
        const agent = yield* agents.byClientId(client_id)
        if (agent === undefined || agent.status !== "active") return undefined
        const overlap = agent.previous_secret_until?.epochMillis ?? 0
        const isNow = KeyFormat.isSame(hash, agent.secret_hash)
        const isBefore = agent.previous_secret_hash !== null && KeyFormat.isSame(hash, agent.previous_secret_hash)
        if (!isNow && !isBefore) return undefined
        return {
          principal: principal({
            org_id: agent.org_id,
            user_id: null,
            agent_id: agent.id,
            role: null,
            scopes: agent.scopes,
            suite_ids: null,
            key_id: null,
            auth_method: "client_secret"
          }),
          expires_at: isNow ? Number.POSITIVE_INFINITY : overlap
        }
      })
    )

    const own = (token: string): Effect.Effect<Found, Unauthorized | Unavailable> =>
      Effect.gen(function* () {
        const { org_id, user_id, agent_id, family_id, expires_at } = yield* accessTokens.verify(token)
        const holder = yield* tokens.holder({ family_id, org_id, user_id, agent_id })
        if (holder === undefined) return yield* revokedToken
        const { role, scopes } = holder
        return {
          principal: principal({
            org_id,
            user_id,
            agent_id,
            role,
            scopes,
            suite_ids: null,
            key_id: null,
            auth_method: "access_token"
          }),
          expires_at
        }
      })

    const others = (
      token: string,
      wanted: string | undefined
    ): Effect.Effect<Found, Unauthorized | Forbidden | UpstreamFailed> =>
      Effect.gen(function* () {
        const { person, auth_method, expires_at } = yield* foreign.verify(token)
        const { org_id, user_id, role } = yield* logins.membership(person, wanted)
        return {
          principal: principal({
            org_id,
            user_id,
            agent_id: null,
            role,
            scopes: scopesOf(person),
            suite_ids: null,
            key_id: null,
            auth_method
          }),
          expires_at
        }
      })

    const byToken = yield* remembering(5_000, (presented): Effect.Effect<Found, AuthenticationFailure> => {
      const [token = "", wanted] = presented.split("\n")
      return issuedBy(token, accessTokens.issuer) ? own(token) : others(token, wanted)
    })

    const flush = Effect.suspend(() => {
      const batch = noted(used)
      const agentsSeen = noted(seen)
      return Effect.zipRight(
        batch.length === 0 ? Effect.void : keys.touch(batch),
        agentsSeen.length === 0 ? Effect.void : agents.touch(agentsSeen)
      )
    })
    const flushed = Effect.catchAllDefect(flush, (defect) =>
      Effect.logWarning("could not note when keys were used", defect)
    )
    yield* Effect.forkScoped(Effect.repeat(flushed, Schedule.spaced(touchEvery)))
    yield* Effect.addFinalizer(() => flushed)
    const swept = Effect.catchAllDefect(tokens.sweep, (defect) =>
      Effect.logWarning("logins that ended could not be removed", defect)
    )
    yield* Effect.forkScoped(Effect.repeat(swept, Schedule.spaced(sweepEvery)))

    const admit = (
      found: Found | undefined,
      wanted: string | undefined,
      refused: Unauthorized
    ): Effect.Effect<Principal, Unauthorized | Forbidden> => {
      const now = clock.unsafeCurrentTimeMillis()
      if (found === undefined || found.expires_at <= now) return Effect.fail(refused)
      const { key_id, agent_id, org_id } = found.principal
      if (wanted !== undefined && wanted !== org_id) return Effect.fail(elsewhere)
      if (key_id !== null) used.set(key_id, now)
      else if (agent_id !== null) seen.set(agent_id, now)
      return Effect.succeed(found.principal)
    }

    const judge = (
      credential: Credential,
      wanted: string | undefined
    ): Effect.Effect<Principal, AuthenticationFailure> => {
      switch (credential.kind) {
        case "api_key": {
          const hash = KeyFormat.hash(credential.key)
          const known = byKey.peek(hash)
          if (known !== undefined) return admit(known, wanted, unknownKey)
          if (!KeyFormat.isWellFormed(credential.key)) return Effect.fail(notOurKey)
          return Effect.flatMap(byKey.get(hash), (found) => admit(found, wanted, unknownKey))
        }
        case "client_secret": {
          const presented = `${KeyFormat.hash(credential.secret)}${credential.client_id}`
          return Effect.flatMap(byClient.get(presented), (found) => admit(found, wanted, unknownClient))
        }
        case "token": {
          const presented = wanted === undefined ? credential.token : `${credential.token}\n${wanted}`
          const expired = new Unauthorized({ detail: "the access token has expired" })
          return Effect.flatMap(byToken.get(presented), (found) => admit(found, wanted, expired))
        }
      }
    }

    /** Whose credential it is that was refused; undefined where it is nobody's. */
    const owner = (credential: Credential) =>
      Effect.gen(function* () {
        switch (credential.kind) {
          case "api_key": {
            if (!KeyFormat.isWellFormed(credential.key)) return undefined
            const key = yield* keys.refused(KeyFormat.hash(credential.key))
            return key === undefined ? undefined : { ...key, credential: `api_key/${key.id}` }
          }
          case "client_secret": {
            const agent = yield* agents.byClientId(credential.client_id)
            if (agent === undefined) return undefined
            const reason = agent.status === "active" ? "wrong secret" : "disabled"
            return { org_id: agent.org_id, user_id: null, credential: `agent/${agent.id}`, reason }
          }
          case "token": {
            // What was signed here and is refused nevertheless was revoked, or its owner left.
            const token = yield* Effect.option(accessTokens.verify(credential.token))
            if (Option.isNone(token)) return undefined
            const { org_id, user_id, family_id } = token.value
            return { org_id, user_id, credential: `token_family/${family_id}`, reason: "revoked" }
          }
        }
      })

    const blamed = (credential: Credential) =>
      Effect.flatMap(owner(credential), (found) => (found === undefined ? Effect.void : refusals.authentication(found)))

    /** Whom a credential belongs to, who acts in the wanted organization or in its own; refusals are audited. */
    const identify = (
      credential: Credential,
      wanted: string | undefined
    ): Effect.Effect<Principal, AuthenticationFailure> =>
      Effect.tapErrorTag(judge(credential, wanted), "Unauthorized", () => blamed(credential))

    /** Whose API key it is, when that is known without asking: nearly every request ends here. */
    const recall = (key: string): Principal | undefined => {
      const found = byKey.peek(KeyFormat.hash(key))
      const now = clock.unsafeCurrentTimeMillis()
      if (found === undefined || found.expires_at <= now) return undefined
      if (found.principal.key_id !== null) used.set(found.principal.key_id, now)
      return found.principal
    }

    const forgetAll = Effect.all([byKey.forgetAll, byClient.forgetAll, byToken.forgetAll], { discard: true })

    return {
      identify,
      recall,
      /** Makes a change of a key take effect on this node at once. */
      forget: byKey.forget,
      /** Makes a change of what an agent, a user or an organization is take effect on this node at once. */
      forgetAll,
      /** Makes a change of logins or memberships take effect on this node at once. */
      forgetTokens: byToken.forgetAll
    } as const
  })
}) {}
