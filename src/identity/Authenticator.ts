import { Cache, Duration, Effect, Exit, Schedule } from "effect"
import { BadRequest, Unauthorized } from "../domain/Errors.ts"
import type { ApiKeyId, OrganizationId, UserId } from "../domain/Ids.ts"
import { Principal } from "../domain/Principal.ts"
import { ApiKeysRepo, type KeyOwner } from "./ApiKeysRepo.ts"
import * as KeyFormat from "./KeyFormat.ts"

/** The headers of a request, by lower-case name. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>

// Another node's revocation is seen after this long at the latest.
const remembered = Duration.seconds(4)
const known = 20_000
const touchEvery = Duration.seconds(10)

/** The one API key that a request carries. Two different credentials are a 400. */
export const presentedKey = (headers: RequestHeaders): Effect.Effect<string, Unauthorized | BadRequest> => {
  const { authorization } = headers
  const bearer = authorization === undefined ? undefined : /^bearer +(\S+) *$/i.exec(authorization)?.[1]
  if (authorization !== undefined && bearer === undefined) {
    return Effect.fail(new Unauthorized({ detail: "Authorization must be `Bearer <API key>`" }))
  }
  // A header that is sent twice arrives as one, its values joined.
  const sent = [headers["x-api-key"], headers["api-key"], bearer].filter((value) => value !== undefined)
  const given = new Set(sent.some((value) => value.includes(",")) ? sent.flatMap((value) => value.split(/, */)) : sent)
  if (given.size > 1) return Effect.fail(new BadRequest({ detail: "the request carries two different credentials" }))
  const [key] = given
  return key === undefined
    ? Effect.fail(new Unauthorized({ detail: "send an API key as `X-API-Key: tp_…` or `Authorization: Bearer tp_…`" }))
    : Effect.succeed(key)
}

/** What is known of a key for a while. */
interface Remembered {
  readonly principal: Principal
  readonly expires_at: number
  /** When the database has to be asked again. */
  readonly until: number
}

const toPrincipal = (key: KeyOwner) =>
  new Principal(
    {
      org_id: key.org_id,
      user_id: key.user_id,
      agent_id: key.agent_id,
      role: key.role,
      scopes: key.scopes,
      suite_ids: key.suite_ids,
      key_id: key.id,
      auth_method: "api_key"
    },
    { disableValidation: true }
  )

/** Turns credentials into principals. One plain function, for every protocol alike. */
export class Authenticator extends Effect.Service<Authenticator>()("identity/Authenticator", {
  dependencies: [ApiKeysRepo.Default],
  scoped: Effect.gen(function* () {
    const repo = yield* ApiKeysRepo
    const clock = yield* Effect.clock
    const used = new Map<ApiKeyId, number>()
    // Before the cache, because nearly every request ends here, and a cache's look-up costs more than all else.
    const recent = new Map<string, Remembered>()
    let forgotten = 0

    const lookup = (hash: string) =>
      Effect.suspend(() => {
        const before = forgotten
        const until = clock.unsafeCurrentTimeMillis() + Duration.toMillis(remembered)
        return Effect.map(repo.byHash(hash), (key) => {
          if (key === undefined) return undefined
          const expires_at = key.expires_at === null ? Number.POSITIVE_INFINITY : key.expires_at.epochMillis
          const found: Remembered = { principal: toPrincipal(key), expires_at, until }
          if (recent.size >= known) recent.clear()
          // A key that was changed while it was looked up may have been read as it was.
          if (before === forgotten) recent.set(hash, found)
          return found
        })
      })

    // Many requests that miss at once ask the database once.
    const cache = yield* Cache.makeWith({
      capacity: known,
      lookup,
      // A failure of the database is nobody's credential: it is asked again at once.
      timeToLive: (exit) => (Exit.isSuccess(exit) ? remembered : Duration.zero)
    })

    const flush = Effect.suspend(() => {
      const batch = [...used].map(([id, at]) => ({ id, at: new Date(at) }))
      used.clear()
      return batch.length === 0 ? Effect.void : repo.touch(batch)
    })
    const flushed = Effect.catchAllDefect(flush, (defect) =>
      Effect.logWarning("could not note when keys were used", defect)
    )
    yield* Effect.forkScoped(Effect.repeat(flushed, Schedule.spaced(touchEvery)))
    yield* Effect.addFinalizer(() => flushed)

    const refused = new Unauthorized({ detail: "the API key is unknown, expired or revoked" })

    const admit = (found: Remembered | undefined, now: number): Effect.Effect<Principal, Unauthorized> => {
      if (found === undefined || found.expires_at <= now) return Effect.fail(refused)
      if (found.principal.key_id !== null) used.set(found.principal.key_id, now)
      return Effect.succeed(found.principal)
    }

    const authenticate = (headers: RequestHeaders): Effect.Effect<Principal, Unauthorized | BadRequest> =>
      Effect.flatMap(presentedKey(headers), (key) => {
        const hash = KeyFormat.hash(key)
        const now = clock.unsafeCurrentTimeMillis()
        const found = recent.get(hash)
        if (found !== undefined && found.until > now) return admit(found, now)
        return KeyFormat.isWellFormed(key)
          ? Effect.flatMap(cache.get(hash), (read) => admit(read, clock.unsafeCurrentTimeMillis()))
          : Effect.fail(new Unauthorized({ detail: "this is not an API key of this service" }))
      })

    /** Makes a change of a key take effect on this node at once. */
    const forget = (hash: string) =>
      Effect.suspend(() => {
        forgotten += 1
        recent.delete(hash)
        return cache.invalidate(hash)
      })

    const forgetAll = Effect.suspend(() => {
      forgotten += 1
      recent.clear()
      return cache.invalidateAll
    })

    /** Makes a change of an agent take effect on this node at once, for each of its credentials. */
    const forgetAgent = (_client_id: string) => forgetAll

    /** Makes a change of what a user is take effect on this node at once, for each of their credentials. */
    const forgetUser = (_user_id: UserId) => forgetAll

    /** Makes the end of an organization take effect on this node at once. */
    const forgetOrganization = (_org_id: OrganizationId) => forgetAll

    return { authenticate, forget, forgetAgent, forgetUser, forgetOrganization } as const
  })
}) {}
