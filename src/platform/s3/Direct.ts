import { CreateMultipartUploadCommand, ListPartsCommand, UploadPartCommand } from "@aws-sdk/client-s3"
import { getSignedUrl } from "@aws-sdk/s3-request-presigner"
import { Chunk, Duration, Effect, Option, Stream } from "effect"
import { type DirectStore, ObjectNotFound } from "../ObjectStore.ts"
import { type S3Api, storeError } from "./S3Api.ts"
import { abortUpload, completeUpload } from "./Upload.ts"

/** Every part that the store has of an open multipart upload. */
const sent = (s3: S3Api, Key: string, UploadId: string) =>
  Stream.paginateChunkEffect(undefined as string | undefined, (marker) =>
    s3
      .send("list parts", (client, options) =>
        client.send(
          new ListPartsCommand({
            Bucket: s3.bucket,
            Key,
            UploadId,
            ...(marker === undefined ? {} : { PartNumberMarker: marker })
          }),
          options
        )
      )
      .pipe(
        Effect.map(({ Parts = [], IsTruncated, NextPartNumberMarker }) => [
          Chunk.fromIterable(
            Parts.map(({ PartNumber = 0, Size = 0, ETag = "" }) => ({
              number: PartNumber,
              size_bytes: Size,
              etag: ETag.replaceAll('"', "")
            }))
          ),
          IsTruncated === true && NextPartNumberMarker !== undefined ? Option.some(NextPartNumberMarker) : Option.none()
        ])
      )
  ).pipe(Stream.runCollect, Effect.map(Chunk.toReadonlyArray))

/** See {@link DirectStore}: multipart uploads whose parts somebody else sends. */
export const direct = (s3: S3Api): DirectStore => ({
  open: (key) =>
    s3
      .send("begin an upload", (client, options) =>
        client.send(
          new CreateMultipartUploadCommand({ Bucket: s3.bucket, Key: key, ContentType: "application/octet-stream" }),
          options
        )
      )
      .pipe(
        Effect.map(({ UploadId = "" }) => UploadId),
        Effect.mapError(storeError)
      ),
  url: ({ key, upload_id, number, lifetime }) =>
    s3
      .send("sign a URL", (client) =>
        getSignedUrl(
          client,
          new UploadPartCommand({ Bucket: s3.bucket, Key: key, UploadId: upload_id, PartNumber: number }),
          { expiresIn: Math.floor(Duration.toSeconds(lifetime)) }
        )
      )
      .pipe(Effect.mapError(storeError)),
  parts: (key, upload_id) =>
    Effect.mapError(sent(s3, key, upload_id), (error) =>
      error.code === "NoSuchUpload" ? new ObjectNotFound({ key }) : storeError(error)
    ),
  complete: (key, upload_id, parts) =>
    completeUpload(s3, {
      key,
      upload_id,
      tags: parts.map(({ etag }) => `"${etag}"`),
      size_bytes: parts.reduce((sum, { size_bytes }) => sum + size_bytes, 0)
    }).pipe(Effect.mapError(storeError)),
  abort: (key, upload_id) => Effect.mapError(abortUpload(s3, { key, upload_id }), storeError)
})
