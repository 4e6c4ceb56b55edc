/** So many in a row, and after those one each interval. */
export interface Rate {
  /** Milliseconds after which one more may come. */
  readonly interval_ms: number
  /** How many may come at once after a rest; at least 1. */
  readonly burst: number
}

/** How a limit stands at a moment. */
export interface Standing {
  /** How many could come right now. */
  readonly remaining: number
  /** Milliseconds until the next one may come; 0 when it may now. */
  readonly retry_ms: number
  /** Milliseconds until the whole burst may come again. */
  readonly reset_ms: number
}

/** Parts of a millisecond that times of this century hold exactly as doubles: so no sum of them is ever rounded. */
const PARTS = 1024

/** The rate of so many a minute; its interval is right to half a microsecond. */
export const ofMinute = (per_minute: number, burst: number): Rate => ({
  interval_ms: Math.max(1, Math.round((60_000 / per_minute) * PARTS)) / PARTS,
  burst: Math.max(1, Math.round(burst))
})

/**
 * A thousandth of an interval is nobody's advantage, and keeps the last of a burst from being refused for
 * a clock that is finer than that. The stores that decide elsewhere have the same figure.
 */
const SLACK = 0.001

/**
 * The generic cell rate algorithm (ITU-T I.371), in its form of a virtual schedule: all that is kept of
 * a limit is its theoretical arrival time, when it is full again. Times are milliseconds of one clock.
 * @returns the new arrival time; undefined when the rate does not admit one more at this moment
 */
export const admit = (tat: number, now: number, { interval_ms, burst }: Rate): number | undefined => {
  const next = Math.max(tat, now) + interval_ms
  return next - now <= (burst + SLACK) * interval_ms ? next : undefined
}

/** What a caller can be told of a limit with this arrival time. */
export const standing = (tat: number, now: number, { interval_ms, burst }: Rate): Standing => {
  const reset_ms = Math.max(0, tat - now)
  const remaining = Math.max(0, Math.floor(burst + SLACK - reset_ms / interval_ms))
  return { remaining, reset_ms, retry_ms: remaining > 0 ? 0 : reset_ms - (burst - 1) * interval_ms }
}
