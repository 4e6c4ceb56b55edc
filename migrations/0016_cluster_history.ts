import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** What is looked for in the cluster's tables beside its own work: how much waits, and what can be forgotten. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`create index cluster_messages_entity_id_idx on cluster_messages (entity_id)`
    yield* sql`create index cluster_messages_unfinished_idx on cluster_messages (entity_type, id)
      where tag = 'run' and not processed`
    yield* sql`create index cluster_messages_finished_idx on cluster_messages (last_read)
      where tag = 'run' and processed`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop index cluster_messages_entity_id_idx, cluster_messages_unfinished_idx, cluster_messages_finished_idx`
  })
}
