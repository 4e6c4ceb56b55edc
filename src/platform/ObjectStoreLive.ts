import { join } from "node:path"
import { Duration, Effect, Layer, Option } from "effect"
import * as FileObjectStore from "./FileObjectStore.ts"
import * as S3ObjectStore from "./S3ObjectStore.ts"
import { Settings } from "./Settings.ts"

/** The object store that the configuration asks for: a bucket when one is named, files otherwise. */
export const layer = Layer.unwrapEffect(
  Effect.map(Settings, ({ objects, data, ingest }) => {
    if (objects.s3_bucket === undefined) return FileObjectStore.layer(join(data.data_dir, "objects"))
    return S3ObjectStore.layer({
      bucket: objects.s3_bucket,
      endpoint: objects.s3_endpoint,
      region: objects.s3_region,
      access_key_id: objects.s3_access_key_id,
      secret_access_key: objects.s3_secret_access_key,
      force_path_style: Option.getOrElse(objects.s3_force_path_style, () => objects.s3_endpoint !== undefined),
      part_buffers: ingest.upload_concurrency,
      request_timeout: Duration.seconds(30)
    })
  })
)
