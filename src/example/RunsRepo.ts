import { SqlClient, type Statement } from "@effect/sql"
import { Effect, Schema } from "effect"
import { type ExampleStage, ExampleStatus } from "../domain/example/Example.ts"
import type { ExampleRun } from "../domain/example/ExampleWorkflow.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** What an example came to. */
export interface Outcome {
  readonly confidence: number
  readonly needs_review: boolean
  readonly message_count: number
  readonly content_hash: string
  readonly map_version: number | null
  /** Secrets that were taken out, by kind. */
  readonly redactions: Readonly<Record<string, number>>
}

/** How a run goes, on its example's row. A run whose attempt is no longer the current one changes nothing. */
export class RunsRepo extends Effect.Service<RunsRepo>()("example/RunsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const current = ({ example_id, attempt }: ExampleRun) =>
      sql`id = ${example_id} and attempts = ${attempt} and status in ('PENDING', 'RUNNING')`
    /** How long the run took, in seconds; undefined: it is no longer the current one. */
    const took = sql`extract(epoch from clock_timestamp() - started_at)::float8 as seconds`
    const ended = (query: Statement.Statement<object>) =>
      Effect.map(Rows.first(Schema.Struct({ seconds: Schema.NullOr(Schema.Number) }), query), (row) =>
        row === undefined ? undefined : (row.seconds ?? 0)
      )
    const changed = (query: Statement.Statement<object>) => Effect.map(orDefect(query), (rows) => rows.length > 0)

    /** False when the run is over: cancelled, deleted, or retried since. */
    const enter = (run: ExampleRun, stage: ExampleStage) =>
      changed(sql`update examples set status = 'RUNNING', stage = ${stage}, started_at = coalesce(started_at, now()),
        updated_at = now() where ${current(run)} returning id`)

    /** What models answered on the way is not needed any more: nothing asks again for an example that is completed. */
    const complete = (run: ExampleRun, outcome: Outcome) =>
      ended(sql`with done as (
          update examples set ${sql.update({ ...outcome, redactions: JSON.stringify(outcome.redactions) })}, status = 'COMPLETED', review = null,
            tokens_in = coalesce(tokens_in, 0), tokens_out = coalesce(tokens_out, 0),
            cost = case when tokens_in is null then 0 else cost end, error_code = null, error_message = null,
            completed_at = now(), updated_at = now()
          where ${current(run)} returning id, ${took}
        ), answers as (delete from example_answers using done where example_id = done.id)
        select seconds from done`)

    const fail = (run: ExampleRun, error_code: string, error_message: string) =>
      ended(sql`update examples set status = 'FAILED', error_code = ${error_code},
        error_message = ${error_message.slice(0, 10_000)}, completed_at = now(), updated_at = now()
        where ${current(run)} returning ${took}`)

    /** Where the row stands; undefined when it is gone. */
    const state = ({ example_id }: ExampleRun) =>
      Rows.first(
        Schema.Struct({ status: ExampleStatus, attempts: Schema.Int, storage_path: Schema.String }),
        sql`select status, attempts, storage_path from examples where id = ${example_id}`
      )

    return { enter, complete, fail, state } as const
  })
}) {}
