import { Effect, Layer, Schema } from "effect"
import * as Redis from "./limits/RedisConnections.ts"
import { type SharedStore, StoreAway, withFallback } from "./limits/SharedStore.ts"
import { RateLimitStore } from "./RateLimitStore.ts"

// Braces keep all keys of one script in one slot of a cluster.
const named = (kind: "rate" | "failures", key: string) => `tracepipe:{limits}:${kind}:${key}`

// Numbers go out as text: Redis would cut them to integers. The one decision of limits/Gcra.ts.
const takeScript = Redis.script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local before, after, admitted = {}, {}, true
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  before[i] = tonumber(redis.call('GET', key) or '0')
  after[i] = math.max(before[i], now) + interval
  if after[i] - now > (burst + 0.001) * interval then admitted = false end
end
local answer = { admitted and '1' or '0', string.format('%.3f', now) }
for i, key in ipairs(KEYS) do
  if admitted then
    redis.call('SET', key, string.format('%.17g', after[i]), 'PX', string.format('%.0f', math.ceil(after[i] - now)))
  end
  answer[i + 2] = string.format('%.3f', admitted and after[i] or before[i])
end
return answer`)

// The one schedule of limits/Backoff.ts.
const failScript = Redis.script(`
local after, first, longest, window = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local answer = {}
for i, key in ipairs(KEYS) do
  local count = redis.call('INCR', key)
  local wait = 0
  if count >= after then wait = math.min(longest, first * 2 ^ math.min(count - after, 30)) end
  redis.call('PEXPIRE', key, string.format('%.0f', window + wait))
  answer[i] = string.format('%.3f', wait)
end
return answer`)

const decode = Schema.decodeUnknownSync(Schema.Array(Schema.NumberFromString))

/** Counts in Redis, by its clock: one script each time, and keys that expire by themselves. */
const make = (options: Redis.Options) =>
  Effect.map(Redis.connections(options), (connections): SharedStore => {
    const asked = (run: () => Promise<unknown>) =>
      Effect.tryPromise({
        try: run,
        catch: (cause) => new StoreAway({ reason: cause instanceof Error ? cause.message : String(cause) })
      })

    const take: SharedStore["take"] = (limits) =>
      Effect.map(
        asked(() =>
          connections.run(
            takeScript,
            limits.map(({ key }) => named("rate", key)),
            limits.flatMap(({ interval_ms, burst }) => [String(interval_ms), String(burst)])
          )
        ),
        (answer) => {
          const [admitted, now = 0, ...tats] = decode(answer)
          return { admitted: admitted === 1, now, tats }
        }
      )

    const fail: SharedStore["fail"] = (keys, { after, first_ms, longest_ms, window_ms }) =>
      Effect.map(
        asked(() =>
          connections.run(
            failScript,
            keys.map((key) => named("failures", key)),
            [after, first_ms, longest_ms, window_ms].map(String)
          )
        ),
        (answer) => decode(answer)
      )

    const forget: SharedStore["forget"] = (keys) =>
      Effect.asVoid(
        asked(() =>
          connections.send(
            "DEL",
            keys.map((key) => named("failures", key))
          )
        )
      )

    return { kind: "Redis", take, fail, forget }
  })

/** The shared store over Redis. */
export const layer = (options: Redis.Options) =>
  Layer.scoped(RateLimitStore, Effect.flatMap(make(options), withFallback))
