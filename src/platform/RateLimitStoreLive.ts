import { Effect, Layer } from "effect"
import { DatabaseConnections } from "./DatabaseConnections.ts"
import * as Memory from "./MemoryRateLimitStore.ts"
import * as Postgres from "./PostgresRateLimitStore.ts"
import * as Redis from "./RedisRateLimitStore.ts"
import { Settings } from "./Settings.ts"

/**
 * The store of rate limits that the configuration asks for: Redis when it is named, PostgreSQL where
 * several nodes can share one, and memory with the bundled database, which serves one process alone.
 */
export const layer = Layer.unwrapEffect(
  Effect.gen(function* () {
    const { redis_url, redis_pool_size } = (yield* Settings).limits
    if (redis_url !== undefined) return Redis.layer({ url: redis_url, pool_size: redis_pool_size })
    const { bundled } = yield* DatabaseConnections
    return bundled ? Memory.layer : Postgres.layer
  })
)
