import { randomUUID } from "node:crypto"
import { existsSync } from "node:fs"
import { join } from "node:path"
import { Effect, Layer, Stream } from "effect"
import { ObjectStore } from "../../platform/ObjectStore.ts"
import * as ObjectStoreLive from "../../platform/ObjectStoreLive.ts"
import { Settings, type Values } from "../../platform/Settings.ts"
import { reason } from "../Report.ts"
import { type Finding, fail, ok } from "./Finding.ts"

const PATIENCE = "20 seconds"

/** Writes an object, reads it back and removes it. */
const probe = Effect.gen(function* () {
  const store = yield* ObjectStore
  const prefix = `doctor/${randomUUID()}/`
  const content = new TextEncoder().encode(prefix)
  yield* Effect.scoped(
    Effect.gen(function* () {
      const batch = yield* store.batch(prefix)
      const writer = yield* batch.writer("probe", { content_type: "text/plain", size_hint: content.length })
      yield* writer.write(content)
      yield* writer.end
      yield* batch.commit
    })
  )
  const chunks = yield* Stream.runCollect(yield* store.read(`${prefix}probe`)).pipe(
    Effect.ensuring(Effect.orDie(store.removePrefix(prefix)))
  )
  return Buffer.concat([...chunks]).equals(content)
})

/** Writes, reads and removes a probe object in the configured store. A folder that the first start would make is not made. */
export const checkStore = (values: Values): Effect.Effect<Finding> => {
  const { s3_bucket, s3_endpoint } = values.objects
  const folder = join(values.data.data_dir, "objects")
  const name = s3_bucket === undefined ? `files in ${folder}` : `bucket ${s3_bucket} at ${s3_endpoint ?? "AWS"}`
  if (s3_bucket === undefined && !existsSync(folder)) {
    return Effect.succeed(ok(`object store: ${name}, made by the first start`))
  }
  const todo =
    s3_bucket === undefined
      ? "give this user the right to write there, or set DATA_DIR to another folder"
      : "check that the bucket exists, S3_ENDPOINT, S3_REGION and the keys, and that they may write, read and delete"
  return probe.pipe(
    Effect.provide(ObjectStoreLive.layer.pipe(Layer.provide(Layer.succeed(Settings, values)))),
    Effect.timeoutFail({ duration: PATIENCE, onTimeout: () => new Error(`no answer within ${PATIENCE}`) }),
    Effect.map((same) =>
      same
        ? ok(`object store: ${name} can be written, read and removed from`)
        : fail(`object store: ${name} gives back other bytes than were written`, "do not use it")
    ),
    Effect.catchAll((error) => Effect.succeed(fail(`object store: ${name}: ${reason(error)}`, todo)))
  )
}
