import { SqlClient, SqlError } from "@effect/sql"
import { Effect, Schedule } from "effect"
import { type NotFound, Unavailable } from "../domain/Errors.ts"
import type { CurrentPrincipal } from "../domain/Principal.ts"
import { Session, suiteMissing } from "../domain/session/Session.ts"
import { SessionReady } from "../domain/session/SessionReady.ts"
import { Audit } from "../identity/Audit.ts"
import { type ObjectBatch, ObjectStore, type ObjectStoreError } from "../platform/ObjectStore.ts"
import * as Rows from "../platform/Rows.ts"
import { isConnectionFailure, orDefect, violates } from "../platform/SqlFailure.ts"
import { type Answered, IdempotencyRepo, type KeyOwner } from "./IdempotencyRepo.ts"
import type { StoredFile } from "./Intake.ts"
import { type NewSession, SessionsRepo } from "./SessionsRepo.ts"

/** Everything that becomes visible in one moment. */
export interface Complete {
  readonly session: NewSession
  readonly files: ReadonlyArray<StoredFile>
  readonly batch: ObjectBatch
  /** False when a collector may hold the objects to be remains. */
  readonly isHeld: Effect.Effect<boolean>
  /** True when something begins with the session, in the same transaction. */
  readonly on_upload: boolean
  readonly idempotency: { readonly owner: KeyOwner; readonly request_hash: string } | undefined
}

/** Another request with the same Idempotency-Key was faster. */
export interface Overtaken {
  readonly _tag: "Overtaken"
}

type Outcome<E = never> = Effect.Effect<Session | Overtaken, E | Unavailable | NotFound, CurrentPrincipal>

const leaseLost = new Unavailable({
  detail: "the upload's lease was lost while the database was away",
  retry_after_s: 5
})

const uncertain = new Unavailable({
  detail: "the database went away while the session was written; send it again, with an Idempotency-Key to be safe",
  retry_after_s: 5
})

/** How long a commit waits for a database that went away in its middle. */
const patience = Schedule.spaced("500 millis").pipe(Schedule.upTo("15 seconds"))

/** Makes an upload a session: objects durable first, then the rows, in one statement or transaction. */
export class SessionCommit extends Effect.Service<SessionCommit>()("session/SessionCommit", {
  dependencies: [SessionsRepo.Default, IdempotencyRepo.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const ready = yield* SessionReady
    const store = yield* ObjectStore
    const repo = yield* SessionsRepo
    const keys = yield* IdempotencyRepo
    const audit = yield* Audit

    const insert = ({ session, files, idempotency, on_upload }: Complete) =>
      Effect.gen(function* () {
        const { id, suite_id, format } = session
        const entry = yield* audit.statements({
          action: "session.create",
          resource: `session/${id}`,
          after: { id, suite_id, format, files }
        })
        const answered = (request_hash: string): Answered => ({ request_hash, id })
        const together =
          idempotency === undefined
            ? entry
            : [...entry, keys.insert(idempotency.owner, answered(idempotency.request_hash))]
        const inserted = Rows.one(Session, repo.insert(session, files, together))
        if (!on_upload) return yield* inserted
        const made = yield* Effect.zipLeft(inserted, ready.begin(session)).pipe(sql.withTransaction, orDefect)
        yield* ready.began
        return made
      })

    const write = (complete: Complete) =>
      Effect.flatMap(complete.isHeld, (held) => (held ? insert(complete) : leaseLost))

    const remove = ({ session }: Complete) =>
      Effect.catchAll(store.removePrefix(session.storage_path), (error) =>
        Effect.logWarning("objects of a refused session are left to the collector", error)
      )

    const broke = (defect: unknown, constraint: string) =>
      defect instanceof SqlError.SqlError && violates(defect, constraint)

    /** Why the database refuses the rows for good; undefined: a fault of ours. */
    const reasonOf = ({ session }: Complete, defect: unknown): Outcome | undefined => {
      if (broke(defect, "idempotency_keys_unique")) return Effect.succeed<Overtaken>({ _tag: "Overtaken" })
      return broke(defect, "sessions_suite") ? suiteMissing(session.suite_id) : undefined
    }

    /** The one statement failed: its rows are not there, and the objects must not outlive them. */
    const refused = (complete: Complete, defect: unknown): Outcome =>
      Effect.zipRight(remove(complete), reasonOf(complete, defect) ?? Effect.die(defect))

    /**
     * The connection was lost in the middle, and the statement may be running still: the rows are
     * there, or will be, or never. Writing them once more settles it, for that waits for a statement
     * with the same id and is refused when that one succeeds. Where it settles nothing, the objects
     * are left to the collector, which waits until the statement cannot be running any more.
     */
    const settled = (complete: Complete, reread: Effect.Effect<Session | undefined>): Outcome => {
      const orElse = (otherwise: Outcome): Outcome =>
        Effect.flatMap(reread, (session) => (session === undefined ? otherwise : Effect.succeed(session)))
      const again = write(complete).pipe(
        Effect.catchAll((lost) => orElse(lost)),
        Effect.catchAllDefect((defect) => {
          if (isConnectionFailure(defect)) return Effect.die(defect)
          const reason = reasonOf(complete, defect)
          return orElse(reason === undefined ? Effect.die(defect) : Effect.zipRight(remove(complete), reason))
        })
      )
      return again.pipe(
        Effect.catchAllDefect((defect) =>
          isConnectionFailure(defect) ? Effect.fail("away" as const) : Effect.die(defect)
        ),
        Effect.retry({ schedule: patience, while: (error) => error === "away" }),
        Effect.mapError((error) => (error === "away" ? uncertain : error))
      )
    }

    /**
     * Cannot be interrupted: from the first visible object on, it ends with the row or without the
     * objects. Only a lost database leaves the question to the collector.
     * @param reread the session, if its row is there
     */
    const commit = (complete: Complete, reread: Effect.Effect<Session | undefined>): Outcome<ObjectStoreError> =>
      Effect.gen(function* () {
        yield* complete.batch.commit
        return yield* write(complete).pipe(
          Effect.tapError(() => remove(complete)),
          Effect.catchAllDefect((defect) =>
            isConnectionFailure(defect) ? settled(complete, reread) : refused(complete, defect)
          )
        )
      }).pipe(Effect.uninterruptible)

    return { commit } as const
  })
}) {}
