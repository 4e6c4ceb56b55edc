import { Sharding } from "@effect/cluster"
import { SqlClient } from "@effect/sql"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import canonicalize from "canonicalize"
import { Effect, Schema } from "effect"
import { mapNotFound } from "../domain/capability/ActionToolMap.ts"
import { CreateExampleBatch, maxBatch } from "../domain/example/ExampleBatch.ts"
import { ExampleBatchWorkflow } from "../domain/example/ExampleBatchWorkflow.ts"
import { modelNotFound } from "../domain/example/Model.ts"
import { JobId } from "../domain/Ids.ts"
import { JobState, jobNotFound } from "../domain/job/Job.ts"
import { CurrentPrincipal, type Principal, scope, withPolicy } from "../domain/Principal.ts"
import { IdempotencyMismatch, sessionNotFound, suiteMissing } from "../domain/session/Session.ts"
import { Audit } from "../identity/Audit.ts"
import { Id } from "../platform/Id.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { BatchesRepo, type NewBatch } from "./BatchesRepo.ts"
import { invalid } from "./ExampleStarts.ts"
import { SourcesRepo } from "./SourcesRepo.ts"

const encode = Schema.encodeSync(CreateExampleBatch)

const hashOf = (wanted: CreateExampleBatch) =>
  new Bun.CryptoHasher("sha256").update(String(canonicalize(encode(wanted)))).digest("hex")

const nameOf = ({ user_id, agent_id }: Principal) => `user/${user_id ?? agent_id}`

/** Jobs that make examples of many sessions. */
export class Batches extends Effect.Service<Batches>()("example/Batches", {
  dependencies: [BatchesRepo.Default, SourcesRepo.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const newId = yield* Id
    const repo = yield* BatchesRepo
    const sources = yield* SourcesRepo
    const audit = yield* Audit
    const engine = yield* WorkflowEngine
    const sharding = yield* Sharding.Sharding

    const existing = (id: JobId) =>
      Effect.flatMap(CurrentPrincipal, (principal) =>
        Effect.flatMap(repo.find(principal, id), (found) =>
          found === undefined ? jobNotFound(id) : Effect.succeed(found)
        )
      )

    /** The sessions that are asked for, once everything that is named is there. */
    const selected = (principal: Principal, wanted: CreateExampleBatch) =>
      Effect.gen(function* () {
        const { model_id, action_tool_map_id, session_ids = [], filter } = wanted
        if (wanted.session_ids === undefined && filter === undefined) {
          return yield* invalid("session_ids", "needed, unless there is a filter")
        }
        if ((yield* sources.model(principal, model_id)) === undefined) return yield* modelNotFound(model_id)
        if (action_tool_map_id !== undefined && (yield* sources.map(principal, action_tool_map_id)) === undefined) {
          return yield* mapNotFound(action_tool_map_id)
        }
        if (filter?.suite_id !== undefined && !(yield* repo.suiteExists(principal, filter.suite_id))) {
          return yield* suiteMissing(filter.suite_id)
        }
        const known = yield* repo.known(principal, session_ids)
        const missing = session_ids.find((id) => !known.has(id))
        if (missing !== undefined) return yield* sessionNotFound(missing)
        const found = yield* repo.sessions(principal, wanted, maxBatch + 1)
        if (found.length > maxBatch) {
          return yield* invalid("filter", `more than ${maxBatch} sessions fit it: narrow it, and ask several times`)
        }
        return found
      })

    /** The job that the key was used for before. */
    const answered = (wanted: NewBatch) =>
      Effect.gen(function* () {
        const found = yield* repo.withKey(wanted)
        if (found?.request_hash === wanted.request_hash) return yield* existing(found.id)
        return yield* new IdempotencyMismatch({ key: wanted.idempotency_key ?? "" })
      })

    /** Begins a job; the same key with the same content answers the same one. */
    const create = Effect.fn("Batches.create")(
      function* (payload: CreateExampleBatch, idempotency_key: string | undefined) {
        const principal = yield* CurrentPrincipal
        const job = yield* Effect.gen(function* () {
          const id = JobId.make(newId.next())
          const batch: NewBatch = {
            id,
            org_id: principal.org_id,
            suite_ids: principal.suite_ids,
            principal: nameOf(principal),
            idempotency_key: idempotency_key ?? null,
            request_hash: hashOf(payload),
            payload,
            session_ids: yield* selected(principal, payload)
          }
          if ((yield* repo.insert(batch)) === undefined) return yield* answered(batch)
          const made = yield* existing(id)
          yield* audit.record({ action: "job.create", resource: `job/${id}`, after: { ...made, payload } })
          yield* ExampleBatchWorkflow.execute({ job_id: id, attempt: made.attempts }, { discard: true }).pipe(
            Effect.provideService(WorkflowEngine, engine)
          )
          return made
        }).pipe(sql.withTransaction, orDefect)
        yield* sharding.pollStorage
        return job
      },
      withPolicy(scope("examples:write"))
    )

    /** The job that the caller began with a key; undefined: none. */
    const begunWith = Effect.fn("Batches.begunWith")(
      function* (idempotency_key: string) {
        const principal = yield* CurrentPrincipal
        const found = yield* repo.withKey({ org_id: principal.org_id, principal: nameOf(principal), idempotency_key })
        return found?.id
      },
      withPolicy(scope("examples:write"))
    )

    const get = Effect.fn("Batches.get")(existing, withPolicy(scope("examples:read")))

    /** What the job has finished stays; what it began is cancelled with it. */
    const cancel = Effect.fn("Batches.cancel")(
      function* (id: JobId) {
        const principal = yield* CurrentPrincipal
        return yield* Effect.gen(function* () {
          const before = (yield* repo.lock(principal, id)) ?? (yield* jobNotFound(id))
          if (before.status !== "PENDING" && before.status !== "RUNNING") {
            const needed = "only one that is PENDING or RUNNING can be cancelled"
            return yield* new JobState({ id, job_status: before.status, needed })
          }
          yield* repo.cancel(id)
          const after = yield* existing(id)
          yield* audit.record({ action: "job.cancel", resource: `job/${id}`, before, after })
          return after
        }).pipe(sql.withTransaction, orDefect)
      },
      withPolicy(scope("examples:write"))
    )

    return { create, begunWith, get, cancel } as const
  })
}) {}
