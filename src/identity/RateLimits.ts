import { Effect } from "effect"
import { RateLimited } from "../domain/Errors.ts"
import type { RateGroup } from "../domain/identity/Quota.ts"
import type { Principal } from "../domain/Principal.ts"
import { ExpiringMap } from "../platform/ExpiringMap.ts"
import * as Gcra from "../platform/limits/Gcra.ts"
import { type Limit, RateLimitStore, type Taken } from "../platform/RateLimitStore.ts"
import { Settings, type Values } from "../platform/Settings.ts"
import { MAX_PER_MINUTE } from "../platform/settings/Limits.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { clientNetwork } from "./ClientNetwork.ts"

/** Who asks, and for what. Before anybody is authenticated there is an address alone. */
export interface Asking {
  readonly principal?: Principal
  readonly ip: string | null
  readonly group: RateGroup
}

/** What became of a request, and what its answer says of it. */
export interface Verdict {
  /** Undefined: the request is admitted, and counted. */
  readonly refusal: RateLimited | undefined
  /** The fields RateLimit and RateLimit-Policy of draft-ietf-httpapi-ratelimit-headers. */
  readonly headers: Readonly<Record<string, string>>
}

interface Refused extends Verdict {
  readonly refusal: RateLimited
}

type Name = "key" | "user" | "agent" | "organization" | "ip" | "sessions" | "keys"

/** A limit as it is configured, for every subject alike. */
interface Policy extends Gcra.Rate {
  readonly name: Name
  readonly per_minute: number
  /** As a RateLimit-Policy names it. */
  readonly field: string
}

interface Named extends Limit {
  readonly policy: Policy
}

const whose: Record<Name, string> = {
  key: "requests a minute with this API key",
  user: "requests a minute of this user",
  agent: "requests a minute of this agent",
  organization: "requests a minute of this organization",
  ip: "requests a minute from this address",
  sessions: "new sessions a minute",
  keys: "changes of keys a minute"
}

/** So many subjects that were refused are remembered. */
const CAPACITY = 20_000
const nothing: Verdict = { refusal: undefined, headers: {} }

/** The configured limits; a limit that is off is undefined. */
const policiesOf = ({ limits }: Values) => {
  const { per_minute: base, burst } = limits
  const derived = (own: number | null | undefined, factor: number) =>
    own === undefined ? (base === null ? null : Math.min(MAX_PER_MINUTE, Math.max(1, Math.round(base * factor)))) : own
  const policy = (name: Name, per_minute: number | null, at_once: (per_minute: number) => number) =>
    per_minute === null
      ? undefined
      : {
          name,
          per_minute,
          ...Gcra.ofMinute(per_minute, at_once(per_minute)),
          field: `"${name}";q=${per_minute};w=60`
        }
  // The same part of a minute at once, for the wide limits as for the narrow one.
  const inProportion = (per_minute: number) => (burst * per_minute) / (base ?? 600)
  // What is done rarely may all be done at once.
  const whole = (per_minute: number) => per_minute
  const user = derived(limits.user_per_minute, 2)
  return {
    key: policy("key", base, () => burst),
    user: policy("user", user, inProportion),
    agent: policy("agent", user, inProportion),
    organization: policy("organization", derived(limits.organization_per_minute, 10), inProportion),
    ip: policy("ip", derived(limits.ip_per_minute, 5), inProportion),
    sessions: policy("sessions", derived(limits.sessions_per_minute, 1 / 10), whole),
    keys: policy("keys", derived(limits.keys_per_minute, 1 / 60), whole)
  }
}

const seconds = (ms: number) => Math.max(1, Math.ceil(ms / 1000))

const refusal = ({ name, per_minute }: Policy, retry_ms: number) => {
  const retry_after_s = seconds(retry_ms)
  return new RateLimited({
    detail: `more than ${per_minute} ${whose[name]}; try again in ${retry_after_s} s`,
    limit: name,
    retry_after_s
  })
}

const field = ({ name }: Policy, { remaining, reset_ms }: Gcra.Standing) =>
  `"${name}";r=${remaining};t=${Math.ceil(reset_ms / 1000)}`

