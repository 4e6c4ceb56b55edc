import canonicalize from "canonicalize"
import { Effect, type Scope } from "effect"
import { BadRequest, type NotFound, PayloadTooLarge, Unavailable, ValidationError } from "../domain/Errors.ts"
import { SessionId } from "../domain/Ids.ts"
import { CurrentPrincipal, type Principal, scope, withPolicy } from "../domain/Principal.ts"
import { type Format, IdempotencyMismatch, sessionNotFound, suiteMissing, type UnknownFormat } from "../domain/session/Session.ts"
import { Id } from "../platform/Id.ts"
import { type ObjectBatch, ObjectStore, type ObjectWriter } from "../platform/ObjectStore.ts"
import { Settings } from "../platform/Settings.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { archiveSink } from "./ArchiveIntake.ts"
import { type Answered, IdempotencyRepo, type KeyOwner } from "./IdempotencyRepo.ts"
import { Intake, type IntakeError } from "./Intake.ts"
import { parser } from "./MultipartForm.ts"
import { SessionCommit } from "./SessionCommit.ts"
import { SessionsRepo } from "./SessionsRepo.ts"
import { drain } from "./SocketReader.ts"
import { checkFields, declaredLength, type Fields, idempotencyKey, type RawFields, rawName, type UploadRequest } from "./Upload.ts"
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
}

// Room for a form's boundaries and part headers beside the files themselves.
const envelope = 4 * 1024 * 1024

const discard: ObjectWriter = { write: () => Effect.void, end: Effect.void }

/** What makes two uploads the same: fields and the files' digests, in no order. */
const requestHash = ({ fields, intake }: Draft, format: Format): string => {
  const files = intake.files.map(({ path, sha256 }) => [path, sha256]).sort()
  return new Bun.CryptoHasher("sha256").update(String(canonicalize({ ...fields, format, files }))).digest("hex")
}

/** What may go wrong from the first field to the last file. */
type BeginError = IntakeError | ValidationError | NotFound | UnknownFormat

type Needs = Scope.Scope | CurrentPrincipal

const storeFull = () => new Unavailable({ detail: "the object store is full", retry_after_s: 60 })

const storeAway = () => new Unavailable({ detail: "the object store does not answer now; try again", retry_after_s: 5 })

