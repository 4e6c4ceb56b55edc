import { Effect, Scope } from "effect"
import { FirstFailure } from "../FirstFailure.ts"
import type { ObjectBatch } from "../ObjectStore.ts"
import { abandonable, disk } from "./Disk.ts"
import { fileWriter } from "./FileWriter.ts"
import type { Folders } from "./Folders.ts"
import { publish } from "./Publish.ts"
import type { SyncAhead } from "./SyncAhead.ts"
import { TempFolder } from "./TempFolder.ts"

export interface FileStore {
  readonly folders: Folders
  readonly ahead: SyncAhead
  /** The path of a key; a key that would leave the root is a defect. */
  readonly path: (key: string) => string
}

/** See {@link ObjectBatch}: files in a temp folder that is renamed at the commit. */
export const fileBatch = (store: FileStore, prefix: string): Effect.Effect<ObjectBatch, never, Scope.Scope> =>
  Effect.gen(function* () {
    const target = store.path(prefix.slice(0, -1))
    const temp = new TempFolder(store.folders, store.ahead, prefix)
    const failure = new FirstFailure()
    let committed = false

    const removed = disk("remove a temp folder", () => temp.remove()).pipe(
      Effect.catchAll((error) => Effect.logWarning("an uncommitted batch stays until it is collected", error)),
      Effect.annotateLogs("prefix", prefix)
    )
    // The scope's own: the one of `Effect` brings the fiber's state along, which costs more than the finalizer.
    yield* Scope.addFinalizer(
      yield* Effect.scope,
      Effect.andThen(
        failure.close,
        Effect.unless(removed, () => committed)
      )
    )

    const writer: ObjectBatch["writer"] = (path, { size_hint }) =>
      failure.guard(
        Effect.gen(function* () {
          const inside = store.path(prefix + path).slice(target.length + 1)
          const file = yield* disk("create an object", () => temp.create(inside))
          const bytes = fileWriter(file.fd, size_hint, (count) => temp.written(file, count))
          const end = Effect.andThen(
            bytes.end,
            disk("sync an object", () => temp.end(file))
          )
          return { write: (chunk) => failure.guard(bytes.write(chunk)), end: failure.guard(end) }
        })
      )

    const commit = Effect.gen(function* () {
      if (temp.empty) return
      yield* abandonable("sync the batch", () => temp.settle())
      yield* disk("publish the batch", async () => {
        await publish(store.folders, temp.path, target)
        committed = true
      })
    })

    return { writer, commit: failure.guard(commit) }
  })
