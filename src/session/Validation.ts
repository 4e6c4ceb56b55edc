import { SqlClient } from "@effect/sql"
import { Effect, Stream } from "effect"
import { Issue } from "../domain/Errors.ts"
import type { OrganizationId, SessionId, SuiteId } from "../domain/Ids.ts"
import { SessionRejected, type UnknownFormat } from "../domain/session/Session.ts"
import { SessionReady } from "../domain/session/SessionReady.ts"
import { Audit } from "../identity/Audit.ts"
import { ObjectStore, type ObjectStoreError } from "../platform/ObjectStore.ts"
import { Settings } from "../platform/Settings.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { Metrics } from "../telemetry/Metrics.ts"
import { archiveSink } from "./ArchiveIntake.ts"
import { baseName } from "./BundlePath.ts"
import { Intake, type IntakeError } from "./Intake.ts"
import { Removals } from "./Removals.ts"
import { SessionsRepo, sessionPrefix } from "./SessionsRepo.ts"
import { storeAway, storeFull } from "./StoreTrouble.ts"
import { type Source, UploadsRepo, uploadPrefix } from "./UploadsRepo.ts"

/** Sessions that one process reads at a time. */
const AT_ONCE = 4

/** One attempt: its objects are in a folder of its own, so that none can touch those of another. */
interface Attempt {
  readonly id: SessionId
  readonly org_id: OrganizationId
  readonly suite_id: SuiteId
  readonly number: number
  readonly prefix: string
}

type Refusal = Exclude<IntakeError, ObjectStoreError> | UnknownFormat

const nameOf = ({ filename }: Source) => (filename === "" ? "recording" : filename)

const wrong = (path: string, message: string) =>
  new SessionRejected({ detail: `${path}: ${message}`, errors: [new Issue({ path, message })] })

const issuesOf = (refusal: Refusal): ReadonlyArray<Issue> =>
  refusal._tag === "SessionRejected" ? refusal.errors : [new Issue({ path: "", message: refusal.detail })]

