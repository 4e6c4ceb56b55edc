import canonicalize from "canonicalize"
import { Cause, Effect, Option, type Scope } from "effect"
import {
  BadRequest,
  type NotFound,
  PayloadTooLarge,
  type RateLimited,
  Unavailable,
  UnsupportedMediaType,
  ValidationError
} from "../domain/Errors.ts"
import { SessionId } from "../domain/Ids.ts"
import { CurrentPrincipal, scope, withPolicy } from "../domain/Principal.ts"
import { describe } from "../domain/Problem.ts"
import { type Format, IdempotencyMismatch, suiteMissing, type UnknownFormat } from "../domain/session/Session.ts"
import { Quotas } from "../identity/Quotas.ts"
import { Id } from "../platform/Id.ts"
import { type ObjectBatch, ObjectStore, type ObjectWriter } from "../platform/ObjectStore.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { archiveSink, type Compression, encodedSink } from "./ArchiveIntake.ts"
import { type Answered, IdempotencyRepo, type KeyOwner, keyOwner } from "./IdempotencyRepo.ts"
import { Intake, type IntakeError } from "./Intake.ts"
import { parser } from "./MultipartForm.ts"
import { SessionCommit } from "./SessionCommit.ts"
import { SessionsRepo, sessionPrefix } from "./SessionsRepo.ts"
import { drain } from "./SocketReader.ts"
import { storeAway, storeFull } from "./StoreTrouble.ts"
import {
  checkFields,
  contentCoding,
  declaredLength,
  type Fields,
  idempotencyKey,
  type RawFields,
  rawName,
  type UploadRequest
} from "./Upload.ts"
import { type FormTarget, uploadForm } from "./UploadForm.ts"
import { UploadLeases } from "./UploadLeases.ts"

/** An upload on its way to be a session. */
interface Draft {
  readonly id: SessionId
  readonly prefix: string
  readonly fields: Fields
  readonly intake: Intake
  readonly owner: KeyOwner | undefined
  /** Undefined when the key was answered before: then the bytes are only compared. */
  readonly batch: ObjectBatch | undefined
  readonly answered: Answered | undefined
  readonly isHeld: Effect.Effect<boolean>
  readonly suite: { readonly on_upload: boolean }
}

/** Room for what a body holds beside its files: boundaries and part headers, or an archive's own. */
const envelope = (files: number) => 4 * 1024 * 1024 + files * 2048

const discard: ObjectWriter = { write: () => Effect.void, end: Effect.void }

/** What makes two uploads the same: fields and the files' digests, in no order. */
const requestHash = ({ fields, intake }: Draft, format: Format): string => {
  const files = intake.files.map(({ path, sha256 }) => [path, sha256]).sort()
  return new Bun.CryptoHasher("sha256").update(String(canonicalize({ ...fields, format, files }))).digest("hex")
}

/** What may go wrong from the first field to the last file. */
type BeginError = IntakeError | ValidationError | NotFound | UnknownFormat | RateLimited

type Needs = Scope.Scope | CurrentPrincipal

/** A metric's label: what the upload was refused with, or that nobody was there any more. */
const reasonOf = (cause: Cause.Cause<unknown>): string => {
  if (Cause.isInterruptedOnly(cause)) return "cut_off"
  const failure = Option.getOrUndefined(Cause.failureOption(cause))
  return describe(failure)?.code ?? "internal_error"
}

