import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Duration, Effect, Layer } from "effect"
import * as FileObjectStore from "../../src/platform/FileObjectStore.ts"
import * as S3ObjectStore from "../../src/platform/S3ObjectStore.ts"
import { freshBucket, listsUploads, NO_UPLOAD_LISTING, optionsFor, s3Server } from "../support/S3Server.ts"
import { contract } from "./ObjectStore.contract.ts"

const temporaryFolder = Effect.acquireRelease(
  Effect.promise(() => mkdtemp(join(tmpdir(), "tracepipe-objects-"))),
  (folder) => Effect.promise(() => rm(folder, { recursive: true }))
)

contract("files", { layer: Layer.unwrapScoped(Effect.map(temporaryFolder, FileObjectStore.layer)) })

contract("S3", {
  pending_unknown: listsUploads ? undefined : NO_UPLOAD_LISTING,
  layer: Layer.unwrapScoped(
    Effect.gen(function* () {
      const server = yield* s3Server
      const bucket = yield* freshBucket(server)
      return S3ObjectStore.layer({
        ...optionsFor(server, bucket),
        // Fewer than there are writers at once in the suite.
        part_buffers: 4,
        request_timeout: Duration.seconds(30)
      })
    })
  )
})
