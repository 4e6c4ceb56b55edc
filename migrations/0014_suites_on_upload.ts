import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/** Suites whose sessions become examples by themselves, and the model that makes them. */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`alter table suites add on_upload_model_id uuid
      constraint suites_on_upload_model references models on delete set null`
    yield* sql`create index suites_on_upload_model_id on suites (on_upload_model_id) where on_upload_model_id is not null`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`alter table suites drop on_upload_model_id`
  })
}
