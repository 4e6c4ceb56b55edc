import { Duration, Effect, Schema } from "effect"
import { Issue, UpstreamFailed, ValidationError } from "../../domain/Errors.ts"
import { SessionId, SuiteId } from "../../domain/Ids.ts"
import { Description, Format, Metadata, SessionStatus } from "../../domain/session/Session.ts"
import { Egress, EgressFailed, EgressRefused } from "../../platform/Egress.ts"
import { shown } from "../../platform/egress/Guard.ts"
import { Settings } from "../../platform/Settings.ts"
import { Uploads } from "../../session/Uploads.ts"
import { formBody } from "../FormBody.ts"
import { declare, type FilePart } from "../Skill.ts"

/** As long as a whole file may take to come from where it is. */
const patience = Duration.minutes(10)

const Input = Schema.Struct({
  suite_id: SuiteId,
  description: Schema.optionalWith(Description, { exact: true }),
  metadata: Schema.optionalWith(Metadata, { exact: true }),
  format: Schema.optionalWith(Format, { exact: true }).annotations({
    description: "Names the format instead of having it detected"
  })
})

const Output = Schema.Struct({
  session_id: SessionId,
  status: SessionStatus,
  format: Schema.NullOr(Format),
  file_count: Schema.Int,
  size_bytes: Schema.Int
})

const isWeb = (url: string) => URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)

const hasUrl = ({ content }: FilePart) => "url" in content

/** Bytes are there while their request runs, and what is read from a URL outlives that: one bundle has either. */
const wrongIn = (files: ReadonlyArray<FilePart>): ReadonlyArray<Issue> => {
  if (files.length === 0) {
    return [new Issue({ path: "files", message: "at least one file part is needed, with its bytes (raw) or its url" })]
  }
  const isMixed = files.some(hasUrl) && !files.every(hasUrl)
  return [
    ...(isMixed
      ? [new Issue({ path: "files", message: "must all be given by their bytes (raw), or all by their url" })]
      : []),
    ...files.flatMap(({ content }, at) =>
      "url" in content && !isWeb(content.url)
        ? [new Issue({ path: `files.${at}.url`, message: "must be an http or https URL" })]
        : []
    )
  ]
}

const { card, implement } = declare({
  id: "ingest_session",
  name: "Ingest a session",
  description:
    "Records a session: a bundle as one file part (an archive or a recording) or as several, all by their bytes or all by URL.",
  tags: ["sessions", "upload"],
  examples: ['{"skill":"ingest_session","input":{"suite_id":"01980000-0000-7000-8000-0000000000aa"}}'],
  scopes: ["sessions:write"],
  input: Input,
  output: Output,
  files: wrongIn
})

export { card }

/** The rules of the upload form: an archive alone is expanded, several files are kept as they are. */
const fieldOf = (name: string, alone: boolean) => {
  if (alone) return "bundle"
  return name === "screenshots.zip" ? "screenshots" : "file"
}

/** Takes a bundle as an upload does, with the same checks; what is named by URL is read from there meanwhile. */
export const ingestSession = Effect.gen(function* () {
  const uploads = yield* Uploads
  const egress = yield* Egress
  const { ingest } = yield* Settings
  const fetch = egress.fetch({
    streamed: true,
    max_bytes: ingest.max_session_bytes,
    timeout_ms: Duration.toMillis(patience)
  })

  const told = (path: string, cause: unknown) => {
    if (cause instanceof EgressRefused) {
      return new ValidationError({
        detail: `${path}: ${cause.message}`,
        errors: [new Issue({ path, message: cause.message })]
      })
    }
    return cause instanceof EgressFailed ? new UpstreamFailed({ detail: cause.message }) : undefined
  }

  return implement({
    isLong: (files) => files.some(hasUrl),
    run: ({ suite_id, description, metadata, format }, { id, files }) =>
      Effect.gen(function* () {
        // A body that breaks off says nothing of why; what it was that could not be read is kept here.
        let failure: ValidationError | UpstreamFailed | undefined
        const abort = new AbortController()
        const open = async ({ content }: FilePart, at: number) => {
          if ("bytes" in content) return content.bytes
          const response = await fetch(content.url, { signal: abort.signal }).catch((cause: unknown) => {
            failure = told(`files.${at}.url`, cause)
            throw cause
          })
          if (response.status === 200 && response.body !== null) return response.body
          await response.body?.cancel()
          failure = new UpstreamFailed({ detail: `${shown(new URL(content.url))} answers ${response.status}` })
          throw failure
        }
        const { content_type, body } = formBody(
          files.map((file, at) => ({
            field: fieldOf(file.name, files.length === 1),
            name: file.name,
            open: () => open(file, at)
          })),
          () => abort.abort()
        )
        const session = yield* uploads
          .create({
            fields: { suite_id, description, metadata: metadata && JSON.stringify(metadata), format },
            file_name: undefined,
            // The key is the task's own: begun again after a crash, it is the same session.
            headers: { "content-type": content_type, "idempotency-key": `a2p-${id}` },
            body
          })
          .pipe(Effect.mapError((error) => failure ?? error))
        const { status, file_count, size_bytes } = session
        return { session_id: session.id, status, format: session.format, file_count, size_bytes }
      })
  })
})
