import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** How many secrets were taken out of what an example was made of, by kind. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`alter table examples add column redactions jsonb
      constraint examples_redactions_object check (jsonb_typeof(redactions) = 'object')`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`alter table examples drop column redactions`
  })
}
