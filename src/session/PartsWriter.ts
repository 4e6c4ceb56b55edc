import { Effect, ExecutionStrategy, Exit, Fiber, Scope } from "effect"
import type { ObjectBatch, ObjectStore, ObjectStoreError, ObjectWriter } from "../platform/ObjectStore.ts"
import type { StoredPart } from "./UploadsRepo.ts"

/** Where bytes go, and who is told when they are durable. */
export interface Target<E, R> {
  /** The upload's prefix. */
  readonly prefix: string
  /** The upload's offset. */
  readonly offset: number
  /** Of this request alone: no two ever write the same object. */
  readonly writer: string
  /** What a part holds; with less the offset advances more often, with more there are fewer objects. */
  readonly part_bytes: number
  /** Length of the one part, where that is known. */
  readonly size_hint?: number | undefined
  /** Told of each part, in order, once it is durable. When it fails the part is removed. */
  readonly advance: (from: number, part: StoredPart) => Effect.Effect<void, E, R>
}

interface OpenPart {
  readonly from: number
  readonly folder: string
  readonly scope: Scope.CloseableScope
  readonly batch: ObjectBatch
  readonly writer: ObjectWriter
  size_bytes: number
}

const OBJECT = "bytes"

/**
 * Cuts the bytes of a request into parts, each an object in a folder of its own, and makes them durable
 * one after the other; while one is, the next is being filled.
 * The scope that it is made in removes what was not finished.
 */
export const partsWriter = <E, R>(store: typeof ObjectStore.Service, target: Target<E, R>) =>
  Effect.map(Effect.scope, (parent) => {
    let from = target.offset
    let open: OpenPart | undefined
    let settling: Fiber.Fiber<void, E | ObjectStoreError> | undefined

    const begin = Effect.gen(function* () {
      const folder = `${String(from).padStart(16, "0")}-${target.writer}/`
      const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
      const batch = yield* Scope.extend(store.batch(target.prefix + folder), scope)
      const { size_hint } = target
      const writer = yield* batch.writer(OBJECT, { content_type: "application/octet-stream", size_hint })
      open = { from, folder, scope, batch, writer, size_bytes: 0 }
      return open
    })

    const settle = ({ from, folder, scope, batch, size_bytes }: OpenPart) =>
      Effect.gen(function* () {
        yield* batch.commit
        yield* Effect.tapError(target.advance(from, { path: folder + OBJECT, size_bytes }), () =>
          Effect.catchAll(store.removePrefix(target.prefix + folder), (error) =>
            Effect.logWarning("a part that nobody asks for stays with its upload", error)
          )
        )
      }).pipe(Effect.ensuring(Scope.close(scope, Exit.void)))

    const settled = Effect.suspend(() => (settling === undefined ? Effect.void : Fiber.join(settling)))

    const close = Effect.gen(function* () {
      if (open === undefined) return
      const part = open
      open = undefined
      from += part.size_bytes
      yield* part.writer.end
      yield* settled
      settling = yield* Effect.fork(settle(part))
    })

    /** Takes the chunk; must not be interrupted, or nobody knows how much of it was taken. */
    const write = (chunk: Uint8Array): Effect.Effect<void, E | ObjectStoreError, R> =>
      Effect.gen(function* () {
        for (let at = 0; at < chunk.length; ) {
          const part: OpenPart = open ?? (yield* begin)
          const piece = chunk.subarray(at, at + target.part_bytes - part.size_bytes)
          yield* part.writer.write(piece)
          part.size_bytes += piece.length
          at += piece.length
          if (part.size_bytes === target.part_bytes) yield* close
        }
      })

    return {
      write,
      /** Makes everything that was taken durable. */
      finish: Effect.zipRight(close, settled),
      /** Waits for what is on its way; the rest is dropped with the scope. */
      abandon: Effect.suspend(() => (settling === undefined ? Effect.void : Effect.asVoid(Fiber.await(settling))))
    } as const
  })
