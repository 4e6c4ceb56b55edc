import { DeleteObjectCommand, DeleteObjectsCommand } from "@aws-sdk/client-s3"
import { Chunk, Effect, Stream } from "effect"
import { list, openUploads } from "./Listing.ts"
import { type S3Api, S3Failure } from "./S3Api.ts"
import { abortUpload } from "./Upload.ts"

const OPERATION = "delete objects"
/** The most keys that one request may name. */
const MAX_KEYS = 1000

const deleteOne = (s3: S3Api, key: string) =>
  s3.send(OPERATION, (client, options) =>
    client.send(new DeleteObjectCommand({ Bucket: s3.bucket, Key: key }), options)
  )

const deleteTogether = (s3: S3Api, keys: ReadonlyArray<string>) =>
  s3
    .send(OPERATION, (client, options) =>
      client.send(
        new DeleteObjectsCommand({
          Bucket: s3.bucket,
          Delete: { Quiet: true, Objects: keys.map((Key) => ({ Key })) }
        }),
        options
      )
    )
    .pipe(
      Effect.flatMap(({ Errors = [] }) => {
        const failed = Errors.find(({ Code }) => Code !== "NoSuchKey")
        return failed === undefined
          ? Effect.void
          : new S3Failure({ operation: OPERATION, code: failed.Code ?? "", status: undefined, cause: failed })
      })
    )

/** What servers answer that lack DeleteObjects or want a digest which the SDK no longer sends. */
const isUnsupported = ({ status }: S3Failure) => status === 400 || status === 405 || status === 501

/** Deletes objects, which may be missing already. */
export const deleteKeys = (s3: S3Api, keys: ReadonlyArray<string>): Effect.Effect<void, S3Failure> =>
  Stream.fromIterable(keys).pipe(
    Stream.grouped(MAX_KEYS),
    Stream.runForEach((chunk) => {
      const group = Chunk.toReadonlyArray(chunk)
      return deleteTogether(s3, group).pipe(
        Effect.catchIf(isUnsupported, () =>
          Effect.forEach(group, (key) => deleteOne(s3, key), { concurrency: 8, discard: true })
        )
      )
    })
  )

/** Aborts what is open below the prefix. */
export const removePending = (s3: S3Api, prefix: string): Effect.Effect<void, S3Failure> =>
  openUploads(s3, prefix).pipe(
    Stream.mapEffect((upload) => abortUpload(s3, upload), { concurrency: 8 }),
    Stream.runDrain
  )

/** Aborts what is open and deletes what is there below the prefix. */
export const removePrefix = (s3: S3Api, prefix: string): Effect.Effect<void, S3Failure> =>
  // The uploads first: none of them may become an object after the listing.
  removePending(s3, prefix).pipe(
    Effect.andThen(
      list(s3, prefix).pipe(
        Stream.map(({ key }) => key),
        Stream.grouped(MAX_KEYS),
        Stream.runForEach((keys) => deleteKeys(s3, Chunk.toReadonlyArray(keys)))
      )
    )
  )
