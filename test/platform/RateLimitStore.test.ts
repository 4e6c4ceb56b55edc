import { Context, Effect, Layer, Redacted } from "effect"
import { appClient } from "../../src/platform/Database.ts"
import { DatabaseConnections } from "../../src/platform/DatabaseConnections.ts"
import * as Memory from "../../src/platform/MemoryRateLimitStore.ts"
import * as Postgres from "../../src/platform/PostgresRateLimitStore.ts"
import { RateLimitStore } from "../../src/platform/RateLimitStore.ts"
import * as Redis from "../../src/platform/RedisRateLimitStore.ts"
import { Settings } from "../../src/platform/Settings.ts"
import { NO_REDIS, redisUrl } from "../support/RedisServer.ts"
import { type TestDatabase, testDatabase } from "../support/TestDatabase.ts"
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

const overPostgres = ({ app, owner }: TestDatabase) =>
  Postgres.layer.pipe(
    Layer.provide(appClient),
    Layer.provide(
      Layer.succeed(DatabaseConnections, {
        bundled: false,
        app: { connectionString: app },
        owner: { connectionString: owner },
        app_role: ""
      })
    ),
    Layer.provide(Settings.layer({ DATABASE_POOL_SIZE: "8", DATABASE_MAX_OVERFLOW: "0" }))
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
