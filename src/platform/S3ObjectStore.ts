import { HeadBucketCommand, HeadObjectCommand } from "@aws-sdk/client-s3"
import { Effect, Layer, Stream } from "effect"
import { type ObjectInfo, ObjectNotFound, ObjectStore, type ObjectStoreError } from "./ObjectStore.ts"
import { makeBuffers } from "./s3/Buffers.ts"
import { direct } from "./s3/Direct.ts"
import { folders, list, pending } from "./s3/Listing.ts"
import { deleteKeys, removePending, removePrefix } from "./s3/Removal.ts"
import { makeS3Api, type S3Api, type S3Options, storeError } from "./s3/S3Api.ts"
import { s3Batch } from "./s3/S3Batch.ts"
import { read, whole } from "./s3/S3Reader.ts"

const head = (s3: S3Api, key: string): Effect.Effect<ObjectInfo, ObjectNotFound | ObjectStoreError> =>
  s3
    .send("look up an object", (client, options) =>
      client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: key }), options)
    )
    .pipe(
      Effect.map(({ ContentLength = 0, LastModified = new Date(0) }) => ({
        key,
        size_bytes: ContentLength,
        modified_at: LastModified
      })),
      Effect.mapError((error) => (error.status === 404 ? new ObjectNotFound({ key }) : storeError(error)))
    )

const health = (s3: S3Api) =>
  s3.send("reach the bucket", (client, options) => client.send(new HeadBucketCommand({ Bucket: s3.bucket }), options))

/** Objects in a bucket of any S3-compatible server. The bucket must exist. */
export const layer = (options: S3Options): Layer.Layer<ObjectStore> =>
  Layer.scoped(
    ObjectStore,
    Effect.gen(function* () {
      const s3 = yield* makeS3Api(options)
      const buffers = makeBuffers(options.part_buffers)
      return {
        kind: "s3",
        batch: (prefix) => s3Batch(s3, buffers, prefix),
        read: Effect.fn("ObjectStore.read")((key, range) => read(s3, key, range)),
        whole: Effect.fn("ObjectStore.whole")((key, most) => whole(s3, key, most)),
        head: (key) => head(s3, key),
        list: (prefix) => Stream.mapError(list(s3, prefix), storeError),
        folders: (prefix, start_after) => Stream.mapError(folders(s3, prefix, start_after), storeError),
        remove: Effect.fn("ObjectStore.remove")((keys) => Effect.mapError(deleteKeys(s3, keys), storeError)),
        removePrefix: Effect.fn("ObjectStore.removePrefix")((prefix) =>
          Effect.mapError(removePrefix(s3, prefix), storeError)
        ),
        pending: (prefix) => Stream.mapError(pending(s3, prefix), storeError),
        removePending: Effect.fn("ObjectStore.removePending")((prefix) =>
          Effect.mapError(removePending(s3, prefix), storeError)
        ),
        direct: direct(s3),
        health: Effect.asVoid(Effect.mapError(health(s3), storeError))
      }
    })
  )
