import { Effect, Schema } from "effect"
import { DetailedError, type PreviousUpload, Upload } from "tus-js-client"
import { ServiceUnreachable } from "../Remote.ts"
import { type LocalBundle, SourceUnusable } from "./LocalBundle.ts"
import { forget, resumeState } from "./ResumeState.ts"
import { type Segment, segmentsOf, slice, totalOf } from "./Segments.ts"

const MIB = 1024 * 1024
/** One request, and what is held in memory. */
const CHUNK = 16 * MIB
/** The service takes so many requests for one upload at most, and some are needed for interruptions. */
const MAX_CHUNKS = 9000

/** A bundle of at least this size is sent so that it can be taken up again; a smaller one in one request. */
export const RESUMABLE_BYTES = 64 * MIB

/** How long a service is waited for that does not answer: about five minutes from the last byte that it took. */
const patience = [500, 1000, 2000, ...Array.from({ length: 60 }, () => 5000)]

/** An upload was refused, for good. */
export class UploadStopped extends Schema.TaggedError<UploadStopped>("cli/UploadStopped")("UploadStopped", {
  url: Schema.String,
  status: Schema.Number,
  body: Schema.String
}) {}

interface Sending {
  readonly base_url: string
  readonly api_key: string
  readonly suite_id: string
  readonly filename: string
  readonly fingerprint: string
  readonly segments: ReadonlyArray<Segment>
  /** Told how many bytes are there; at first how many were there before. */
  readonly at: (bytes: number) => void
}

const source = (segments: ReadonlyArray<Segment>) => ({
  size: totalOf(segments),
  slice: async (start: number, end: number) => {
    const bytes = await slice(segments, { start, end })
    // tus-js-client asks for the length by this name.
    return { value: Object.assign(bytes, { size: bytes.length }), done: end >= totalOf(segments) }
  },
  close: () => undefined
})

const failure = (url: string) => (cause: unknown) => {
  if (cause instanceof DetailedError) {
    const { originalResponse, causingError } = cause
    if (originalResponse != null) {
      const status = originalResponse.getStatus()
      return new UploadStopped({ url, status, body: originalResponse.getBody() })
    }
    if (causingError instanceof SourceUnusable) return causingError
    return new ServiceUnreachable({ url, reason: causingError?.message ?? cause.message })
  }
  return cause instanceof SourceUnusable ? cause : new ServiceUnreachable({ url, reason: String(cause) })
}

/** The upload of these bytes that was begun before, if it was. */
const resumed = (upload: Upload, previous: PreviousUpload | undefined) => {
  if (previous !== undefined) upload.resumeFromPreviousUpload(previous)
  upload.start()
}

/**
 * Sends the bytes by tus, from where an earlier run or a broken connection has stopped, and answers the
 * upload's id. Interrupted, it leaves the upload as it is, to be taken up again.
 */
export const sendResumable = (sending: Sending) =>
  Effect.async<string, UploadStopped | SourceUnusable | ServiceUnreachable>((resume) => {
    const { base_url, segments, suite_id, filename, fingerprint } = sending
    const fail = (cause: unknown) => resume(Effect.fail(failure(base_url)(cause)))
    const upload = new Upload(Buffer.alloc(0), {
      endpoint: `${base_url}/v1/uploads`,
      headers: { "x-api-key": sending.api_key },
      metadata: { filename, suite_id },
      chunkSize: Math.max(CHUNK, Math.ceil(totalOf(segments) / MAX_CHUNKS / MIB) * MIB),
      retryDelays: patience,
      fileReader: { openFile: async () => source(segments) },
      fingerprint: async () => fingerprint,
      urlStorage: resumeState,
      // It is needed until there is a session.
      removeFingerprintOnSuccess: false,
      onProgress: (bytes) => sending.at(bytes),
      onSuccess: () => resume(Effect.succeed(new URL(upload.url ?? base_url).pathname.split("/").at(-1) ?? "")),
      onError: fail
    })
    upload.findPreviousUploads().then(([previous]) => resumed(upload, previous), fail)
    return Effect.promise(() => upload.abort())
  })

/** What is sent of a bundle, and what it is called. */
export const outgoing = (bundle: LocalBundle, name: string) =>
  Effect.map(
    Effect.promise(() => segmentsOf(bundle)),
    (segments) => ({ segments, filename: bundle.kind === "file" ? name : `${name}.tar` })
  )

export const forgetUpload = (fingerprint: string) => Effect.promise(() => forget(fingerprint))
