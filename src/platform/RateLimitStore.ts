import { Context, type Effect } from "effect"
import type { Backoff } from "./limits/Backoff.ts"
import type { Rate } from "./limits/Gcra.ts"

/** A rate that one subject has to keep to. */
export interface Limit extends Rate {
  /** Whose, and of what: `key:<id>`, at most 200 characters. */
  readonly key: string
}

/** What became of one request. */
export interface Taken {
  /** True when every limit admitted it, and all of them counted it; otherwise none did. */
  readonly admitted: boolean
  /** The store's clock at the decision, in milliseconds. */
  readonly now: number
  /** The arrival time of each limit after the decision, in the order they were given. */
  readonly tats: ReadonlyArray<number>
  /** True when the store did not answer and this process decided by itself. */
  readonly local: boolean
}

/**
 * Where limits are counted: in this process, or in a store that all nodes share. Nothing here fails:
 * while a shared store does not answer, each node counts for itself.
 */
export class RateLimitStore extends Context.Tag("platform/RateLimitStore")<
  RateLimitStore,
  {
    readonly kind: "memory" | "PostgreSQL" | "Redis"
    /** Counts a request on all of the limits, or on none when one of them refuses it. Their keys must differ. */
    readonly take: (limits: ReadonlyArray<Limit>) => Effect.Effect<Taken>
    /** Counts a failure of each subject; answers how many milliseconds each has to wait now. */
    readonly fail: (keys: ReadonlyArray<string>, backoff: Backoff) => Effect.Effect<ReadonlyArray<number>>
    /** Forgets the failures of these subjects. */
    readonly forget: (keys: ReadonlyArray<string>) => Effect.Effect<void>
  }
>() {}
