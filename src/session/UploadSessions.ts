import { Sharding } from "@effect/cluster"
import { SqlClient } from "@effect/sql"
import { WorkflowEngine } from "@effect/workflow/WorkflowEngine"
import canonicalize from "canonicalize"
import { Effect } from "effect"
import { Issue, PayloadTooLarge, Unavailable, ValidationError } from "../domain/Errors.ts"
import { SessionId, type SuiteId, type UploadId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { type CreateSession, type Format, IdempotencyMismatch, suiteMissing } from "../domain/session/Session.ts"
import { UploadExpired, UploadState, uploadNotFound } from "../domain/session/Upload.ts"
import { ValidationWorkflow } from "../domain/session/ValidationWorkflow.ts"
import { Audit } from "../identity/Audit.ts"
import { Quotas } from "../identity/Quotas.ts"
import { Id } from "../platform/Id.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { IdempotencyRepo, keyOwner } from "./IdempotencyRepo.ts"
import { SessionsRepo, sessionPrefix } from "./SessionsRepo.ts"
import { type UploadRow, UploadsRepo } from "./UploadsRepo.ts"

interface Wanted {
  readonly suite_id: SuiteId
  readonly description: string
  readonly metadata: Readonly<Record<string, unknown>>
  readonly format: Format | null
}

const invalid = (path: string, message: string) =>
  new ValidationError({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

const requestHash = (wanted: CreateSession) =>
  new Bun.CryptoHasher("sha256").update(String(canonicalize(JSON.parse(JSON.stringify(wanted))))).digest("hex")

/** Makes finished uploads a session, which is VALIDATING until a job has read them. */
export class UploadSessions extends Effect.Service<UploadSessions>()("session/UploadSessions", {
  dependencies: [UploadsRepo.Default, SessionsRepo.Default, IdempotencyRepo.Default, Quotas.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const uploads = yield* UploadsRepo
    const sessions = yield* SessionsRepo
    const keys = yield* IdempotencyRepo
    const audit = yield* Audit
    const quotas = yield* Quotas
    const newId = yield* Id
    const engine = yield* WorkflowEngine
    const sharding = yield* Sharding.Sharding
    const { ingest } = yield* Settings

    /** Begins the session of these uploads, all of them COMPLETE and held by the transaction that this runs in. */
    const claim = (wanted: Wanted, ids: ReadonlyArray<UploadId>, key: string | null) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const id = SessionId.make(newId.next())
        const session = yield* sessions.insertValidating({
          ...wanted,
          id,
          org_id: principal.org_id,
          user_id: principal.user_id,
          storage_path: sessionPrefix(principal.org_id, id),
          idempotency_key: key
        })
        yield* uploads.claim(id, ids)
        yield* audit.record({ action: "session.create", resource: `session/${id}`, after: { ...wanted, id, ids } })
        yield* ValidationWorkflow.execute({ session_id: id }, { discard: true }).pipe(
          Effect.provideService(WorkflowEngine, engine)
        )
        return session
      })

    /** A finished upload that asked for it becomes a session in the transaction in which it is finished. */
    const finished = (row: UploadRow) =>
      Effect.gen(function* () {
        if (row.status !== "COMPLETE" || !row.automatic || row.suite_id === null) return row
        const { suite_id, description, metadata, format } = row
        const session = yield* claim({ suite_id, description, metadata, format }, [row.id], null)
        return { ...row, status: "CLAIMED" as const, session_id: session.id }
      })

    /** The job begins when the transaction is committed; this tells it so at once. */
    const begin = sharding.pollStorage

    const usable = (wanted: CreateSession, id: UploadId, row: UploadRow | undefined) =>
      Effect.gen(function* () {
        if (row === undefined) return yield* uploadNotFound(id)
        if (row.expired) return yield* new UploadExpired({ id })
        if (row.status !== "COMPLETE" || row.final_id !== null) {
          const needed =
            row.status === "OPEN"
              ? `${row.length - row.offset} bytes of it are missing`
              : "it is a part of another upload or session"
          return yield* new UploadState({ id, upload_status: row.status, needed })
        }
        if (row.suite_id !== null && row.suite_id !== wanted.suite_id) {
          return yield* invalid("suite_id", `the upload ${id} was made for another suite`)
        }
      })

    const tooLarge = new PayloadTooLarge({
      detail: `a session has at most ${ingest.max_session_bytes} bytes (MAX_SESSION_BYTES)`,
      limit: ingest.max_session_bytes
    })

    const checked = (wanted: CreateSession) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        if (!(yield* sessions.suiteVisible(principal, wanted.suite_id))) return yield* suiteMissing(wanted.suite_id)
        if (new Set(wanted.upload_ids).size < wanted.upload_ids.length) {
          return yield* invalid("upload_ids", "an upload is named twice")
        }
        const rows = new Map((yield* uploads.lock(principal, wanted.upload_ids)).map((row) => [row.id, row]))
        for (const id of wanted.upload_ids) yield* usable(wanted, id, rows.get(id))
        const length = [...rows.values()].reduce((sum, row) => sum + row.length, 0)
        if (length > ingest.max_session_bytes) return yield* tooLarge
        yield* quotas.check(principal.org_id, "bytes_stored", length)
      })

    const answered = (id: SessionId) =>
      Effect.gen(function* () {
        const session = yield* sessions.find(yield* CurrentPrincipal, id)
        return (
          session ??
          (yield* new Unavailable({
            detail: "the key's session was deleted meanwhile; send it again",
            retry_after_s: 1
          }))
        )
      })

    /** Answers the new session, which is VALIDATING; with the same key and the same content, the same one. */
    const create = Effect.fn("UploadSessions.create")(
      function* (wanted: CreateSession, key: string | undefined) {
        const owner = keyOwner(yield* CurrentPrincipal, key)
        const request_hash = requestHash(wanted)
        const session = yield* Effect.gen(function* () {
          if (owner !== undefined) {
            yield* keys.hold(owner)
            yield* keys.forgetExpired(owner)
            const known = yield* keys.find(owner)
            if (known !== undefined && known.request_hash !== request_hash) {
              return yield* new IdempotencyMismatch({ key: owner.key })
            }
            if (known !== undefined) return yield* answered(known.id)
          }
          yield* checked(wanted)
          const { suite_id, description, metadata, format = null } = wanted
          const made = yield* claim({ suite_id, description, metadata, format }, wanted.upload_ids, key ?? null)
          if (owner !== undefined) {
            yield* orDefect(Effect.asVoid(keys.insert(owner, { request_hash, id: made.id })))
          }
          return made
        }).pipe(sql.withTransaction, orDefect)
        yield* begin
        return session
      },
      withPolicy(scope("sessions:write"))
    )

    return { create, finished, begin } as const
  })
}) {}
