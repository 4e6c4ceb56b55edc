import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { BadRequest, Issue, PayloadTooLarge, ValidationError } from "../domain/Errors.ts"
import { UploadId } from "../domain/Ids.ts"
import { CurrentPrincipal } from "../domain/Principal.ts"
import { suiteMissing } from "../domain/session/Session.ts"
import { UploadExpired, UploadState, uploadNotFound } from "../domain/session/Upload.ts"
import { Audit } from "../identity/Audit.ts"
import { Quotas } from "../identity/Quotas.ts"
import { Id } from "../platform/Id.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { SessionsRepo } from "./SessionsRepo.ts"
import type { TusRequest } from "./TusHeaders.ts"
import * as Tus from "./TusHeaders.ts"
import { checkDraft } from "./Upload.ts"
import { UploadSessions } from "./UploadSessions.ts"
import { UploadsRepo } from "./UploadsRepo.ts"

const invalid = (path: string, message: string) =>
  new ValidationError({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

/** `true`, or the key alone: the upload becomes a session by itself. */
const isAutomatic = (metadata: ReadonlyMap<string, string>) => {
  const text = metadata.get("create_session")
  return text !== undefined && text !== "false"
}

/** Begins tus uploads, and joins those that were sent in pieces. */
export class UploadCreation extends Effect.Service<UploadCreation>()("session/UploadCreation", {
  dependencies: [UploadsRepo.Default, UploadSessions.Default, SessionsRepo.Default, Quotas.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* UploadsRepo
    const made = yield* UploadSessions
    const sessions = yield* SessionsRepo
    const audit = yield* Audit
    const quotas = yield* Quotas
    const newId = yield* Id
    const { ingest } = yield* Settings

    const tooLarge = (detail: string) => new PayloadTooLarge({ detail, limit: ingest.max_session_bytes })

    const lengthOf = (headers: TusRequest["headers"]) =>
      Effect.gen(function* () {
        const length = yield* Tus.bytesIn(headers, "Upload-Length")
        if (length === undefined) return yield* new BadRequest({ detail: "Upload-Length must be given" })
        if (length <= ingest.max_session_bytes) return length
        return yield* tooLarge(
          `Upload-Length is ${length}; a session has at most ${ingest.max_session_bytes} (MAX_SESSION_BYTES)`
        )
      })

    /** What `Upload-Metadata` says; keys of other programs are kept and not looked at. */
    const draftOf = (header: string) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const pairs = yield* Tus.parseMetadata(header)
        const { suite_id, ...fields } = yield* checkDraft({
          suite_id: pairs.get("suite_id"),
          description: pairs.get("description"),
          metadata: pairs.get("metadata"),
          format: pairs.get("format")
        })
        const automatic = isAutomatic(pairs)
        if (automatic && suite_id === undefined) {
          return yield* invalid("suite_id", "must be in Upload-Metadata where create_session is")
        }
        if (suite_id !== undefined && !(yield* sessions.suiteVisible(principal, suite_id))) {
          return yield* suiteMissing(suite_id)
        }
        const filename = pairs.get("filename") ?? pairs.get("name") ?? ""
        if (filename.length > 1024 || filename.includes("\u0000")) {
          return yield* invalid("filename", "must be at most 1024 characters long, and hold no NUL")
        }
        return {
          ...fields,
          suite_id: suite_id ?? null,
          format: fields.format ?? null,
          filename,
          automatic,
          upload_metadata: header
        }
      })

    /** The partial uploads of a final one, in order, all of them there and nobody else's. */
    const partials = (ids: ReadonlyArray<UploadId>) =>
      Effect.gen(function* () {
        if (new Set(ids).size < ids.length) return yield* invalid("Upload-Concat", "an upload is named twice")
        const rows = new Map((yield* repo.lock(yield* CurrentPrincipal, ids)).map((row) => [row.id, row]))
        return yield* Effect.forEach(ids, (id) =>
          Effect.gen(function* () {
            const row = rows.get(id)
            if (row === undefined) return yield* uploadNotFound(id)
            if (row.expired) return yield* new UploadExpired({ id })
            if (row.concat !== "partial") return yield* invalid("Upload-Concat", `the upload ${id} is no partial one`)
            if (row.status !== "COMPLETE" || row.final_id !== null) {
              const needed = row.final_id === null ? "bytes of it are missing" : "it is a part of another upload"
              return yield* new UploadState({ id, upload_status: row.status, needed })
            }
            return row
          })
        )
      })

    /** Writes the upload that a request asks for; a whole one may become a session in the same moment. */
    const insert = ({ headers }: TusRequest) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const concat = yield* Tus.parseConcat(headers["upload-concat"])
        const draft = yield* draftOf(headers["upload-metadata"] ?? "")
        const pieces = concat?.kind === "final" ? yield* partials(concat.ids) : []
        const sum = pieces.reduce((total, { length }) => total + length, 0)
        const length = concat?.kind === "final" ? sum : yield* lengthOf(headers)
        if (length > ingest.max_session_bytes) return yield* tooLarge(`together the uploads have ${length} bytes`)
        // What is joined was asked for when its pieces were begun.
        if (concat?.kind !== "final") yield* quotas.check(principal.org_id, "bytes_stored", length)
        const id = UploadId.make(newId.next())
        const offset = concat?.kind === "final" ? length : 0
        const automatic = draft.automatic && concat?.kind !== "partial"
        const row = yield* repo.insert(principal, {
          ...draft,
          automatic,
          id,
          length,
          offset,
          concat: concat?.kind ?? null
        })
        if (concat?.kind === "final") yield* repo.join(id, concat.ids)
        yield* audit.record({ action: "upload.create", resource: `upload/${id}`, after: row })
        return yield* made.finished(row)
      }).pipe(sql.withTransaction, orDefect)

    return { insert } as const
  })
}) {}
