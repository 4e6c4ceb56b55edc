import { randomBytes } from "node:crypto"
import { SqlClient } from "@effect/sql"
import { Clock, DateTime, Duration, Effect } from "effect"
import { BadRequest, Issue, PayloadTooLarge, ValidationError } from "../domain/Errors.ts"
import { DirectUploadId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { suiteMissing } from "../domain/session/Session.ts"
import {
  type CompleteDirectUpload,
  type CreateDirectUpload,
  DirectUpload,
  PartUrl,
  UploadExpired,
  UploadState,
  UrlRefused,
  uploadNotFound
} from "../domain/session/Upload.ts"
import { Audit } from "../identity/Audit.ts"
import { Quotas } from "../identity/Quotas.ts"
import { Id } from "../platform/Id.ts"
import { type DirectPart, ObjectStore, type ObjectStoreError } from "../platform/ObjectStore.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { type DirectRow, DirectUploadsRepo } from "./DirectUploadsRepo.ts"
import { Removals } from "./Removals.ts"
import { SessionsRepo } from "./SessionsRepo.ts"
import { type Grant, isSigned, signedPath } from "./SignedUrls.ts"
import { drain } from "./SocketReader.ts"
import { storeAway, storeFull } from "./StoreTrouble.ts"
import { DIRECT_OBJECT, type StoredPart, uploadPrefix } from "./UploadsRepo.ts"

const MIB = 1024 * 1024
const PART_BYTES = 16 * MIB
const MAX_PARTS = 10_000
/** URLs told at once; the rest is asked for with `from_part`. */
const URLS_AT_ONCE = 1000
const URL_LIFETIME = Duration.hours(1)

interface PartRequest extends Grant {
  readonly signature: string
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly body: ReadableStream<Uint8Array> | null
}

const partCount = ({ length, part_size }: Pick<DirectRow, "length" | "part_size">) => Math.ceil(length / part_size)

const partBytes = ({ length, part_size }: Pick<DirectRow, "length" | "part_size">, number: number) =>
  Math.min(part_size, length - (number - 1) * part_size)

/** What is wrong with the parts that are there; nothing when they are the file. */
const faults = (
  row: DirectRow,
  parts: ReadonlyArray<DirectPart>,
  told: CompleteDirectUpload["parts"]
): ReadonlyArray<Issue> => {
  const found = new Map(parts.map((part) => [part.number, part]))
  const tags = new Map(told?.map(({ number, etag }) => [number, etag.replaceAll('"', "")]))
  const wrong = (number: number): string | undefined => {
    const part = found.get(number)
    const bytes = partBytes(row, number)
    if (part === undefined) return "is missing"
    if (part.size_bytes !== bytes) return `has ${part.size_bytes} bytes, and ${bytes} belong to it`
    const tag = tags.get(number)
    return tag === undefined || tag === part.etag ? undefined : `has the ETag ${part.etag}`
  }
  const numbers = Array.from({ length: partCount(row) }, (_, at) => at + 1)
  const beyond = [...found.keys(), ...tags.keys()].filter((number) => number < 1 || number > numbers.length)
  return [
    ...numbers.flatMap((number) => {
      const message = wrong(number)
      return message === undefined ? [] : [new Issue({ path: `parts.${number}`, message })]
    }),
    ...[...new Set(beyond)].map((number) => new Issue({ path: `parts.${number}`, message: "is none of the file's" }))
  ]
}

/**
 * Uploads whose bytes go straight to the store, to URLs that are signed for single parts. A store that
 * knows no such URLs has them signed by this service, with a key of each upload's own.
 */
export class DirectUploads extends Effect.Service<DirectUploads>()("session/DirectUploads", {
  dependencies: [DirectUploadsRepo.Default, SessionsRepo.Default, Removals.Default, Quotas.Default, Audit.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const store = yield* ObjectStore
    const repo = yield* DirectUploadsRepo
    const sessions = yield* SessionsRepo
    const removals = yield* Removals
    const audit = yield* Audit
    const quotas = yield* Quotas
    const newId = yield* Id
    const { ingest, server } = yield* Settings
    const write = withPolicy(scope("sessions:write"))

    const objectKey = ({ org_id, id }: Pick<DirectRow, "org_id" | "id">) => uploadPrefix(org_id, id) + DIRECT_OBJECT

    const urlOf = (row: DirectRow, number: number, expires: number, origin: string) =>
      row.store_upload_id !== null && store.direct !== undefined
        ? store.direct.url({ key: objectKey(row), upload_id: row.store_upload_id, number, lifetime: URL_LIFETIME })
        : Effect.succeed((server.public_url ?? origin) + signedPath(row.sign_key, { id: row.id, number, expires }))

    /** The upload with fresh URLs, from one part on. */
    const shown = (row: DirectRow, origin: string, from_part = 1) =>
      Effect.gen(function* () {
        const now = yield* Clock.currentTimeMillis
        const until = Math.floor((now + Duration.toMillis(URL_LIFETIME)) / 1000)
        const part_count = partCount(row)
        const numbers = Array.from({ length: part_count }, (_, at) => at + 1)
        const wanted = row.status === "OPEN" ? numbers.slice(from_part - 1, from_part - 1 + URLS_AT_ONCE) : []
        const parts = yield* Effect.forEach(wanted, (number) =>
          Effect.map(
            urlOf(row, number, until, origin),
            (url) => new PartUrl({ number, size_bytes: partBytes(row, number), url })
          )
        )
        return new DirectUpload({ ...row, part_count, parts, urls_expire_at: DateTime.unsafeMake(until * 1000) })
      })

    const open = (row: DirectRow | undefined, id: DirectUploadId) =>
      Effect.gen(function* () {
        if (row === undefined) return yield* uploadNotFound(id)
        return row.expired ? yield* new UploadExpired({ id }) : row
      })

    const existing = (id: DirectUploadId) =>
      Effect.flatMap(CurrentPrincipal, (principal) => Effect.flatMap(repo.find(principal, id), (row) => open(row, id)))

    const trouble = { ObjectStoreFull: storeFull, ObjectStoreUnavailable: storeAway } as const

    const begun = (id: DirectUploadId, org_id: DirectRow["org_id"], length: number) =>
      store.direct === undefined || length === 0 ? Effect.succeed(null) : store.direct.open(objectKey({ org_id, id }))

    const abort = (row: Pick<DirectRow, "org_id" | "id" | "store_upload_id">) =>
      row.store_upload_id === null || store.direct === undefined
        ? Effect.void
        : Effect.catchAll(store.direct.abort(objectKey(row), row.store_upload_id), (error) =>
            Effect.logWarning("an upload's parts are left to the collector", error)
          )

    /** Begins an upload of a known length, and answers where its parts go. */
    const create = Effect.fn("DirectUploads.create")(
      function* ({ suite_id, filename, length }: CreateDirectUpload, origin: string) {
        const principal = yield* CurrentPrincipal
        if (!(yield* sessions.suiteVisible(principal, suite_id))) return yield* suiteMissing(suite_id)
        if (length > ingest.max_session_bytes) {
          return yield* new PayloadTooLarge({
            detail: `a session has at most ${ingest.max_session_bytes} bytes (MAX_SESSION_BYTES)`,
            limit: ingest.max_session_bytes
          })
        }
        yield* quotas.check(principal.org_id, "bytes_stored", length)
        const id = DirectUploadId.make(newId.next())
        const part_size = Math.max(PART_BYTES, Math.ceil(length / MAX_PARTS / MIB) * MIB)
        const sign_key = randomBytes(32).toString("base64url")
        const { org_id } = principal
        const store_upload_id = yield* begun(id, org_id, length)
        const row = yield* Effect.gen(function* () {
          const made = yield* repo.insert(principal, {
            id,
            suite_id,
            filename,
            length,
            part_size,
            store_upload_id,
            sign_key
          })
          yield* audit.record({ action: "upload.create", resource: `upload/${id}`, after: { id, filename, length } })
          return made
        }).pipe(
          sql.withTransaction,
          orDefect,
          Effect.onError(() => abort({ org_id, id, store_upload_id }))
        )
        return yield* shown(row, origin)
      },
      Effect.catchTags(trouble),
      write
    )

    /** The upload as it is, with URLs that hold anew. */
    const get = Effect.fn("DirectUploads.get")(
      function* (id: DirectUploadId, origin: string, from_part: number) {
        const row = yield* existing(id)
        // The store does not tell when a part comes: who asks where to send one goes on.
        if (store.direct !== undefined) yield* repo.keep(id)
        return yield* shown(row, origin, from_part)
      },
      Effect.catchTags(trouble),
      write
    )

    /** The parts that the store has; undefined when it has joined them before. */
    const sent = (row: DirectRow) =>
      store.direct === undefined || row.store_upload_id === null
        ? Effect.succeed<ReadonlyArray<DirectPart>>(row.parts)
        : Effect.catchTag(store.direct.parts(objectKey(row), row.store_upload_id), "ObjectNotFound", () =>
            Effect.succeed(undefined)
          )

    const missing = (errors: ReadonlyArray<Issue>) =>
      new ValidationError({
        detail: `the parts are not the file: ${errors[0]?.path} ${errors[0]?.message}`,
        errors: errors.slice(0, 20)
      })

    /** Joins the parts in the store, and answers what the upload's bytes are then. */
    const joined = (row: DirectRow, told: CompleteDirectUpload["parts"]) =>
      Effect.gen(function* () {
        const parts = yield* sent(row)
        if (parts !== undefined) {
          const errors = faults(row, parts, told)
          if (errors.length > 0) return yield* missing(errors)
        }
        if (store.direct === undefined || row.store_upload_id === null) {
          return row.parts.map(({ path, size_bytes }): StoredPart => ({ path, size_bytes }))
        }
        if (parts !== undefined) yield* store.direct.complete(objectKey(row), row.store_upload_id, parts)
        const { size_bytes } = yield* Effect.catchTag(store.head(objectKey(row)), "ObjectNotFound", () =>
          missing([new Issue({ path: "parts.1", message: "is gone from the store" })])
        )
        if (size_bytes === row.length) return [{ path: DIRECT_OBJECT, size_bytes }]
        return yield* missing([new Issue({ path: "parts", message: `have ${size_bytes} bytes together` })])
      })

    /** Compares what came with what was to come, and ends the upload: it can become a session. */
    const complete = Effect.fn("DirectUploads.complete")(
      function* (id: DirectUploadId, { parts, sha256 }: CompleteDirectUpload, origin: string) {
        const principal = yield* CurrentPrincipal
        const before = yield* existing(id)
        if (before.status === "COMPLETE") return yield* shown(before, origin)
        if (before.status !== "OPEN") {
          return yield* new UploadState({ id, upload_status: before.status, needed: "it was completed before" })
        }
        const stored = yield* joined(before, parts)
        const row = yield* Effect.gen(function* () {
          const now = yield* open(yield* repo.lock(principal, id), id)
          if (now.status !== "OPEN") return now
          // Parts that are files may have been put anew while nothing was locked.
          const held = store.direct === undefined ? yield* joined(now, parts) : stored
          yield* audit.record({
            action: "upload.complete",
            resource: `upload/${id}`,
            after: { id, sha256, stored: held }
          })
          return yield* repo.complete(principal, id, held, sha256 ?? null)
        }).pipe(sql.withTransaction, orDefect)
        return yield* shown(row, origin)
      },
      Effect.catchTags(trouble),
      write
    )

    const remove = Effect.fn("DirectUploads.delete")(function* (id: DirectUploadId) {
      const principal = yield* CurrentPrincipal
      const row = yield* Effect.gen(function* () {
        const before = yield* open(yield* repo.lock(principal, id), id)
        if (before.status === "CLAIMED") {
          return yield* new UploadState({ id, upload_status: before.status, needed: "it is a part of a session" })
        }
        yield* audit.record({ action: "upload.delete", resource: `upload/${id}`, before: { id } })
        return yield* repo.remove(principal, id)
      }).pipe(sql.withTransaction, orDefect)
      if (row.status === "OPEN") yield* abort(row)
      // The table's trigger noted the objects: whatever happens now, the collector finishes it.
      yield* removals.carryOut({ id, prefix: uploadPrefix(principal.org_id, id) })
    }, write)

    const granted = (request: PartRequest) =>
      Effect.gen(function* () {
        const { id, number, expires, signature } = request
        const now = yield* Clock.currentTimeMillis
        const row = yield* repo.signed(DirectUploadId.make(id))
        // Who has no URL of an upload is not told whether there is one.
        if (row === undefined || !isSigned(row.sign_key, { id, number, expires }, signature)) {
          return yield* uploadNotFound(id)
        }
        if (expires * 1000 < now) return yield* new UrlRefused({ detail: "the URL has expired: ask for a new one" })
        if (row.expired) return yield* new UploadExpired({ id })
        if (row.status === "OPEN" && row.store_upload_id === null) return row
        return yield* new UploadState({ id, upload_status: row.status, needed: "no part of it is missing" })
      })

    /** Takes one part of an upload that this service has signed a URL for; answers its ETag. */
    const put = Effect.fn("DirectUploads.put")((request: PartRequest) =>
      Effect.gen(function* () {
        const row = yield* granted(request)
        const { id, org_id } = row
        const bytes = partBytes(row, request.number)
        const { body, number } = request
        if (body === null) return yield* new BadRequest({ detail: "the body is empty" })
        const folder = `part-${number}-${newId.next()}/`
        const batch = yield* store.batch(uploadPrefix(org_id, id) + folder)
        const writer = yield* batch.writer(DIRECT_OBJECT, {
          content_type: "application/octet-stream",
          size_hint: bytes
        })
        const hasher = new Bun.CryptoHasher("md5")
        let size_bytes = 0
        yield* drain(
          body,
          ingest.upload_idle_timeout,
          (chunk): Effect.Effect<void, PayloadTooLarge | ObjectStoreError> => {
            size_bytes += chunk.length
            if (size_bytes > bytes) {
              return new PayloadTooLarge({
                detail: `the part ${number} has ${bytes} bytes, and more came`,
                limit: bytes
              })
            }
            hasher.update(chunk)
            return writer.write(chunk)
          }
        )
        if (size_bytes < bytes) {
          return yield* new BadRequest({ detail: `the part ${number} has ${bytes} bytes, and ${size_bytes} came` })
        }
        const etag = hasher.digest("hex")
        yield* Effect.zipRight(writer.end, batch.commit)
        const stored = yield* Effect.gen(function* () {
          const earlier = yield* repo.hold(id, number)
          const now = yield* repo.put(id, { number, path: folder + DIRECT_OBJECT, size_bytes, etag })
          if (now !== undefined) {
            yield* audit.recordSystem(org_id, {
              action: "upload.append",
              resource: `upload/${id}`,
              after: { number, etag }
            })
          }
          return { now, earlier }
        }).pipe(sql.withTransaction, orDefect)
        const gone = stored.now === undefined ? folder : stored.earlier
        if (gone !== undefined) yield* store.removePrefix(uploadPrefix(org_id, id) + gone.replace(/[^/]*$/, ""))
        return stored.now === undefined ? yield* new UploadExpired({ id }) : etag
      }).pipe(Effect.scoped, Effect.catchTags(trouble))
    )

    return { create, get, complete, delete: remove, put } as const
  })
}) {}
