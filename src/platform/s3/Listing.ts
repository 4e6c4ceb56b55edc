import {
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
  ListPartsCommand
} from "@aws-sdk/client-s3"
import { Chunk, Effect, Option, Stream } from "effect"
import type { ObjectInfo, PendingBatch } from "../ObjectStore.ts"
import type { S3Api, S3Failure } from "./S3Api.ts"

/** All pages of a listing. `page` gets the marker of the page before and answers what leads to the next one. */
const pages = <A, Marker>(
  page: (marker: Marker | undefined) => Effect.Effect<{ items: ReadonlyArray<A>; next: Marker | undefined }, S3Failure>
): Stream.Stream<A, S3Failure> =>
  Stream.paginateChunkEffect<Marker | undefined, A, S3Failure, never>(undefined, (marker) =>
    Effect.map(page(marker), ({ items, next }) => [
      Chunk.fromIterable(items),
      next === undefined ? Option.none() : Option.some(next)
    ])
  )

const objects = (s3: S3Api, query: { Prefix: string; Delimiter?: string; StartAfter?: string }, marker?: string) =>
  s3.send("list objects", (client, options) =>
    client.send(
      new ListObjectsV2Command({
        Bucket: s3.bucket,
        ...query,
        ...(marker === undefined ? {} : { ContinuationToken: marker })
      }),
      options
    )
  )

const nextToken = (answer: ListObjectsV2CommandOutput) =>
  answer.IsTruncated === true ? answer.NextContinuationToken : undefined

export const list = (s3: S3Api, prefix: string): Stream.Stream<ObjectInfo, S3Failure> =>
  pages((marker: string | undefined) =>
    Effect.map(objects(s3, { Prefix: prefix }, marker), (answer) => ({
      items: (answer.Contents ?? []).map(({ Key = "", Size = 0, LastModified = new Date(0) }) => ({
        key: Key,
        size_bytes: Size,
        modified_at: LastModified
      })),
      next: nextToken(answer)
    }))
  )

export const folders = (s3: S3Api, prefix: string, start_after?: string): Stream.Stream<string, S3Failure> => {
  // "0" is what follows "/" in ASCII: the first key that is not below the folder.
  const after = start_after === undefined ? {} : { StartAfter: `${prefix}${start_after}0` }
  return pages((marker: string | undefined) =>
    Effect.map(objects(s3, { Prefix: prefix, Delimiter: "/", ...after }, marker), (answer) => ({
      items: (answer.CommonPrefixes ?? []).map(({ Prefix = "" }) => Prefix.slice(prefix.length, -1)),
      next: nextToken(answer)
    }))
  )
}

export interface OpenUpload {
  readonly key: string
  readonly upload_id: string
  readonly initiated: Date
}

interface UploadMarker {
  readonly KeyMarker?: string
  readonly UploadIdMarker?: string
}

const isNotImplemented = ({ code, status }: S3Failure) => code === "NotImplemented" || status === 501

/** Multipart uploads that are open below the prefix; a store that cannot tell is taken to have none. */
export const openUploads = (s3: S3Api, prefix: string): Stream.Stream<OpenUpload, S3Failure> =>
  pages((marker: UploadMarker | undefined) =>
    s3
      .send("list uploads", (client, options) =>
        client.send(new ListMultipartUploadsCommand({ Bucket: s3.bucket, Prefix: prefix, ...marker }), options)
      )
      .pipe(
        Effect.map(({ Uploads = [], IsTruncated, NextKeyMarker, NextUploadIdMarker }) => ({
          items: Uploads.map(({ Key = "", UploadId = "", Initiated = new Date(0) }) => ({
            key: Key,
            upload_id: UploadId,
            initiated: Initiated
          })),
          next:
            IsTruncated === true && NextKeyMarker !== undefined
              ? {
                  KeyMarker: NextKeyMarker,
                  ...(NextUploadIdMarker === undefined ? {} : { UploadIdMarker: NextUploadIdMarker })
                }
              : undefined
        })),
        Effect.catchIf(isNotImplemented, () =>
          Effect.as(Effect.logWarning("this S3 server cannot list multipart uploads: leftovers of crashes stay"), {
            items: [],
            next: undefined
          })
        )
      )
  )

/** When the upload last got a part, or was begun where the store does not tell. */
const lastSignOfLife = (s3: S3Api, upload: OpenUpload): Effect.Effect<Date, S3Failure> =>
  pages((marker: string | undefined) =>
    Effect.map(
      s3.send("list parts", (client, options) =>
        client.send(
          new ListPartsCommand({
            Bucket: s3.bucket,
            Key: upload.key,
            UploadId: upload.upload_id,
            ...(marker === undefined ? {} : { PartNumberMarker: marker })
          }),
          options
        )
      ),
      ({ Parts = [], IsTruncated, NextPartNumberMarker }) => ({
        items: Parts.flatMap(({ LastModified }) => LastModified ?? []),
        next: IsTruncated === true ? NextPartNumberMarker : undefined
      })
    )
  ).pipe(
    Stream.runFold(upload.initiated, (latest, date) => (date.getTime() > latest.getTime() ? date : latest)),
    // It was completed or aborted meanwhile, or the store has no such operation.
    Effect.catchIf(
      (error) => error.code === "NoSuchUpload" || isNotImplemented(error),
      () => Effect.succeed(upload.initiated)
    )
  )

/**
 * The prefix of the batch to which a key belongs. Batches are the entities' folders,
 * `orgs/<id>/<kind>/<id>/`: the first four segments of the key.
 */
export const batchPrefixOf = (key: string): string => `${key.split("/", 4).join("/")}/`

export const pending = (s3: S3Api, prefix: string): Stream.Stream<PendingBatch, S3Failure> =>
  Stream.fromIterableEffect(
    openUploads(s3, prefix).pipe(
      Stream.mapEffect(
        (upload) => Effect.map(lastSignOfLife(s3, upload), (at) => [batchPrefixOf(upload.key), at] as const),
        { concurrency: 8 }
      ),
      Stream.runFold(new Map<string, Date>(), (latest, [of, at]) =>
        latest.set(of, new Date(Math.max(at.getTime(), latest.get(of)?.getTime() ?? 0)))
      ),
      Effect.map((latest) => Array.from(latest, ([of, modified_at]) => ({ prefix: of, modified_at })))
    )
  )
