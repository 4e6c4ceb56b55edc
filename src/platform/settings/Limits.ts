import { Config, ConfigError, Either } from "effect"
import ipaddr from "ipaddr.js"
import * as Setting from "../Setting.ts"

const { setting, optional, secret } = Setting

/** Beyond 10,000 a second the interval is too short to be told exactly. */
export const MAX_PER_MINUTE = 600_000

/** A whole number from 1 on; null: none. */
const ceiling =
  (max: number) =>
  (name: string): Config.Config<number | null> =>
    Config.mapOrFail(Config.nonEmptyString(name), (text) => {
      if (/^(0|off|none)$/i.test(text.trim())) return Either.right(null)
      const value = Number(text)
      return /^\d+$/.test(text.trim()) && value <= max
        ? Either.right(value)
        : Either.left(
            ConfigError.InvalidData([name], `expected a whole number up to ${max}, or off, got ${JSON.stringify(text)}`)
          )
    })

const perMinute = ceiling(MAX_PER_MINUTE)

/** Addresses, or networks as `10.0.0.0/8`. */
const networks = (name: string) =>
  Config.mapOrFail(Setting.list(name), (items) => {
    const wrong = items.find((item) => !ipaddr.isValid(item) && !ipaddr.isValidCIDR(item))
    return wrong === undefined
      ? Either.right(items)
      : Either.left(
          ConfigError.InvalidData(
            [name],
            `expected addresses or networks such as 10.0.0.0/8, got ${JSON.stringify(wrong)}`
          )
        )
  })

/** Rate limits, quotas, and where they are counted. Declared when called, so that the table keeps its order. */
export const limitsSettings = () =>
  Config.all({
    redis_url: secret("REDIS_URL", {
      shown: "PostgreSQL, or memory with the bundled database",
      description: "Redis where rate limits are counted, `redis://…` or `rediss://…`; all nodes share them there"
    }),
    redis_pool_size: setting("REDIS_POOL_SIZE", Setting.integer(1, 100), {
      fallback: 4,
      shown: "4",
      description: "connections to it"
    }),
    per_minute: setting("RATE_LIMIT_REQUESTS_PER_MINUTE", perMinute, {
      fallback: 600,
      shown: "600",
      description: "requests a minute with one API key; `off`: no rate limits at all but those named in the next five"
    }),
    burst: setting("RATE_LIMIT_BURST_SIZE", Setting.integer(1, MAX_PER_MINUTE), {
      fallback: 100,
      shown: "100",
      description: "how many of them may come at once; the limits of users, organizations and addresses in proportion"
    }),
    user_per_minute: optional("RATE_LIMIT_USER_PER_MINUTE", perMinute, {
      shown: "2 × RATE_LIMIT_REQUESTS_PER_MINUTE",
      description: "requests a minute of one user or agent, all keys and tokens together; or off"
    }),
    organization_per_minute: optional("RATE_LIMIT_ORGANIZATION_PER_MINUTE", perMinute, {
      shown: "10 × RATE_LIMIT_REQUESTS_PER_MINUTE",
      description: "requests a minute of one organization; or off"
    }),
    ip_per_minute: optional("RATE_LIMIT_IP_PER_MINUTE", perMinute, {
      shown: "5 × RATE_LIMIT_REQUESTS_PER_MINUTE",
      description: "requests a minute from one address (IPv6: one /64), whoever sends them; or off"
    }),
    sessions_per_minute: optional("RATE_LIMIT_SESSIONS_PER_MINUTE", perMinute, {
      shown: "RATE_LIMIT_REQUESTS_PER_MINUTE / 10",
      description: "new sessions a minute of one user or agent, within their other limits; or off"
    }),
    keys_per_minute: optional("RATE_LIMIT_KEYS_PER_MINUTE", perMinute, {
      shown: "RATE_LIMIT_REQUESTS_PER_MINUTE / 60",
      description: "changes of keys and secrets a minute of one user or agent, within their other limits; or off"
    }),
    backoff_after: setting("AUTH_BACKOFF_AFTER", ceiling(1000), {
      fallback: 5,
      shown: "5",
      description: "failed authentications after which an address has to wait, 1 s at first and up to 15 min; or off"
    }),
    trusted_proxies: setting("TRUSTED_PROXIES", networks, {
      fallback: [],
      shown: "none",
      description:
        "addresses or networks of your proxies, comma-separated: from these alone X-Forwarded-For says who the caller is"
    }),
    requests_per_day: setting("QUOTA_REQUESTS_PER_DAY", ceiling(Number.MAX_SAFE_INTEGER), {
      fallback: null,
      shown: "none",
      description:
        "requests of an organization in one day (UTC), unless `tracepipe quotas set` gave it a quota of its own"
    })
  })
