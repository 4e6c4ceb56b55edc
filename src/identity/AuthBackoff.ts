import { Duration, Effect } from "effect"
import { ExpiringMap } from "../platform/ExpiringMap.ts"
import type { Backoff } from "../platform/limits/Backoff.ts"
import { RateLimitStore } from "../platform/RateLimitStore.ts"
import { Settings } from "../platform/Settings.ts"
import { clientNetwork } from "./ClientNetwork.ts"

/** Who presents a credential, and which. */
export interface Presented {
  readonly ip: string | null
  /** The beginning of the credential, by which it is known and not given away; null: it has none of its own. */
  readonly prefix: string | null
}

const WINDOW_MS = Duration.toMillis("15 minutes")
const schedule = { first_ms: 1000, longest_ms: Duration.toMillis("15 minutes"), window_ms: WINDOW_MS }
/** Who proved to be right from an address is known there for so long. */
const TRUSTED_MS = Duration.toMillis("1 hour")
const RENEW_MS = Duration.toMillis("1 minute")
const CAPACITY = 20_000

/**
 * Back-off on failed authentication, per address and per beginning of a key. Failures are counted in the
 * store that all nodes share; who has to wait is remembered by the node that saw the failure, so that an
 * authentication that succeeds asks no store. With n nodes somebody gets n attempts where one has to wait.
 *
 * Nobody can lock out another's key: its beginning is no secret, so a wait for it holds only addresses
 * that failed with it themselves. From any other address the right key is let in at the first attempt,
 * and a guess is one failure more. Behind an address that others fail from, a key that was right there
 * within the last hour goes on, until somebody there fails with the same beginning.
 */
export class AuthBackoff extends Effect.Service<AuthBackoff>()("identity/AuthBackoff", {
  effect: Effect.gen(function* () {
    const store = yield* RateLimitStore
    const { limits } = yield* Settings
    const clock = yield* Effect.clock
    const backoff: Backoff | undefined =
      limits.backoff_after === null ? undefined : { ...schedule, after: limits.backoff_after }
    /** Until when a subject has to wait. */
    const waiting = new ExpiringMap<number>(CAPACITY)
    /** Beginnings that failed, and pairs of an address and a beginning that did. */
    const failures = new ExpiringMap<true>(CAPACITY)
    /** Pairs that were right. */
    const trusted = new ExpiringMap<number>(CAPACITY)

    const pair = (network: string, prefix: string) => `${network} ${prefix}`

    /** Milliseconds until the credential may be tried; 0: now. */
    const check = ({ ip, prefix }: Presented): number => {
      if (waiting.size === 0) return 0
      const now = clock.unsafeCurrentTimeMillis()
      const network = ip === null ? null : clientNetwork(ip)
      if (network !== null && prefix !== null && trusted.get(pair(network, prefix), now) !== undefined) return 0
      const address_until = network === null ? undefined : waiting.get(`ip:${network}`, now)
      const failedHere = prefix !== null && (network === null || failures.get(pair(network, prefix), now) !== undefined)
      const prefix_until = failedHere ? waiting.get(`prefix:${prefix}`, now) : undefined
      return Math.max(0, (address_until ?? 0) - now, (prefix_until ?? 0) - now)
    }

    /** Counts a failure. */
    const failed = ({ ip, prefix }: Presented): Effect.Effect<void> => {
      if (backoff === undefined) return Effect.void
      const network = ip === null ? null : clientNetwork(ip)
      const subjects = [
        ...(network === null ? [] : [`ip:${network}`]),
        ...(prefix === null ? [] : [`prefix:${prefix}`])
      ]
      if (subjects.length === 0) return Effect.void
      return Effect.map(
        store.fail(
          subjects.map((subject) => `failed-${subject}`),
          backoff
        ),
        (waits) => {
          const now = clock.unsafeCurrentTimeMillis()
          for (const [index, subject] of subjects.entries()) {
            const until = now + (waits[index] ?? 0)
            if (until > now) waiting.set(subject, until, until, now)
          }
          if (prefix === null) return
          failures.set(`prefix:${prefix}`, true, now + WINDOW_MS, now)
          if (network === null) return
          failures.set(pair(network, prefix), true, now + schedule.longest_ms + WINDOW_MS, now)
          trusted.delete(pair(network, prefix))
        }
      )
    }

    /** Notes a success: failures with this beginning are forgotten, those of the address are not. */
    const succeeded = ({ ip, prefix }: Presented): Effect.Effect<void> => {
      if (backoff === undefined || prefix === null) return Effect.void
      const now = clock.unsafeCurrentTimeMillis()
      const network = ip === null ? null : clientNetwork(ip)
      if (network !== null) {
        const noted_at = trusted.get(pair(network, prefix), now)
        if (noted_at === undefined || now - noted_at >= RENEW_MS) {
          trusted.set(pair(network, prefix), now, now + TRUSTED_MS, now)
        }
      }
      if (failures.size === 0 || failures.get(`prefix:${prefix}`, now) === undefined) return Effect.void
      failures.delete(`prefix:${prefix}`)
      waiting.delete(`prefix:${prefix}`)
      return store.forget([`failed-prefix:${prefix}`])
    }

    return { check, failed, succeeded } as const
  })
}) {}
