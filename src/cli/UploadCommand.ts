import { randomUUID } from "node:crypto"
import { Args, Command, Options } from "@effect/cli"
import { Console, Effect, Option, Record, Schema, Struct } from "effect"
import { Format, Session } from "../domain/session/Session.ts"
import { problemText } from "./ProblemText.ts"
import { client, connection, credentials, ForeignAnswer, suiteId } from "./Remote.ts"
import { localBundle, type SourceUnusable } from "./upload/LocalBundle.ts"
import { type Answer, type Outgoing, post } from "./upload/Posting.ts"
import { note, size, withProgress } from "./upload/Progress.ts"
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
  text: Schema.String
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
    return yield* new UploadRefused({ text })
  })

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
  json: Options.boolean("json").pipe(Options.withDescription("print the session as JSON"))
}

/** `tracepipe upload`: one request, streamed from the disk. */
export const uploadCommand = Command.make("upload", options, ({ path, suite, json, ...given }) =>
  Effect.gen(function* () {
    const { base_url, api_key } = yield* credentials(given)
    const bundle = yield* localBundle(path)
    const suite_id = yield* suiteId(yield* client(given), suite)
    const form = uploadForm(
      { suite_id, ...Record.getSomes(Struct.pick(given, "description", "metadata", "format")) },
      bundle
    )
    if (bundle.skipped > 0)
      yield* note(`left out ${bundle.skipped} hidden files, links or other things that are no files`)
    const headers = { "x-api-key": api_key, "content-type": form.content_type, "idempotency-key": randomUUID() }
    const answer = yield* withProgress({
      total: form.size_bytes,
      work: ({ sent, restart }) =>
        sendTwice({ ...form, url: new URL(`${base_url}/v1/sessions`), headers, sent }, restart),
      interrupted: (sent_all) => Console.error(sent_all ? unconfirmed : cutOff)
    })
    const session = yield* recorded(base_url, answer)
    const about = `${session.format}, ${counted(session.file_count)}, ${size(session.size_bytes)}`
    yield* Console.log(json ? answer.body : `recorded session ${session.id} (${about})`)
  })
).pipe(Command.withDescription("upload a recording"))