/** Checks what came in several requests as if it had come in one: the same bytes have the same outcome. */
export class Validation extends Effect.Service<Validation>()("session/Validation", {
  dependencies: [SessionsRepo.Default, UploadsRepo.Default, Removals.Default, Audit.Default, Metrics.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const store = yield* ObjectStore
    const sessions = yield* SessionsRepo
    const uploads = yield* UploadsRepo
    const removals = yield* Removals
    const audit = yield* Audit
    const metrics = yield* Metrics
    const ready = yield* SessionReady
    const { ingest, data } = yield* Settings
    const permits = yield* Effect.makeSemaphore(AT_ONCE)

    /** The upload's bytes, in order, as its parts hold them. */
    const bytesOf = (org_id: OrganizationId, { pieces }: Source): Stream.Stream<Uint8Array, ObjectStoreError> =>
      Stream.fromIterable(pieces).pipe(
        Stream.flatMap(({ upload_id, parts }) =>
          Stream.map(Stream.fromIterable(parts), ({ path }) => uploadPrefix(org_id, upload_id) + path)
        ),
        // The row says that it is there: its absence is a fault of ours.
        Stream.flatMap((key) => Stream.unwrap(Effect.catchTag(store.read(key), "ObjectNotFound", Effect.die)))
      )

    /** An upload that is alone is a bundle; of several each is a file of one. */
    const sinkOf = (intake: Intake, source: Source, alone: boolean) => {
      const name = nameOf(source)
      const unpacked = { intake, limits: ingest, data_dir: data.data_dir, name }
      if (alone) return archiveSink({ ...unpacked, folder: "" }, source.length)
      return name === "screenshots.zip"
        ? archiveSink({ ...unpacked, name: baseName(name), folder: "screenshots/" }, source.length)
        : intake.file(name, source.length)
    }

    const take = (intake: Intake, org_id: OrganizationId, source: Source, alone: boolean) =>
      Effect.gen(function* () {
        const sink = yield* sinkOf(intake, source, alone)
        const hasher = source.sha256 === null ? undefined : new Bun.CryptoHasher("sha256")
        let received = 0
        yield* Stream.runForEach(bytesOf(org_id, source), (chunk) => {
          received += chunk.length
          hasher?.update(chunk)
          return sink.write(chunk)
        })
        if (received !== source.length) {
          return yield* wrong(nameOf(source), `of its ${source.length} bytes ${received} are left: upload it again`)
        }
        if (hasher !== undefined && hasher.digest("hex") !== source.sha256) {
          return yield* wrong(nameOf(source), "its bytes have another SHA-256 than was said")
        }
        yield* sink.end
      })

    /** Ends the uploads in the transaction that ends the validation; answers what is to be removed. */
    const released = (attempt: Attempt) =>
      Effect.flatMap(uploads.finish(attempt.id), (rows) =>
        Effect.forEach(rows, ({ id }) => removals.note(attempt.org_id, uploadPrefix(attempt.org_id, id)))
      )

    const accept = (attempt: Attempt, named: Parameters<Intake["format"]>[0], intake: Intake) =>
      Effect.gen(function* () {
        const format = yield* intake.format(named)
        const { id, org_id, suite_id, number, prefix } = attempt
        const { files } = intake
        return Effect.gen(function* () {
          if (!(yield* sessions.accept({ id, org_id, attempt: number, format, storage_path: prefix, files }))) {
            return undefined
          }
          yield* audit.recordSystem(org_id, {
            action: "session.accept",
            resource: `session/${id}`,
            after: { id, format, files }
          })
          yield* ready.begin({ id, org_id, suite_id, format })
          return yield* released(attempt)
        }).pipe(sql.withTransaction, orDefect)
      })

    const reject = (attempt: Attempt, refusal: Refusal) =>
      Effect.gen(function* () {
        const { id, org_id, number } = attempt
        const errors = issuesOf(refusal)
        if (!(yield* sessions.reject(id, number, refusal.detail.slice(0, 10_000), errors))) return []
        yield* audit.recordSystem(org_id, {
          action: "session.reject",
          resource: `session/${id}`,
          after: { id, errors }
        })
        metrics.refusedUploads.inc({ reason: "validation" })
        // In the same moment: whatever attempts have left goes, and no row speaks for it any more.
        const left = yield* removals.note(org_id, sessionPrefix(org_id, id))
        return [...(yield* released(attempt)), left]
      }).pipe(sql.withTransaction, orDefect)

    /** Reads all that was uploaded into the attempt's folder, and makes the session READY. */
    const read = (attempt: Attempt, named: Parameters<Intake["format"]>[0]) =>
      Effect.gen(function* () {
        const batch = yield* store.batch(attempt.prefix)
        const intake = new Intake(batch.writer, ingest)
        const sources = yield* uploads.sources(attempt.id)
        yield* Effect.forEach(sources, (source) => take(intake, attempt.org_id, source, sources.length === 1), {
          discard: true
        })
        const write = yield* accept(attempt, named, intake)
        const removed = yield* Effect.uninterruptible(Effect.zipRight(batch.commit, write))
        if (removed === undefined) {
          // Deleted meanwhile, or taken over by a later attempt: nobody asks for these objects.
          yield* store.removePrefix(attempt.prefix)
          return []
        }
        yield* ready.began
        metrics.uploadBytes.inc(intake.size_bytes)
        return removed
      }).pipe(Effect.scoped)

    /** Removes what earlier attempts left, which a killed process could not. */
    const clear = ({ id, org_id, number }: Attempt) =>
      Effect.forEach(
        Array.from({ length: number - 1 }, (_, at) => `${sessionPrefix(org_id, id)}${at + 1}/`),
        (prefix) => store.removePrefix(prefix),
        { discard: true }
      )

    /**
     * Validates a session that is VALIDATING, and does nothing with any other. Can be done again after a
     * crash at any point.
     */
    const run = Effect.fn("Validation.run")((id: SessionId) =>
      Effect.gen(function* () {
        const begun = yield* sessions.attempt(id)
        if (begun === undefined) return
        const { org_id, suite_id, attempt: number } = begun
        const attempt: Attempt = { id, org_id, suite_id, number, prefix: `${sessionPrefix(org_id, id)}${number}/` }
        yield* clear(attempt)
        const removed = yield* read(attempt, begun.format ?? undefined).pipe(
          Effect.catchTags({
            SessionRejected: (refusal) => reject(attempt, refusal),
            PayloadTooLarge: (refusal) => reject(attempt, refusal),
            UnknownFormat: (refusal) => reject(attempt, refusal)
          })
        )
        yield* Effect.forEach(removed, removals.carryOut, { discard: true })
      }).pipe(
        permits.withPermits(1),
        Effect.catchTags({ ObjectStoreFull: storeFull, ObjectStoreUnavailable: storeAway })
      )
    )

    /** Ends a validation that cannot be carried out: nothing stays VALIDATING for ever. */
    const giveUp = Effect.fn("Validation.giveUp")(function* (id: SessionId, detail: string) {
      const begun = yield* sessions.attempt(id)
      if (begun === undefined) return
      const { org_id, suite_id, attempt: number } = begun
      const attempt: Attempt = { id, org_id, suite_id, number, prefix: `${sessionPrefix(org_id, id)}${number}/` }
      const refusal = new SessionRejected({ detail, errors: [new Issue({ path: "", message: detail })] })
      yield* Effect.forEach(yield* reject(attempt, refusal), removals.carryOut, { discard: true })
    })

    return { run, giveUp } as const
  })
}) {}
