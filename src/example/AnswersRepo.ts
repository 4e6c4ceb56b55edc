import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import type { ExampleRun } from "../domain/example/ExampleWorkflow.ts"
import type { ExampleId } from "../domain/Ids.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** What calls of a model used; `cost` is null where the model has no prices. */
export interface Spent {
  readonly tokens_in: number
  readonly tokens_out: number
  readonly cost: number | null
}

/** What models answered for parts of examples, and what that used. */
export class AnswersRepo extends Effect.Service<AnswersRepo>()("example/AnswersRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    const find = <A, I>(Answer: Schema.Schema<A, I>, example_id: ExampleId, request_hash: string) =>
      Effect.map(
        Rows.first(
          Schema.Struct({ answer: Answer }),
          sql`select answer from example_answers where example_id = ${example_id} and request_hash = ${request_hash}`
        ),
        (row) => row?.answer
      )

    /** Adds to what the example has used, whatever became of it; false when it is gone. */
    const spend = ({ example_id }: Pick<ExampleRun, "example_id">, { tokens_in, tokens_out, cost }: Spent) =>
      Effect.map(
        orDefect(sql`update examples set tokens_in = coalesce(tokens_in, 0) + ${tokens_in},
          tokens_out = coalesce(tokens_out, 0) + ${tokens_out},
          cost = case when tokens_in is null then ${cost}::float8 else cost + ${cost}::float8 end,
          updated_at = now() where id = ${example_id} returning id`),
        (rows) => rows.length > 0
      )

    /** Keeps an answer, and adds what it used: both or neither, and once. */
    const keep = (run: Pick<ExampleRun, "example_id">, request_hash: string, answer: unknown, spent: Spent) =>
      Effect.gen(function* () {
        if (!(yield* spend(run, spent))) return
        yield* sql`insert into example_answers (example_id, request_hash, answer)
          values (${run.example_id}, ${request_hash}, ${JSON.stringify(answer)})
          on conflict (example_id, request_hash) do nothing`
      }).pipe(sql.withTransaction, orDefect)

    return { find, spend, keep } as const
  })
}) {}
