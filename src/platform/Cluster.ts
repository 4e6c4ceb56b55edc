import { randomUUID } from "node:crypto"
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
import { type JobKind, Settings, type Values } from "./Settings.ts"

/**
 * The tables are made by a migration, as the role that owns them; the library would make them again,
 * which PostgreSQL refuses to a role without that right even where they are there.
 */
const withoutTables: Statement.Statement.Transformer = (statement, sql) =>
  Effect.succeed(/^\s*create\s+table\s/i.test(statement.compile()[0]) ? sql`select 1` : statement)

/**
 * Who this runner is among those of the database. A process that is started again on its address takes
 * up its shards at once; with a free port no other has it, and the shards of a killed one are taken
 * over when its heartbeat is missed. Where locks are rows by address, no two may ever have one.
 */
const addressOf = ({ server, database }: Values) => {
  const host = `${hostname()}/${server.host}`
  const isPooled = database.database_direct_url !== undefined
  return isPooled
    ? RunnerAddress.make(`${host}/${randomUUID()}`, process.pid)
    : RunnerAddress.make(host, server.port === 0 ? process.pid : server.port)
}

/** The shards of each kind of job; what names no kind is of the other. */
const groups: Record<JobKind, string> = { examples: "examples", other: "default" }

/**
 * Runners do not talk to each other: what is to be done is a row, which the runner of its shard finds
 * within the poll interval, and who holds a shard's advisory lock runs what is in it. So workers need
 * no port that others reach, and a split network cannot run a job twice. A heartbeat that is missed for
 * `shardLockExpiration` gives a runner's shards to the others.
 */
const config = Layer.unwrapEffect(
  Effect.map(Settings, (settings) => {
    const { role, worker_kinds } = settings.jobs
    const isPooled = settings.database.database_direct_url !== undefined
    return ShardingConfig.layer({
      runnerAddress: role === "api" ? Option.none() : Option.some(addressOf(settings)),
      availableShardGroups: Object.values(groups),
      assignedShardGroups: worker_kinds.map((kind) => groups[kind]),
      shardsPerGroup: 64,
      shardLockDisableAdvisory: isPooled,
      // A lock that is a row is lost to a runner that stalls for so long; one of a connection is not.
      shardLockExpiration: isPooled ? "6 seconds" : "4 seconds",
      shardLockRefreshInterval: "1 second",
      refreshAssignmentsInterval: "1 second",
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
 * With ROLE=api it starts workflows and runs none.
 */
export const layer = ClusterWorkflowEngine.layer.pipe(
  Layer.provideMerge(Sharding.layer),
  Layer.provide(Layer.merge(Runners.layerNoop, RunnerHealth.layerNoop)),
  Layer.provideMerge(storage),
  Layer.provide(config)
)
