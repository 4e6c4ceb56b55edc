import { hostname } from "node:os"
import {
  ClusterWorkflowEngine,
  RunnerAddress,
  RunnerHealth,
  Runners,
  Sharding,
  ShardingConfig,
  SqlMessageStorage,
  SqlRunnerStorage
} from "@effect/cluster"
import { Statement } from "@effect/sql"
import { Effect, Layer, Option } from "effect"
import { Settings } from "./Settings.ts"

/**
 * The tables are made by a migration, as the role that owns them; the library would make them again,
 * which PostgreSQL refuses to a role without that right even where they are there.
 */
const withoutTables: Statement.Statement.Transformer = (statement, sql) =>
  Effect.succeed(/^\s*create\s+table\s/i.test(statement.compile()[0]) ? sql`select 1` : statement)

/**
 * One address for all that share the advisory locks: who has the locks runs the jobs, and a new process
 * goes on at once where a killed one stopped. Behind a pooler locks are rows by address, which must
 * then be its own.
 */
const config = Layer.unwrapEffect(
  Effect.map(Settings, ({ database }) => {
    const pooled = database.database_direct_url !== undefined
    return ShardingConfig.layer({
      runnerAddress: Option.some(
        pooled ? RunnerAddress.make(hostname(), process.pid) : RunnerAddress.make("tracepipe", 1)
      ),
      shardsPerGroup: 64,
      shardLockDisableAdvisory: pooled,
      shardLockExpiration: "6 seconds",
      shardLockRefreshInterval: "2 seconds",
      entityMessagePollInterval: "1 second",
      entityTerminationTimeout: "5 seconds"
    })
  })
)

// While it is built only: a transformer that stayed would look at every statement of the service.
const storage = Layer.merge(SqlMessageStorage.layer, Layer.orDie(SqlRunnerStorage.layer)).pipe(
  Layer.locally(Statement.currentTransformer, Option.some(withoutTables))
)

/**
 * The engine that runs durable workflows, over the service's own database. Needs no right beyond
 * reading and writing rows. A workflow that is started inside a transaction starts when it commits.
 */
export const layer = ClusterWorkflowEngine.layer.pipe(
  Layer.provideMerge(Sharding.layer),
  Layer.provide(Layer.merge(Runners.layerNoop, RunnerHealth.layerNoop)),
  Layer.provideMerge(storage),
  Layer.provide(config)
)
