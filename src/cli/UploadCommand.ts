import { randomUUID } from "node:crypto"
import { Args, Command, Options } from "@effect/cli"
import { Console, Effect, Option, Record, Schedule, Schema, Stream, Struct } from "effect"
import type { SessionId } from "../domain/Ids.ts"
import { Format, Metadata, Session } from "../domain/session/Session.ts"
import { problemText } from "./ProblemText.ts"
import { client, connection, credentials, ForeignAnswer, suiteId, type TypedClient } from "./Remote.ts"
import { type LocalBundle, localBundle, type SourceUnusable } from "./upload/LocalBundle.ts"
import { type Answer, type Outgoing, post } from "./upload/Posting.ts"
import { note, size, withProgress } from "./upload/Progress.ts"
import { forgetUpload, outgoing, RESUMABLE_BYTES, sendResumable } from "./upload/Resumable.ts"
import { fingerprintOf } from "./upload/ResumeState.ts"
import { totalOf } from "./upload/Segments.ts"
import { uploadForm } from "./upload/UploadForm.ts"

const Problem = Schema.parseJson(
  Schema.Struct({
    title: Schema.String,
    status: Schema.Number,
    detail: Schema.optionalWith(Schema.String, { default: () => "" }),
    errors: Schema.optionalWith(Schema.Array(Schema.Struct({ path: Schema.String, message: Schema.String })), {
      default: () => []
    }),
    request_id: Schema.optional(Schema.String)
  })
)

/** The service answered with a problem document. */
class UploadRefused extends Schema.TaggedError<UploadRefused>("cli/UploadRefused")("UploadRefused", {
  text: Schema.String,
  /** Sent again, it would be refused again. */
  is_final: Schema.Boolean
}) {
  override get message() {
    return this.text
  }
}

const refused = (url: string, { status, body }: Answer) =>
  Effect.gen(function* () {
    const problem = yield* Effect.option(Schema.decode(Problem)(body))
    if (Option.isNone(problem)) return yield* new ForeignAnswer({ url, detail: `status ${status}` })
    // Only a fault of the service itself has to be looked up in its log.
    const { request_id, ...said } = problem.value
    const text = problemText({ ...said, request_id: status >= 500 ? request_id : undefined })
    return yield* new UploadRefused({ text, is_final: status < 500 && status !== 408 && status !== 429 })
  })

const encoded = Schema.encodeSync(Schema.parseJson(Session))

const recorded = (url: string, answer: Answer) =>
  answer.status === 201
    ? Effect.mapError(
        Schema.decode(Schema.parseJson(Session))(answer.body),
        () => new ForeignAnswer({ url, detail: "its session has another form" })
      )
    : refused(url, answer)

/**
 * Sends the form, and once more when the connection broke before any answer. Both carry one
 * Idempotency-Key: if the first was taken after all, the second is answered the same session.
 */
const sendTwice = (outgoing: Outgoing<SourceUnusable>, restart: () => void) =>
  Effect.catchTag(post(outgoing), "ConnectionLost", ({ message }) =>
    note(`${message}: trying once more`).pipe(
      Effect.tap(() => Effect.sync(restart)),
      Effect.zipRight(post(outgoing))
    )
  )

const counted = (files: number) => (files === 1 ? "1 file" : `${files} files`)

const cutOff = "tracepipe: nothing is kept of the upload; run the command again to start it again"
const unconfirmed =
  "tracepipe: all was sent but not confirmed: look whether the session is there before sending it again"

const options = {
  ...connection,
  path: Args.path({ name: "file-or-folder", exists: "either" }).pipe(
    Args.withDescription("a recording or an archive of one, or a folder with everything below it")
  ),
  suite: Options.text("suite").pipe(Options.withDescription("the suite it was recorded in, by id or name")),
  description: Options.text("description").pipe(Options.optional, Options.withDescription("what it shows")),
  metadata: Options.text("metadata").pipe(Options.optional, Options.withDescription("a JSON object of your own")),
  format: Options.choice("format", Format.literals).pipe(
    Options.optional,
    Options.withDescription("names the format instead of having it detected")
  ),
  at_once: Options.boolean("at-once").pipe(
    Options.withDescription("one request, however large: checked while it is sent, and not to be taken up again")
  ),
  json: Options.boolean("json").pipe(Options.withDescription("print the session as JSON"))
}

const resumable = "tracepipe: what was sent is kept for a day; run the same command again to go on from there"

/** Between two looks at a session that is being read. */
const pause = "500 millis"

/** Nobody answers, or only to say that it is not the moment. */
const isAway = ({ _tag }: { readonly _tag: string }) => _tag === "RequestError" || _tag === "Unavailable"

