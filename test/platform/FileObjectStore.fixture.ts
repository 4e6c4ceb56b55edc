// Writes a batch, says so, and waits to be killed.
import { Effect } from "effect"
import * as FileObjectStore from "../../src/platform/FileObjectStore.ts"
import { ObjectStore } from "../../src/platform/ObjectStore.ts"

const [, , root = "", prefix = ""] = process.argv

const main = Effect.gen(function* () {
  const batch = yield* (yield* ObjectStore).batch(prefix)
  const ended = yield* batch.writer("ended", { content_type: "text/plain" })
  yield* ended.write(new Uint8Array(100_000))
  yield* ended.end
  const open = yield* batch.writer("folder/open", { content_type: "text/plain" })
  yield* open.write(new Uint8Array(100_000))
  console.log("written")
  return yield* Effect.never
}).pipe(Effect.scoped, Effect.provide(FileObjectStore.layer(root)))

await Effect.runPromise(main)
