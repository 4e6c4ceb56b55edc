import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand
} from "@aws-sdk/client-s3"
import { Effect } from "effect"
import type { S3Api, S3Failure } from "./S3Api.ts"

/** The body of an object or a part, with what the request's signature says of it. */
export interface Payload {
  readonly bytes: Uint8Array
  /** Hexadecimal; absent where TLS guards the body. */
  readonly sha256: string | undefined
}

/** A middleware that gives the signature the hash that is known, or none, instead of a second pass over the body. */
const payloadHash =
  ({ sha256 }: Payload) =>
  <Args extends { readonly request: unknown }, Result>(next: (args: Args) => Promise<Result>) =>
  (args: Args): Promise<Result> => {
    // After the serializer, which is the step before, it is an HTTP request.
    const { headers } = args.request as { readonly headers: Record<string, string> }
    headers["x-amz-content-sha256"] = sha256 ?? "UNSIGNED-PAYLOAD"
    return next(args)
  }

const afterSerializer = { step: "build", name: "payloadHash" } as const

/** An open multipart upload. */
export interface Upload {
  readonly key: string
  readonly upload_id: string
  /** Entity tags in the order of the parts; the numbers begin at 1. */
  readonly tags: Array<string>
  size_bytes: number
}

const ids = (s3: S3Api, { key, upload_id }: Upload) => ({ Bucket: s3.bucket, Key: key, UploadId: upload_id })

export const putObject = (s3: S3Api, key: string, content_type: string, payload: Payload) =>
  s3.send("write an object", (client, options) => {
    const command = new PutObjectCommand({
      Bucket: s3.bucket,
      Key: key,
      ContentType: content_type,
      Body: payload.bytes
    })
    command.middlewareStack.add(payloadHash(payload), afterSerializer)
    return client.send(command, options)
  })

export const openUpload = (s3: S3Api, key: string, content_type: string) =>
  s3
    .send("begin an upload", (client, options) =>
      client.send(new CreateMultipartUploadCommand({ Bucket: s3.bucket, Key: key, ContentType: content_type }), options)
    )
    .pipe(Effect.map(({ UploadId = "" }): Upload => ({ key, upload_id: UploadId, tags: [], size_bytes: 0 })))

/** @param number from 1 */
export const sendPart = (s3: S3Api, upload: Upload, number: number, payload: Payload) =>
  s3
    .send("upload a part", (client, options) => {
      const command = new UploadPartCommand({ ...ids(s3, upload), PartNumber: number, Body: payload.bytes })
      command.middlewareStack.add(payloadHash(payload), afterSerializer)
      return client.send(command, options)
    })
    .pipe(
      Effect.tap(({ ETag = "" }) => {
        upload.tags[number - 1] = ETag
        upload.size_bytes += payload.bytes.length
        return Effect.void
      })
    )

/** Whether the object is there with the upload's size. */
const arrived = (s3: S3Api, { key, size_bytes }: Upload) =>
  s3
    .send("look up an object", (client, options) =>
      client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: key }), options)
    )
    .pipe(Effect.map(({ ContentLength }) => ContentLength === size_bytes))

export const completeUpload = (s3: S3Api, upload: Upload): Effect.Effect<void, S3Failure> => {
  const parts = upload.tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }))
  return s3
    .send("complete an upload", (client, options) =>
      client.send(
        new CompleteMultipartUploadCommand({ ...ids(s3, upload), MultipartUpload: { Parts: parts } }),
        options
      )
    )
    .pipe(
      Effect.asVoid,
      // The answer to an earlier attempt was lost: the upload is gone because it was completed.
      Effect.catchIf(
        ({ code }) => code === "NoSuchUpload",
        (error) => Effect.flatMap(arrived(s3, upload), (there) => (there ? Effect.void : error))
      )
    )
}

/** Aborts an upload; one that is gone counts as aborted. */
export const abortUpload = (s3: S3Api, upload: Pick<Upload, "key" | "upload_id">): Effect.Effect<void, S3Failure> =>
  s3
    .send("abort an upload", (client, options) =>
      client.send(
        new AbortMultipartUploadCommand({ Bucket: s3.bucket, Key: upload.key, UploadId: upload.upload_id }),
        options
      )
    )
    .pipe(
      Effect.asVoid,
      Effect.catchIf(
        ({ code }) => code === "NoSuchUpload",
        () => Effect.void
      )
    )
