import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Unavailable } from "../domain/Errors.ts"
import type { SessionId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { fileNotFound, SessionNotReady, sessionNotFound, type UpdateSession } from "../domain/session/Session.ts"
import { Audit } from "../identity/Audit.ts"
import { Quotas } from "../identity/Quotas.ts"
import * as Keyset from "../platform/Keyset.ts"
import { type ByteRange, ObjectStore, type ObjectStoreError } from "../platform/ObjectStore.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { Removals } from "./Removals.ts"
import { type SessionFilter, SessionsRepo, sessionPrefix } from "./SessionsRepo.ts"
import { Timeline } from "./Timeline.ts"
import { UploadsRepo } from "./UploadsRepo.ts"

interface ListQuery extends SessionFilter {
  readonly limit: number
  readonly cursor?: string | undefined
}

const away = (error: ObjectStoreError) => new Unavailable({ detail: error.message, retry_after_s: 5 })

/** Uploaded recordings: found, read, described, deleted. Their bytes are never changed. */
export class Sessions extends Effect.Service<Sessions>()("session/Sessions", {
  dependencies: [
    SessionsRepo.Default,
    UploadsRepo.Default,
    Audit.Default,
    Quotas.Default,
    Removals.Default,
    Timeline.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* SessionsRepo
    const uploads = yield* UploadsRepo
    const audit = yield* Audit
    const quotas = yield* Quotas
    const store = yield* ObjectStore
    const removals = yield* Removals
    const timelines = yield* Timeline
    const read = withPolicy(scope("sessions:read"))
    const write = withPolicy(scope("sessions:write"))

    const existing = (id: SessionId) =>
      Effect.flatMap(CurrentPrincipal, (principal) =>
        Effect.flatMap(repo.find(principal, id), (session) =>
          session === undefined ? sessionNotFound(id) : Effect.succeed(session)
        )
      )

    const ready = (id: SessionId) =>
      Effect.filterOrElse(
        existing(id),
        ({ status }) => status === "READY",
        ({ status }) => new SessionNotReady({ id, session_status: status })
      )

    const list = Effect.fn("Sessions.list")(function* (query: ListQuery) {
      const keyset = yield* Keyset.position(query.cursor)
      return Keyset.page(yield* repo.list(yield* CurrentPrincipal, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Sessions.get")(existing, read)

    const update = Effect.fn("Sessions.update")(function* (id: SessionId, change: UpdateSession) {
      return yield* Effect.gen(function* () {
        const before = yield* existing(id)
        if (Object.keys(change).length === 0) return before
        const session = yield* repo.update(yield* CurrentPrincipal, id, change)
        if (session === undefined) return yield* sessionNotFound(id)
        yield* audit.record({ action: "session.update", resource: `session/${id}`, before, after: session })
        return session
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("Sessions.delete")(function* (id: SessionId) {
      const principal = yield* CurrentPrincipal
      const { removal, size_bytes } = yield* Effect.gen(function* () {
        // Before its uploads, as a validation that ends takes them.
        if (!(yield* repo.lock(principal, id))) return yield* sessionNotFound(id)
        yield* uploads.removeOf(id)
        const gone = yield* repo.remove(principal, id)
        if (gone === undefined) return yield* sessionNotFound(id)
        if (gone.idempotency_key !== null) yield* repo.forgetKey(principal.org_id, gone.idempotency_key, id)
        yield* audit.record({ action: "session.delete", resource: `session/${id}` })
        const removal = yield* removals.note(principal.org_id, sessionPrefix(principal.org_id, id))
        return { removal, size_bytes: gone.size_bytes }
      }).pipe(sql.withTransaction, orDefect)
      quotas.count(principal.org_id, "bytes_stored", -size_bytes)
      // The rows are gone and the objects noted: whatever happens now, the collector finishes it.
      yield* removals.carryOut(removal)
    }, write)

    const files = Effect.fn("Sessions.files")(function* (
      id: SessionId,
      query: { readonly limit: number; readonly cursor?: string }
    ) {
      const principal = yield* CurrentPrincipal
      yield* ready(id)
      const last = yield* Keyset.path(query.cursor)
      const rows = yield* repo.files(principal, id, last, query.limit)
      return Keyset.pathPage(rows, query.limit)
    }, read)

    /** A file's description, and a way to its bytes or a range of them. */
    const file = Effect.fn("Sessions.file")(function* (id: SessionId, path: string) {
      const found = yield* repo.file(yield* CurrentPrincipal, id, path)
      if (found === undefined) {
        yield* ready(id)
        return yield* fileNotFound(id, path)
      }
      const bytes = (range?: ByteRange) =>
        store.read(found.storage_path + found.path, range).pipe(
          Effect.catchTags({
            ObjectStoreFull: away,
            ObjectStoreUnavailable: away,
            // The row says that it is there: its absence is a fault of ours, not of the caller.
            ObjectNotFound: Effect.die
          })
        )
      return { ...found, bytes }
    }, read)

    /** The session's normalised events, see {@link Timeline.open}. */
    const timeline = Effect.fn("Sessions.timeline")(function* (id: SessionId) {
      const session = yield* existing(id)
      return yield* timelines.open(yield* CurrentPrincipal, session)
    }, read)

    return { list, get, update, delete: remove, files, file, timeline } as const
  })
}) {}
