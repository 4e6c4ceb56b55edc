import { Effect } from "effect"
import { foldPerfect, foldRight, type Hash, type Range, type Subtree, subtrees } from "./Merkle.ts"

/** Of the subtrees of a log, every eighth level is stored: those of 1, 256, 65536 … leaves. */
export const nodesEvery = 8

/** Hashes that are stored: so many, from `index` on, of subtrees of 256^level leaves. */
export interface Stored {
  readonly level: number
  readonly index: number
  readonly count: number
}

const storedFor = ({ height, index }: Subtree): Stored => {
  const level = Math.floor(height / nodesEvery)
  const count = 2 ** (height - level * nodesEvery)
  return { level, index: index * count, count }
}

/** The hashes of a proof's ranges, with what is stored of the tree: some hundred hashes for each, at most. */
export const hashesOf = <E, R>(
  ranges: ReadonlyArray<Range>,
  read: (stored: Stored) => Effect.Effect<ReadonlyArray<Hash>, E, R>
): Effect.Effect<ReadonlyArray<Hash>, E, R> =>
  Effect.forEach(ranges, (range) =>
    Effect.map(
      Effect.forEach(subtrees(range), (subtree) => Effect.map(read(storedFor(subtree)), foldPerfect)),
      foldRight
    )
  )
