import { SqlClient, SqlError } from "@effect/sql"
import { Effect, Layer } from "effect"
import { SessionReady } from "../domain/session/SessionReady.ts"
import { Audit } from "../identity/Audit.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"
import { ExampleStarts } from "./ExampleStarts.ts"
import { SourcesRepo } from "./SourcesRepo.ts"

const deleted = ["examples_model", "examples_map"]

/** Begins the example of a session whose suite wants one of each; what is missing for it is told on the example. */
export const layer = Layer.effect(
  SessionReady,
  Effect.gen(function* () {
    const sources = yield* SourcesRepo
    const starts = yield* ExampleStarts
    const audit = yield* Audit
    const sql = yield* SqlClient.SqlClient
    // In a savepoint: a model or a map that is deleted in this moment must not undo the session.
    const untold = (effect: Effect.Effect<void>) =>
      effect.pipe(
        sql.withTransaction,
        orDefect,
        Effect.catchAllDefect((defect) =>
          defect instanceof SqlError.SqlError && deleted.some((constraint) => violates(defect, constraint))
            ? Effect.logWarning("the example of a new session could not be begun", defect)
            : Effect.die(defect)
        )
      )
    return {
      began: starts.began,
      begin: Effect.fn("OnUpload.begin")(function* ({ id, org_id, suite_id, format }) {
        const tenant = { org_id, suite_ids: null }
        const model = yield* sources.onUpload(org_id, suite_id)
        if (model === undefined) return
        const possible = yield* Effect.either(
          Effect.zipRight(starts.usable({ format }, model, {}), starts.mapOf(tenant, suite_id, undefined))
        )
        const about = {
          org_id,
          session_id: id,
          suite_id,
          model_id: model.id,
          model: `${model.provider}/${model.name}`,
          model_configuration: {},
          from_seq: null,
          to_seq: null,
          job_id: null
        }
        const outcome =
          possible._tag === "Right"
            ? { action_tool_map_id: possible.right }
            : { action_tool_map_id: null, failure: { code: "on_upload", detail: possible.left.message } }
        yield* starts.begin({ ...about, ...outcome }, (entry) => audit.recordSystem(org_id, entry))
      }, untold)
    }
  })
).pipe(Layer.provide([SourcesRepo.Default, ExampleStarts.Default, Audit.Default]))
