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

/**
 * A thousandth of an interval is nobody's advantage: times are doubles, and their sums would refuse the
 * last of a burst. The stores that decide elsewhere have the same figure.
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
