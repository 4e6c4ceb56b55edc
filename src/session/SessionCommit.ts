import { SqlError } from "@effect/sql"
import { Effect, Schedule } from "effect"
import { type NotFound, Unavailable } from "../domain/Errors.ts"
import { Audit } from "../identity/Audit.ts"
import { type ObjectBatch, ObjectStore } from "../platform/ObjectStore.ts"
import * as Rows from "../platform/Rows.ts"
import { isConnectionFailure, violates } from "../platform/SqlFailure.ts"
import { Session, suiteMissing } from "../domain/session/Session.ts"
import { type Answered, IdempotencyRepo, type KeyOwner } from "./IdempotencyRepo.ts"
import type { StoredFile } from "./Intake.ts"
import { type NewSession, SessionsRepo } from "./SessionsRepo.ts"

/** Everything that becomes visible in one moment. */
export interface Complete {
  readonly session: NewSession
  readonly files: ReadonlyArray<StoredFile>
  readonly batch: ObjectBatch
  readonly idempotency: { readonly owner: KeyOwner; readonly request_hash: string } | undefined
}

/** Another request with the same Idempotency-Key was faster. */
export interface Overtaken {
  readonly _tag: "Overtaken"
}

const uncertain = new Unavailable({
  detail: "the database went away while the session was written; send it again, with an Idempotency-Key to be safe",
  retry_after_s: 5
})

/** Makes an upload a session: objects durable first, then the rows, in one statement. */
export class SessionCommit extends Effect.Service<SessionCommit>()("session/SessionCommit", {
  dependencies: [SessionsRepo.Default, IdempotencyRepo.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const store = yield* ObjectStore
    const repo = yield* SessionsRepo
    const keys = yield* IdempotencyRepo
    const audit = yield* Audit

    const write = ({ session, files, idempotency }: Complete) =>
      Effect.gen(function* () {
        const { id, suite_id, format } = session
        const entry = yield* audit.statement({
          action: "session.create",
          resource: `session/${id}`,
          after: { id, suite_id, format, files }
        })
        const answered = (request_hash: string): Answered => ({ request_hash, id })
        const together =
          idempotency === undefined
            ? [entry]
            : [entry, keys.insert(idempotency.owner, answered(idempotency.request_hash))]
        return yield* Rows.one(Session, repo.insert(session, files, together))
      })

    /** The connection was lost in the middle: the row may or may not be there. */
    const settle = ({ session }: Complete) =>
      Effect.suspend(() => repo.exists(session.id)).pipe(
        Effect.catchAllDefect(() => Effect.fail("away" as const)),
        Effect.retry(Schedule.spaced("500 millis").pipe(Schedule.upTo("10 seconds"))),
        // Not known even now: the collector will find out, and remove what has no row.
        Effect.mapError(() => uncertain)
      )

    const remove = (prefix: string) =>
      Effect.catchAll(store.removePrefix(prefix), (error) =>
        Effect.logWarning("objects of a refused session are left to the collector", error)
      )

    /** The rows were not written, or nobody knows: the objects must not outlive that. */
    const refused = (
      complete: Complete,
      defect: unknown,
      reread: Effect.Effect<Session | undefined>
    ): Effect.Effect<Session | Overtaken, Unavailable | NotFound> => {
      const { storage_path, suite_id } = complete.session
      if (isConnectionFailure(defect)) {
        return Effect.flatMap(settle(complete), (exists) =>
          exists
            ? Effect.flatMap(reread, (session) => (session === undefined ? uncertain : Effect.succeed(session)))
            : Effect.zipRight(remove(storage_path), uncertain)
        )
      }
      const broke = (constraint: string) => defect instanceof SqlError.SqlError && violates(defect, constraint)
      const answer = broke("idempotency_keys_unique")
        ? Effect.succeed<Overtaken>({ _tag: "Overtaken" })
        : broke("sessions_suite")
          ? suiteMissing(suite_id)
          : Effect.die(defect)
      return Effect.zipRight(remove(storage_path), answer)
    }

    /**
     * Cannot be interrupted: from the first visible object on, it ends with the row or without the
     * objects. Only a lost database leaves the question to the collector.
     */
    const commit = (complete: Complete, reread: Effect.Effect<Session | undefined>) =>
      Effect.gen(function* () {
        yield* complete.batch.commit
        return yield* write(complete).pipe(Effect.catchAllDefect((defect) => refused(complete, defect, reread)))
      }).pipe(Effect.uninterruptible)

    return { commit } as const
  })
}) {}