/** Takes one-request uploads: streamed, checked on the way, and then all there or not at all. */
export class Uploads extends Effect.Service<Uploads>()("session/Uploads", {
  dependencies: [
    SessionsRepo.Default,
    IdempotencyRepo.Default,
    SessionCommit.Default,
    UploadLeases.Default,
    Quotas.Default,
    Metrics.Default
  ],
  effect: Effect.gen(function* () {
    const store = yield* ObjectStore
    const repo = yield* SessionsRepo
    const keys = yield* IdempotencyRepo
    const { commit } = yield* SessionCommit
    const leases = yield* UploadLeases
    const metrics = yield* Metrics
    const quotas = yield* Quotas
    const id = yield* Id
    const { ingest, data } = yield* Settings
    const max_body_bytes = ingest.max_session_bytes + envelope(ingest.max_files_per_session)

    /** Everything that can be said before a byte is stored. */
    const begin = (raw: RawFields, key: string | undefined) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const fields = yield* checkFields(raw)
        const suite = (yield* repo.suiteVisible(principal, fields.suite_id)) ?? (yield* suiteMissing(fields.suite_id))
        const owner = keyOwner(principal, key)
        const answered = owner === undefined ? undefined : yield* keys.find(owner)
        const session_id = SessionId.make(id.next())
        const prefix = sessionPrefix(principal.org_id, session_id)
        // Of how much is known only in the end: then it is asked once more.
        if (answered === undefined) yield* quotas.check(principal.org_id, "bytes_stored")
        const batch = answered === undefined ? yield* store.batch(prefix) : undefined
        const isHeld = batch === undefined ? Effect.succeed(true) : yield* leases.hold(session_id, principal.org_id)
        const open = (path: string, options: Parameters<ObjectBatch["writer"]>[1]) =>
          batch === undefined ? Effect.succeed(discard) : batch.writer(path, options)
        const intake = new Intake(open, ingest)
        return { id: session_id, prefix, fields, intake, owner, batch, answered, isHeld, suite } satisfies Draft
      })

    const replay = (draft: Draft, answered: Answered, hash: string) =>
      Effect.gen(function* () {
        if (answered.request_hash !== hash) return yield* new IdempotencyMismatch({ key: draft.owner?.key ?? "" })
        const session = yield* repo.find(yield* CurrentPrincipal, answered.id)
        // Deleted since the key was looked up, and the key with it: sent again, it makes a new session.
        return (
          session ??
          (yield* new Unavailable({
            detail: "the key's session was deleted meanwhile; send it again",
            retry_after_s: 1
          }))
        )
      })

    const finish = (draft: Draft) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const { intake, fields, owner, batch } = draft
        const format = yield* intake.format(fields.format)
        const hash = requestHash(draft, format)
        if (draft.answered !== undefined || batch === undefined) {
          return yield* draft.answered === undefined
            ? Effect.dieMessage("a draft without a batch")
            : replay(draft, draft.answered, hash)
        }
        yield* quotas.check(principal.org_id, "bytes_stored", intake.size_bytes)
        if (owner !== undefined) yield* keys.forgetExpired(owner)
        const done = yield* commit(
          {
            session: {
              id: draft.id,
              org_id: principal.org_id,
              user_id: principal.user_id,
              suite_id: fields.suite_id,
              description: fields.description,
              metadata: fields.metadata,
              format,
              storage_path: draft.prefix,
              idempotency_key: owner?.key ?? null
            },
            files: intake.files,
            batch,
            isHeld: draft.isHeld,
            on_upload: draft.suite.on_upload,
            idempotency: owner === undefined ? undefined : { owner, request_hash: hash }
          },
          repo.find(principal, draft.id)
        )
        if (!("_tag" in done)) {
          metrics.uploadBytes.inc(intake.size_bytes)
          quotas.count(principal.org_id, "bytes_stored", intake.size_bytes)
          return done
        }
        const winner = owner === undefined ? undefined : yield* keys.find(owner)
        return winner === undefined
          ? yield* new Unavailable({
              detail: "another request with this Idempotency-Key is on its way",
              retry_after_s: 1
            })
          : yield* replay(draft, winner, hash)
      })

    const tooLarge = (what: string) =>
      new PayloadTooLarge({
        detail: `${what}; a session has at most ${ingest.max_session_bytes} (MAX_SESSION_BYTES)`,
        limit: ingest.max_session_bytes
      })

    /** Bytes that end up in no file (a form's epilogue, an archive's padding) are bounded too. */
    const receive = <E, R>(request: UploadRequest, take: (chunk: Uint8Array) => Effect.Effect<void, E, R>) => {
      let received = 0
      const bounded = (chunk: Uint8Array): Effect.Effect<void, E | PayloadTooLarge, R> => {
        received += chunk.length
        return received > max_body_bytes ? tooLarge(`the body has more than ${max_body_bytes} bytes`) : take(chunk)
      }
      return request.body === null
        ? Effect.fail(new BadRequest({ detail: "the body is empty" }))
        : drain(request.body, ingest.upload_idle_timeout, bounded)
    }

    const fromForm = (request: UploadRequest, content_type: string, key: string | undefined) =>
      Effect.gen(function* () {
        let draft: Draft | undefined
        const form = uploadForm<BeginError, Needs>(request.fields, (fields) =>
          Effect.map(begin(fields, key), (made): FormTarget<BeginError, Needs> => {
            draft = made
            return {
              file: (path) => made.intake.file(path, undefined),
              archive: (name, folder) =>
                archiveSink({ intake: made.intake, limits: ingest, data_dir: data.data_dir, name, folder })
            }
          })
        )
        const { write, end } = parser(content_type, form.handler)
        yield* receive(request, write)
        yield* end
        yield* form.opened
        return draft ?? (yield* new ValidationError({ detail: "the form holds nothing" }))
      })

    const fromRaw = (request: UploadRequest, coding: Compression | undefined, key: string | undefined) =>
      Effect.gen(function* () {
        const draft = yield* begin(request.fields, key)
        const options = {
          intake: draft.intake,
          limits: ingest,
          data_dir: data.data_dir,
          name: rawName(request),
          folder: ""
        }
        const sink = yield* coding === undefined
          ? archiveSink(options, declaredLength(request.headers))
          : encodedSink(options, coding)
        yield* receive(request, sink.write)
        yield* sink.end
        return draft
      })

    const upload = (request: UploadRequest) =>
      Effect.gen(function* () {
        const length = declaredLength(request.headers)
        if (length !== undefined && length > max_body_bytes) return yield* tooLarge(`the body declares ${length} bytes`)
        const key = yield* idempotencyKey(request.headers)
        const content_type = request.headers["content-type"] ?? ""
        const coding = yield* contentCoding(request.headers)
        const isForm = /^multipart\/form-data\b/i.test(content_type)
        if (isForm && coding !== undefined) {
          return yield* new UnsupportedMediaType({
            detail: "a form has no Content-Encoding; its files may be compressed"
          })
        }
        return yield* Effect.flatMap(
          isForm ? fromForm(request, content_type, key) : fromRaw(request, coding, key),
          finish
        )
      }).pipe(Effect.scoped, Effect.catchTags({ ObjectStoreFull: storeFull, ObjectStoreUnavailable: storeAway }))

    const counted = <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => metrics.uploads.inc()),
        () => self,
        (_, exit) =>
          Effect.sync(() => {
            metrics.uploads.dec()
            if (exit._tag === "Failure") metrics.refusedUploads.inc({ reason: reasonOf(exit.cause) })
          })
      )

    /** Answers the new session once its bytes and rows are durable; of any other outcome nothing remains. */
    const create = Effect.fn("Uploads.create")(upload, counted, withPolicy(scope("sessions:write")))

    return { create } as const
  })
}) {}