/** Takes one-request uploads: streamed, checked on the way, and then all there or not at all. */
export class Uploads extends Effect.Service<Uploads>()("session/Uploads", {
  dependencies: [SessionsRepo.Default, IdempotencyRepo.Default, SessionCommit.Default, UploadLeases.Default, Metrics.Default],
  effect: Effect.gen(function* () {
    const store = yield* ObjectStore
    const repo = yield* SessionsRepo
    const keys = yield* IdempotencyRepo
    const { commit } = yield* SessionCommit
    const leases = yield* UploadLeases
    const metrics = yield* Metrics
    const id = yield* Id
    const { ingest, data } = yield* Settings

    const keyOwner = (principal: Principal, key: string | undefined): KeyOwner | undefined =>
      key === undefined
        ? undefined
        : { org_id: principal.org_id, principal: `user/${principal.user_id ?? principal.agent_id}`, key }

    /** Everything that can be said before a byte is stored. */
    const begin = (raw: RawFields, key: string | undefined) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const fields = yield* checkFields(raw)
        if (!(yield* repo.suiteVisible(principal, fields.suite_id))) return yield* suiteMissing(fields.suite_id)
        const owner = keyOwner(principal, key)
        const answered = owner === undefined ? undefined : yield* keys.find(owner)
        const session_id = SessionId.make(id.next())
        const prefix = `orgs/${principal.org_id}/sessions/${session_id}/`
        const batch = answered === undefined ? yield* store.batch(prefix) : undefined
        const isHeld = batch === undefined ? Effect.succeed(true) : yield* leases.hold(session_id, principal.org_id)
        const open = (path: string, options: Parameters<ObjectBatch["writer"]>[1]) =>
          batch === undefined ? Effect.succeed(discard) : batch.writer(path, options)
        const intake = new Intake(open, ingest)
        return { id: session_id, prefix, fields, intake, owner, batch, answered, isHeld } satisfies Draft
      })

    const replay = (draft: Draft, answered: Answered, hash: string) =>
      Effect.gen(function* () {
        if (answered.request_hash !== hash) return yield* new IdempotencyMismatch({ key: draft.owner?.key ?? "" })
        const session = yield* repo.find(yield* CurrentPrincipal, answered.id)
        return session ?? (yield* sessionNotFound(answered.id))
      })

    const finish = (draft: Draft) =>
      Effect.gen(function* () {
        const principal = yield* CurrentPrincipal
        const { intake, fields, owner, batch } = draft
        const format = yield* intake.format(fields.format)
        const hash = requestHash(draft, format)
        if (draft.answered !== undefined || batch === undefined) {
          return yield* draft.answered === undefined ? Effect.dieMessage("a draft without a batch") : replay(draft, draft.answered, hash)
        }
        if (!(yield* draft.isHeld)) {
          return yield* new Unavailable({ detail: "the upload's lease was lost while the database was away", retry_after_s: 5 })
        }
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
            idempotency: owner === undefined ? undefined : { owner, request_hash: hash }
          },
          repo.find(principal, draft.id)
        )
        if (!("_tag" in done)) {
          metrics.uploadBytes.inc(intake.size_bytes)
          return done
        }
        const winner = owner === undefined ? undefined : yield* keys.find(owner)
        return winner === undefined
          ? yield* new Unavailable({ detail: "another request with this Idempotency-Key is on its way", retry_after_s: 1 })
          : yield* replay(draft, winner, hash)
      })

    const receive = <E, R>(request: UploadRequest, take: (chunk: Uint8Array) => Effect.Effect<void, E, R>) =>
      request.body === null
        ? Effect.fail(new BadRequest({ detail: "the body is empty" }))
        : drain(request.body, ingest.upload_idle_timeout, take)

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

    const fromRaw = (request: UploadRequest, key: string | undefined) =>
      Effect.gen(function* () {
        const draft = yield* begin(request.fields, key)
        const sink = yield* archiveSink(
          { intake: draft.intake, limits: ingest, data_dir: data.data_dir, name: rawName(request), folder: "" },
          declaredLength(request.headers)
        )
        yield* receive(request, sink.write)
        yield* sink.end
        return draft
      })

    const upload = (request: UploadRequest) =>
      Effect.gen(function* () {
        const length = declaredLength(request.headers)
        if (length !== undefined && length > ingest.max_session_bytes + envelope) {
          return yield* new PayloadTooLarge({
            detail: `the body declares ${length} bytes; a session has at most ${ingest.max_session_bytes} (MAX_SESSION_BYTES)`,
            limit: ingest.max_session_bytes
          })
        }
        const key = yield* idempotencyKey(request.headers)
        const content_type = request.headers["content-type"] ?? ""
        const isForm = /^multipart\/form-data\b/i.test(content_type)
        return yield* Effect.flatMap(isForm ? fromForm(request, content_type, key) : fromRaw(request, key), finish)
      }).pipe(Effect.scoped, Effect.catchTags({ ObjectStoreFull: storeFull, ObjectStoreUnavailable: storeAway }))

    const counted = <A, E, R>(self: Effect.Effect<A, E, R>) =>
      Effect.acquireUseRelease(
        Effect.sync(() => metrics.uploads.inc()),
        () => self,
        () => Effect.sync(() => metrics.uploads.dec())
      )

    /** Answers the new session once its bytes and rows are durable; of any other outcome nothing remains. */
    const create = Effect.fn("Uploads.create")(upload, counted, withPolicy(scope("sessions:write")))

    return { create } as const
  })
}) {}
