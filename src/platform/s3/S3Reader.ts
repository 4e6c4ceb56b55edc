import { GetObjectCommand } from "@aws-sdk/client-s3"
import { Duration, Effect, Option, Stream } from "effect"
import { type ByteRange, ObjectNotFound, type ObjectStoreError, ObjectStoreUnavailable } from "../ObjectStore.ts"
import { type S3Api, S3Failure, storeError } from "./S3Api.ts"

/** How often a stream that broke off is taken up again where it ended. */
const MAX_RESUMES = 3
const OPERATION = "read an object"

interface Body {
  readonly reader: ReadableStreamDefaultReader<Uint8Array>
  readonly length: number
  readonly tag: string | undefined
}

interface Request {
  readonly key: string
  readonly range?: string | undefined
  /** The object must still be this one. */
  readonly tag?: string | undefined
}

const get = (s3: S3Api, { key, range, tag }: Request): Effect.Effect<Body, S3Failure> =>
  Effect.flatMap(
    s3.send(OPERATION, (client, options) =>
      client.send(
        new GetObjectCommand({
          Bucket: s3.bucket,
          Key: key,
          ...(range === undefined ? {} : { Range: range }),
          ...(tag === undefined ? {} : { IfMatch: tag })
        }),
        options
      )
    ),
    ({ Body: body, ContentLength, ContentRange, ETag }) => {
      if (body === undefined || ContentLength === undefined || (range !== undefined && ContentRange === undefined)) {
        const cause = new Error("an answer without body, length or range")
        return new S3Failure({ operation: OPERATION, code: "InvalidAnswer", status: undefined, cause })
      }
      return Effect.succeed({ reader: body.transformToWebStream().getReader(), length: ContentLength, tag: ETag })
    }
  )

// A body that broke off rejects the cancel too: there is nothing left to give back then.
const cancel = ({ reader }: Body) => reader.cancel().catch(() => undefined)

/** The next bytes; none at the end of what the server sent. */
const next = (s3: S3Api, { reader }: Body) =>
  Effect.tryPromise({
    try: () => reader.read(),
    catch: (cause) => new ObjectStoreUnavailable({ operation: OPERATION, cause })
  }).pipe(
    Effect.timeoutFail({
      duration: s3.request_timeout,
      onTimeout: () => new ObjectStoreUnavailable({ operation: OPERATION, cause: new Error("the stream stalled") })
    }),
    Effect.flatMap(({ value }) =>
      value === undefined
        ? new ObjectStoreUnavailable({ operation: OPERATION, cause: new Error("the stream ended early") })
        : Effect.succeed(value)
    )
  )

const streamOf = (s3: S3Api, key: string, start: number, first: Body): Stream.Stream<Uint8Array, ObjectStoreError> => {
  const last = start + first.length - 1
  let body = first
  let position = start
  let resumes = 0

  const resume = (error: ObjectStoreUnavailable) =>
    Effect.gen(function* () {
      if (resumes === MAX_RESUMES) return yield* error
      resumes += 1
      yield* Effect.promise(() => cancel(body))
      body = yield* Effect.mapError(get(s3, { key, range: `bytes=${position}-${last}`, tag: first.tag }), storeError)
    })

  const pull: Effect.Effect<Uint8Array, Option.Option<ObjectStoreError>> = Effect.suspend(() =>
    position > last
      ? Effect.fail(Option.none())
      : next(s3, body).pipe(
          Effect.tap((bytes) => {
            position += bytes.length
            return Effect.void
          }),
          Effect.catchAll((error) => Effect.andThen(Effect.mapError(resume(error), Option.some), pull))
        )
  )
  return Stream.ensuring(
    Stream.repeatEffectOption(pull),
    Effect.promise(() => cancel(body))
  )
}

const rangeHeader = ({ start, end }: ByteRange) => `bytes=${start}-${Number.isFinite(end) ? end : ""}`

/**
 * The object or a range of it. A connection that breaks is taken up again for as long as the object
 * is the same. A stream that nobody begins to read gives its connection back after the time-out.
 */
export const read = (
  s3: S3Api,
  key: string,
  range?: ByteRange
): Effect.Effect<Stream.Stream<Uint8Array, ObjectStoreError>, ObjectNotFound | ObjectStoreError> =>
  get(s3, { key, range: range === undefined ? undefined : rangeHeader(range) }).pipe(
    Effect.map((body) => {
      const unread = setTimeout(() => cancel(body), Duration.toMillis(s3.request_timeout)).unref()
      const begun = Effect.sync(() => clearTimeout(unread))
      return Stream.unwrap(Effect.as(begun, streamOf(s3, key, range?.start ?? 0, body)))
    }),
    Effect.catchIf(
      ({ status }) => status === 416,
      () => Effect.succeed(Stream.empty)
    ),
    Effect.mapError((error) =>
      error.code === "NoSuchKey" || error.code === "NotFound" ? new ObjectNotFound({ key }) : storeError(error)
    )
  )

/** The object's bytes, read no further than it takes to know that they are more than `most`. */
export const whole = (s3: S3Api, key: string, most: number) =>
  Effect.gen(function* () {
    const chunks: Array<Uint8Array> = []
    let size = 0
    yield* Stream.runForEachWhile(yield* read(s3, key), (chunk) =>
      Effect.sync(() => {
        chunks.push(chunk)
        size += chunk.length
        return size <= most
      })
    )
    return size > most ? undefined : Buffer.concat(chunks)
  })
