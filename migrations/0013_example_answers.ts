import { SqlClient } from "@effect/sql"
import { Effect } from "effect"

/**
 * What a model answered for a part of an example's session: asked once and paid for once, however often
 * the stage is begun again. The key is the hash of what was asked. Text, not jsonb: the order of the members stays, as what is asked next tells of them.
 */
export default {
  up: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`
      create table example_answers (
        example_id uuid not null constraint example_answers_example references examples on delete cascade,
        request_hash text not null constraint example_answers_request_hash_form check (request_hash ~ '^[0-9a-f]{64}$'),
        answer json not null,
        created_at timestamptz not null default now(),
        primary key (example_id, request_hash)
      )`
  }),
  down: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    yield* sql`drop table example_answers`
  })
}
