import { join } from "node:path"
import { Duration, Effect, Layer } from "effect"
import * as FileObjectStore from "./FileObjectStore.ts"
import { Settings, type Values } from "./Settings.ts"

const bucket = (name: string, { objects, ingest }: Values) =>
  Layer.unwrapEffect(
    // Loaded only where it is used: Amazon's client is a tenth of what a start loads.
    Effect.map(
      Effect.promise(() => import("./S3ObjectStore.ts")),
      (S3ObjectStore) =>
        S3ObjectStore.layer({
          bucket: name,
          endpoint: objects.s3_endpoint,
          region: objects.s3_region,
          access_key_id: objects.s3_access_key_id,
          secret_access_key: objects.s3_secret_access_key,
          force_path_style: objects.s3_force_path_style ?? objects.s3_endpoint !== undefined,
          part_buffers: ingest.upload_concurrency,
          request_timeout: Duration.seconds(60)
        })
    )
  )

/** The object store that the configuration asks for: a bucket when one is named, files otherwise. */
export const layer = Layer.unwrapEffect(
  Effect.map(Settings, (settings) => {
    const { objects, data } = settings
    return objects.s3_bucket === undefined
      ? FileObjectStore.layer(join(data.data_dir, "objects"))
      : bucket(objects.s3_bucket, settings)
  })
)
