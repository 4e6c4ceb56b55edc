import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Finds the examples that say the same: which of them is the first is seen when they are read. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`create index examples_org_content_hash on examples (org_id, content_hash, id)
      where status = 'COMPLETED' and review is distinct from 'rejected'`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop index examples_org_content_hash`
  })
}
