import { Cache, Duration, Effect, Exit } from "effect"
import type { Principal } from "../domain/Principal.ts"

/** A principal, and when (milliseconds since the epoch) its credential ends. */
export interface Found {
  readonly principal: Principal
  readonly expires_at: number
}

// What another node changed is seen after this long at the latest.
const remembered = Duration.seconds(4)

/**
 * Remembers for a few seconds whom a credential belongs to, and that it belongs to nobody: many
 * requests ask the database once. Bounded by `capacity`; failures are not remembered.
 */
export const remembering = <E>(capacity: number, lookup: (credential: string) => Effect.Effect<Found | undefined, E>) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    // A plain map beside the cache: what was found is answered without an effect's machinery.
    const recent = new Map<string, Found & { readonly until: number }>()
    // Counts what was forgotten: what was read before is not remembered after.
    let forgotten = 0

    const cache = yield* Cache.makeWith({
      capacity,
      lookup: (credential: string) =>
        Effect.suspend(() => {
          const before = forgotten
          const until = clock.unsafeCurrentTimeMillis() + Duration.toMillis(remembered)
          return Effect.map(lookup(credential), (found) => {
            if (found === undefined) return undefined
            if (recent.size >= capacity) recent.clear()
            // What was changed while it was looked up may have been read as it was.
            if (before === forgotten) recent.set(credential, { ...found, until })
            return found
          })
        }),
      // A failure of the database is nobody's credential: it is asked again at once.
      timeToLive: (exit) => (Exit.isSuccess(exit) ? remembered : Duration.zero)
    })

    /** Whom the credential belongs to, when that is known without asking. */
    const peek = (credential: string): Found | undefined => {
      const found = recent.get(credential)
      return found !== undefined && found.until > clock.unsafeCurrentTimeMillis() ? found : undefined
    }

    /** Whom the credential belongs to; undefined: nobody. */
    const get = (credential: string) =>
      Effect.suspend(() => {
        const before = forgotten
        return Effect.tap(cache.get(credential), () =>
          before === forgotten ? Effect.void : cache.invalidate(credential)
        )
      })

    /** Makes a change take effect on this node at once. */
    const forget = (credential: string) =>
      Effect.suspend(() => {
        forgotten += 1
        recent.delete(credential)
        return cache.invalidate(credential)
      })

    /** Forgets everything: for a change that many credentials may belong to. */
    const forgetAll = Effect.suspend(() => {
      forgotten += 1
      recent.clear()
      return cache.invalidateAll
    })

    return { peek, get, forget, forgetAll } as const
  })
