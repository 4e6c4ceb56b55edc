import { Effect, FiberSet, type Scope } from "effect"
import { FirstFailure } from "../FirstFailure.ts"
import type { ObjectBatch } from "../ObjectStore.ts"
import type { Buffers } from "./Buffers.ts"
import { deleteKeys } from "./Removal.ts"
import { type S3Api, settled, storeError } from "./S3Api.ts"
import { type BatchState, S3Writer } from "./S3Writer.ts"
import { abortUpload, completeUpload } from "./Upload.ts"

const complete = ({ s3, uploads, keys }: BatchState) => {
  const ended = Array.from(uploads).filter(([, state]) => state.ended)
  return Effect.forEach(
    ended,
    ([upload]) => {
      keys.add(upload.key)
      return Effect.andThen(
        completeUpload(s3, upload),
        Effect.sync(() => uploads.delete(upload))
      )
    },
    { concurrency: 4, discard: true }
  )
}

/** Removes what the batch has left in the store. */
const cleanUp = ({ s3, uploads, keys }: Omit<BatchState, "requests">, prefix: string) => {
  const removals = Array.from(uploads.keys(), (upload) => abortUpload(s3, upload))
  if (keys.size > 0) removals.push(deleteKeys(s3, [...keys]))
  if (removals.length === 0) return Effect.void
  const all = Effect.validateAll(removals, (removal) => removal, { concurrency: 8, discard: true }).pipe(
    Effect.mapError(([first]) => first)
  )
  return settled("remove an uncommitted batch", all).pipe(
    Effect.catchAll((error) => Effect.logWarning("an uncommitted batch stays until it is collected", error)),
    Effect.annotateLogs("prefix", prefix)
  )
}

/** See {@link ObjectBatch}: small objects are put when they end, multipart uploads completed at the commit. */
export const s3Batch = (s3: S3Api, buffers: Buffers, prefix: string): Effect.Effect<ObjectBatch, never, Scope.Scope> =>
  Effect.gen(function* () {
    const state: Omit<BatchState, "requests"> = {
      s3,
      buffers,
      failure: new FirstFailure(),
      filling: new Set(),
      held: new Set(),
      uploads: new Map(),
      keys: new Set()
    }
    // Finalizers run last to first: no request runs any more when the batch is cleaned up.
    yield* Effect.addFinalizer(() => cleanUp(state, prefix))
    yield* Effect.addFinalizer(() => Effect.forEach(state.held, ({ release }) => release, { discard: true }))
    const batch: BatchState = { ...state, requests: yield* FiberSet.make<void>() }
    yield* Effect.addFinalizer(() => state.failure.close)

    const commit = Effect.gen(function* () {
      yield* FiberSet.awaitEmpty(batch.requests)
      yield* batch.failure.check
      yield* Effect.mapError(complete(batch), storeError)
      batch.keys.clear()
    })
    return {
      writer: (path, options) =>
        batch.failure.guard(
          Effect.sync(
            () =>
              new S3Writer(batch, {
                key: prefix + path,
                content_type: options.content_type,
                size_hint: options.size_hint
              })
          )
        ),
      commit: batch.failure.guard(commit)
    }
  })
