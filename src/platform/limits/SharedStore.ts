import { Clock, Duration, Effect, Schema } from "effect"
import * as Memory from "../MemoryRateLimitStore.ts"
import type { Limit, RateLimitStore, Taken } from "../RateLimitStore.ts"
import type { Backoff } from "./Backoff.ts"

/** The store of the limits did not answer, or not in time. */
export class StoreAway extends Schema.TaggedError<StoreAway>("platform/limits/StoreAway")("StoreAway", {
  reason: Schema.String
}) {
  override get message() {
    return this.reason
  }
}

/** A store that other nodes use too, and that may be away. */
export interface SharedStore {
  readonly kind: "PostgreSQL" | "Redis"
  readonly take: (limits: ReadonlyArray<Limit>) => Effect.Effect<Omit<Taken, "local">, StoreAway>
  readonly fail: (keys: ReadonlyArray<string>, backoff: Backoff) => Effect.Effect<ReadonlyArray<number>, StoreAway>
  readonly forget: (keys: ReadonlyArray<string>) => Effect.Effect<void, StoreAway>
}

/** No request waits longer for its limits; a store under load is asked, and not passed by. */
const patience = Duration.seconds(1)
/** A store that was away is asked again after this long, by one request. */
const pause_ms = 1000
const logEvery_ms = 60_000

/**
 * The store with one in memory to fall back on. While it is away requests are neither refused for that
 * nor let through unbounded: this node holds them to the same limits by itself, so that together the
 * nodes admit at most as many times the limits as there are nodes.
 */
export const withFallback = (shared: SharedStore): Effect.Effect<typeof RateLimitStore.Service> =>
  Effect.gen(function* () {
    const memory = yield* Memory.make
    let askedAgain_at = Number.NEGATIVE_INFINITY
    let logged_at = Number.NEGATIVE_INFINITY
    let away = false

    const noteAway = ({ reason }: StoreAway) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        away = true
        askedAgain_at = now + pause_ms
        if (now - logged_at < logEvery_ms) return Effect.void
        logged_at = now
        return Effect.logWarning(`rate limits are counted by this node alone: ${shared.kind} is away: ${reason}`)
      })

    const orElse = <A>(asked: Effect.Effect<A, StoreAway>, local: Effect.Effect<A>): Effect.Effect<A> =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        if (away && now < askedAgain_at) return local
        // This one finds out; the others do not wait with it.
        if (away) askedAgain_at = now + Duration.toMillis(patience) + pause_ms
        return asked.pipe(
          // What hangs may not be interruptible either.
          Effect.disconnect,
          Effect.timeoutFail({
            duration: patience,
            onTimeout: () => new StoreAway({ reason: `no answer within ${Duration.toMillis(patience)} ms` })
          }),
          Effect.tap(() => {
            away = false
          }),
          Effect.catchAll((error) => Effect.zipRight(noteAway(error), local))
        )
      })

    return {
      kind: shared.kind,
      take: (limits) =>
        orElse<Taken>(
          Effect.map(shared.take(limits), (taken) => ({ ...taken, local: false })),
          Effect.map(memory.take(limits), (taken) => ({ ...taken, local: true }))
        ),
      fail: (keys, backoff) => orElse(shared.fail(keys, backoff), memory.fail(keys, backoff)),
      forget: (keys) => orElse(shared.forget(keys), memory.forget(keys))
    }
  })
