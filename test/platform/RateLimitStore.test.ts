import { Context, Effect, Layer, Redacted } from "effect"
import * as Memory from "../../src/platform/MemoryRateLimitStore.ts"
import { RateLimitStore } from "../../src/platform/RateLimitStore.ts"
import * as Redis from "../../src/platform/RedisRateLimitStore.ts"
import { overPostgres } from "../support/PostgresLimits.ts"
import { NO_REDIS, redisUrl } from "../support/RedisServer.ts"
import { testDatabase } from "../support/TestDatabase.ts"
import { AnotherNode, contract } from "./RateLimitStore.contract.ts"

/** Two stores over connections of their own, as two nodes have them. */
const twoNodes = <E>(node: Layer.Layer<RateLimitStore, E>) =>
  Layer.merge(
    node,
    Layer.scoped(
      AnotherNode,
      Effect.map(Layer.build(Layer.fresh(node)), (context) => Context.get(context, RateLimitStore))
    )
  )

contract("memory", { layer: Layer.merge(Memory.layer, Layer.succeed(AnotherNode, undefined)) })

contract("PostgreSQL", {
  layer: Layer.unwrapScoped(Effect.map(testDatabase, (database) => twoNodes(overPostgres(database))))
})

contract("Redis", {
  skip: NO_REDIS,
  layer:
    NO_REDIS === undefined
      ? Layer.unwrapScoped(
          Effect.map(redisUrl, (url) => twoNodes(Redis.layer({ url: Redacted.make(url), pool_size: 2 })))
        )
      : Layer.merge(Memory.layer, Layer.succeed(AnotherNode, undefined))
})
