/** How long somebody has to wait who fails again and again. */
export interface Backoff {
  /** From this failure on there is a wait. */
  readonly after: number
  /** The first wait, in milliseconds; each further failure doubles it. */
  readonly first_ms: number
  readonly longest_ms: number
  /** Failures are forgotten when none came for so long after the wait was over. */
  readonly window_ms: number
}

/** Doubling it more often leaves every number that a store can hold. */
const MAX_DOUBLINGS = 30

/** Milliseconds to wait after so many failures. */
export const wait = (failures: number, { after, first_ms, longest_ms }: Backoff): number =>
  failures < after ? 0 : Math.min(longest_ms, first_ms * 2 ** Math.min(failures - after, MAX_DOUBLINGS))