/** The session once its files were read; one that is refused fails as a refused upload does. */
const read = (api: TypedClient, id: SessionId) =>
  Effect.gen(function* () {
    yield* note("checking the recording")
    const session = yield* api.sessions.get({ path: { id } }).pipe(
      // A service that is started anew in the meantime goes on with it.
      Effect.retry({ schedule: Schedule.spaced("1 second").pipe(Schedule.upTo("2 minutes")), while: isAway }),
      Effect.tap(({ status }) => (status === "VALIDATING" ? Effect.sleep(pause) : Effect.void)),
      Effect.repeat({ until: ({ status }) => status !== "VALIDATING" })
    )
    if (session.status === "READY") return session
    const { status_reason, errors } = session
    return yield* new UploadRefused({
      text: problemText({ title: "The recording is not valid", detail: status_reason ?? "", errors }),
      is_final: true
    })
  })

interface Order {
  readonly base_url: string
  readonly api_key: string
  readonly bundle: LocalBundle
  readonly fields: Readonly<Record<"suite_id", string>> &
    Readonly<Partial<Record<"description" | "metadata" | "format", string>>>
}

/** One request, streamed from the disk. */
const inOneRequest = ({ base_url, api_key, bundle, fields }: Order) =>
  Effect.gen(function* () {
    const form = uploadForm(fields, bundle)
    const headers = { "x-api-key": api_key, "content-type": form.content_type, "idempotency-key": randomUUID() }
    const answer = yield* withProgress({
      total: form.size_bytes,
      work: ({ sent, restart }) =>
        sendTwice({ ...form, url: new URL(`${base_url}/v1/sessions`), headers, sent }, restart),
      interrupted: (sent_all) => Console.error(sent_all ? unconfirmed : cutOff)
    })
    return yield* recorded(base_url, answer)
  })

const encoder = new TextEncoder()

const isMetadata = Schema.decode(Schema.parseJson(Metadata))

const notMetadata = new UploadRefused({ text: "metadata: expected a JSON object", is_final: true })

/** The session of a finished upload: sent again, it is answered the same one. */
const claimed = ({ base_url, api_key, fields }: Order, id: string) =>
  Effect.gen(function* () {
    const { metadata, ...rest } = fields
    const body = {
      ...rest,
      upload_ids: [id],
      ...(metadata === undefined ? {} : { metadata: yield* Effect.mapError(isMetadata(metadata), () => notMetadata) })
    }
    const bytes = encoder.encode(JSON.stringify(body))
    const answer = yield* post({
      url: new URL(`${base_url}/v1/sessions`),
      headers: { "x-api-key": api_key, "content-type": "application/json", "idempotency-key": `upload-${id}` },
      size_bytes: bytes.length,
      bytes: Stream.make(bytes),
      sent: () => undefined
    })
    return yield* recorded(base_url, answer)
  })

/** As many requests as it takes, of this run and of further ones. */
const inSeveral = (api: TypedClient, order: Order) =>
  Effect.gen(function* () {
    const { base_url, api_key, bundle, fields } = order
    const fingerprint = fingerprintOf({ base_url, fields }, bundle)
    const { segments, filename } = yield* outgoing(bundle, bundle.name)
    const send = { base_url, api_key, filename, fingerprint, segments, suite_id: fields.suite_id }
    const id = yield* withProgress({
      total: totalOf(segments),
      work: ({ at }) => sendResumable({ ...send, at }),
      interrupted: () => Console.error(resumable)
    }).pipe(Effect.catchTag("UploadStopped", ({ url, status, body }) => refused(url, { status, body })))
    // What is refused for now, because the service stops or is busy, is taken up again.
    const session = yield* Effect.tapErrorTag(claimed(order, id), "UploadRefused", ({ is_final }) =>
      is_final ? forgetUpload(fingerprint) : Effect.void
    )
    const checked = yield* Effect.tapErrorTag(read(api, session.id), "UploadRefused", () => forgetUpload(fingerprint))
    yield* forgetUpload(fingerprint)
    return checked
  })

/** `tracepipe upload`: small bundles in one request, large ones so that they can be taken up again. */
export const uploadCommand = Command.make("upload", options, ({ path, suite, json, at_once, ...given }) =>
  Effect.gen(function* () {
    const { base_url, api_key } = yield* credentials(given)
    const bundle = yield* localBundle(path)
    const api = yield* client(given)
    const suite_id = yield* suiteId(api, suite)
    const fields = { suite_id, ...Record.getSomes(Struct.pick(given, "description", "metadata", "format")) }
    if (bundle.skipped > 0)
      yield* note(`left out ${bundle.skipped} hidden files, links or other things that are no files`)
    const order = { base_url, api_key, bundle, fields }
    const isLarge = !at_once && totalOf(bundle.files) >= RESUMABLE_BYTES
    const session = yield* isLarge ? inSeveral(api, order) : inOneRequest(order)
    const about = `${session.format}, ${counted(session.file_count)}, ${size(session.size_bytes)}`
    yield* Console.log(json ? encoded(session) : `recorded session ${session.id} (${about})`)
  })
).pipe(Command.withDescription("upload a recording"))
