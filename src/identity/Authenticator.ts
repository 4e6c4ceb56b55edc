import { Cache, Duration, Effect, Exit, Schedule } from "effect"
import { BadRequest, Unauthorized } from "../domain/Errors.ts"
import type { ApiKeyId } from "../domain/Ids.ts"
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
  const given = new Set([headers["x-api-key"], headers["api-key"], bearer].filter((key) => key !== undefined))
  if (given.size > 1) return Effect.fail(new BadRequest({ detail: "the request carries two different credentials" }))
  const [key] = given
  return key === undefined
    ? Effect.fail(new Unauthorized({ detail: "send an API key as `X-API-Key: tp_…` or `Authorization: Bearer tp_…`" }))
    : Effect.succeed(key)
}

const toPrincipal = (key: KeyOwner) =>
  new Principal(
    {
      org_id: key.org_id,
      user_id: key.user_id,
      agent_id: null,
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

    const cache = yield* Cache.makeWith({
      capacity: known,
      lookup: (hash: string) =>
        Effect.map(repo.byHash(hash), (key) =>
          key === undefined
            ? undefined
            : {
                principal: toPrincipal(key),
                expires_at: key.expires_at === null ? Number.POSITIVE_INFINITY : key.expires_at.epochMillis
              }
        ),
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

    const authenticate = (headers: RequestHeaders): Effect.Effect<Principal, Unauthorized | BadRequest> =>
      Effect.flatMap(presentedKey(headers), (key) => {
        if (!KeyFormat.isWellFormed(key))
          return Effect.fail(new Unauthorized({ detail: "this is not an API key of this service" }))
        return Effect.flatMap(cache.get(KeyFormat.hash(key)), (found) => {
          const now = clock.unsafeCurrentTimeMillis()
          if (found === undefined || found.expires_at <= now) return Effect.fail(refused)
          if (found.principal.key_id !== null) used.set(found.principal.key_id, now)
          return Effect.succeed(found.principal)
        })
      })

    /** Makes a change of a key take effect on this node at once. */
    const forget = (hash: string) => cache.invalidate(hash)

    return { authenticate, forget } as const
  })
}) {}