/** Rate limits per key, user or agent, organization and address: one plain function, for every protocol alike. */
export class RateLimits extends Effect.Service<RateLimits>()("identity/RateLimits", {
  dependencies: [Metrics.Default],
  effect: Effect.gen(function* () {
    const store = yield* RateLimitStore
    const metrics = yield* Metrics
    const policies = policiesOf(yield* Settings)
    // Who was refused has nothing to hope for before a known moment: the store is not asked until then.
    // Moments are of the clock that nobody sets.
    const refused = new ExpiringMap<number>(CAPACITY)

    const named = (policy: Policy, subject: string): Named => ({
      policy,
      key: `${policy.name}:${subject}`,
      interval_ms: policy.interval_ms,
      burst: policy.burst
    })

    const ofPrincipal = ({ key_id, user_id, agent_id, org_id }: Principal, group: RateGroup): ReadonlyArray<Named> => {
      const own = group === "sessions" || group === "keys" ? policies[group] : undefined
      return [
        ...(policies.key !== undefined && key_id !== null ? [named(policies.key, key_id)] : []),
        ...(policies.user !== undefined && user_id !== null ? [named(policies.user, user_id)] : []),
        ...(policies.agent !== undefined && agent_id !== null ? [named(policies.agent, agent_id)] : []),
        ...(policies.organization !== undefined ? [named(policies.organization, org_id)] : []),
        ...(own !== undefined ? [named(own, user_id ?? agent_id ?? org_id)] : [])
      ]
    }

    // The authenticator answers the same principal for a while: its limits need not be made each time.
    const made = new WeakMap<Principal, Map<RateGroup, ReadonlyArray<Named>>>()

    const known = (principal: Principal, group: RateGroup): ReadonlyArray<Named> => {
      const groups = made.get(principal) ?? new Map<RateGroup, ReadonlyArray<Named>>()
      const found = groups.get(group)
      if (found !== undefined) return found
      const limits = ofPrincipal(principal, group)
      made.set(principal, groups.set(group, limits))
      return limits
    }

    const limitsOf = ({ principal, ip, group }: Asking): ReadonlyArray<Named> => {
      const limits = principal === undefined ? [] : known(principal, group)
      return policies.ip === undefined || ip === null ? limits : [...limits, named(policies.ip, clientNetwork(ip))]
    }

    const refuse = (policy: Policy, retry_ms: number) => {
      metrics.rateLimited.inc({ limit: policy.name })
      return refusal(policy, retry_ms)
    }

    /** The refusal of one that is known to be of no use yet. */
    const remembered = (limits: ReadonlyArray<Named>): Refused | undefined => {
      if (refused.size === 0) return undefined
      const now = performance.now()
      for (const { policy, key } of limits) {
        const until = refused.get(key, now)
        if (until === undefined) continue
        const standing = { remaining: 0, retry_ms: until - now, reset_ms: policy.burst * policy.interval_ms }
        return {
          refusal: refuse(policy, standing.retry_ms),
          headers: { "ratelimit-policy": policy.field, ratelimit: field(policy, standing) }
        }
      }
      return undefined
    }

    const verdict = (limits: ReadonlyArray<Named>, { admitted, now, tats, local }: Taken): Verdict => {
      let policy_field = ""
      let limit_field = ""
      let longest: { readonly policy: Policy; readonly retry_ms: number } | undefined
      // By index, and not by an iterator: this runs for every request.
      for (let at = 0; at < limits.length; at++) {
        const limit = limits[at]
        if (limit === undefined) continue
        const standing = Gcra.standing(tats[at] ?? now, now, limit)
        const comma = at === 0 ? "" : ", "
        policy_field += comma + limit.policy.field
        limit_field += comma + field(limit.policy, standing)
        if (admitted || standing.retry_ms <= 0) continue
        if (store.kind !== "memory" && !local) {
          const here = performance.now()
          refused.set(limit.key, here + standing.retry_ms, here + standing.retry_ms, here)
        }
        if (longest === undefined || standing.retry_ms > longest.retry_ms) {
          longest = { policy: limit.policy, retry_ms: standing.retry_ms }
        }
      }
      if (local) metrics.rateLimitsLocal.inc()
      return {
        refusal: longest === undefined ? undefined : refuse(longest.policy, longest.retry_ms),
        headers: { "ratelimit-policy": policy_field, ratelimit: limit_field }
      }
    }

    /** Counts a request on all of its limits; on none of them when one refuses it. */
    const check = (asking: Asking): Effect.Effect<Verdict> => {
      if (asking.group === "none") return Effect.succeed(nothing)
      const limits = limitsOf(asking)
      if (limits.length === 0) return Effect.succeed(nothing)
      const over = remembered(limits)
      return over === undefined
        ? Effect.map(store.take(limits), (taken) => verdict(limits, taken))
        : Effect.succeed(over)
    }

    /** Counts nothing: the refusal of an address that is known to be over its limit, before it costs anything. */
    const refusedAddress = (ip: string | null): Refused | undefined =>
      ip === null || refused.size === 0 ? undefined : remembered(limitsOf({ ip, group: "default" }))

    return { check, refusedAddress } as const
  })
}) {}
