/** The Merkle tree of RFC 6962 and RFC 9162 over SHA-256: plain functions over hashes of 32 bytes. */
export type Hash = Uint8Array

const sha256 = (...parts: ReadonlyArray<Uint8Array>): Hash => {
  const hasher = new Bun.CryptoHasher("sha256")
  for (const part of parts) hasher.update(part)
  return new Uint8Array(hasher.digest())
}

// Leaves and nodes are hashed apart, so that no leaf can pass for a node.
const leafMark = Uint8Array.of(0)
const nodeMark = Uint8Array.of(1)

/** The hash of an entry's bytes. */
export const leafHash = (bytes: Uint8Array): Hash => sha256(leafMark, bytes)

const nodeHash = (left: Hash, right: Hash): Hash => sha256(nodeMark, left, right)

/** The root of the tree that has no leaf. */
export const emptyRoot: Hash = sha256()

export const equal = (one: Uint8Array, other: Uint8Array): boolean => Buffer.compare(one, other) === 0

/** A perfect subtree: 2^height leaves, from index · 2^height on. */
export interface Subtree {
  readonly height: number
  readonly index: number
}

/** Leaves from `begin` up to and without `end`. */
export interface Range {
  readonly begin: number
  readonly end: number
}

// Sizes go up to 2^53: the operators on bits would cut them to 32.
const isOdd = (value: number) => value % 2 === 1
const half = (value: number) => Math.floor(value / 2)

/** The largest power of two below `size`, which is at least 2. */
const split = (size: number): number => {
  let power = 1
  while (power * 2 < size) power *= 2
  return power
}

/** The hash of what stands in a row of perfect subtrees, largest first. */
export const foldRight = (hashes: ReadonlyArray<Hash>): Hash => {
  const [last, ...others] = hashes.toReversed()
  return last === undefined ? emptyRoot : others.reduce((right, left) => nodeHash(left, right), last)
}

/** The hash of a perfect subtree out of the hashes of one of its levels, whose number is a power of two. */
export const foldPerfect = (hashes: ReadonlyArray<Hash>): Hash => {
  let level = hashes
  while (level.length > 1) {
    level = Array.from({ length: level.length / 2 }, (_, at) =>
      nodeHash(level[2 * at] ?? emptyRoot, level[2 * at + 1] ?? emptyRoot)
    )
  }
  return level[0] ?? emptyRoot
}

/**
 * A tree that only grows, as its frontier: the hashes of the perfect subtrees that its size is the sum
 * of, largest first. To append costs two hashes on average, however large the tree is.
 */
export class Growing {
  readonly #hashes: Array<Hash>
  #size: number

  constructor(size = 0, hashes: ReadonlyArray<Hash> = []) {
    this.#size = size
    this.#hashes = [...hashes]
  }

  get size(): number {
    return this.#size
  }

  get frontier(): ReadonlyArray<Hash> {
    return [...this.#hashes]
  }

  get root(): Hash {
    return foldRight(this.#hashes)
  }

  /** Appends a leaf by its hash; `completed` is told of every subtree of two leaves and more that it completes. */
  append(leaf: Hash, completed: (subtree: Subtree, hash: Hash) => void = () => undefined): void {
    let hash = leaf
    let index = this.#size
    for (let height = 1; isOdd(index); height++) {
      const left = this.#hashes.pop()
      if (left === undefined) throw new Error(`the frontier does not belong to a tree of ${this.#size} leaves`)
      hash = nodeHash(left, hash)
      index = half(index)
      completed({ height, index }, hash)
    }
    this.#hashes.push(hash)
    this.#size += 1
  }
}

/** True when the hashes are the frontier of the tree of that size and root. */
export const isFrontier = (hashes: ReadonlyArray<Hash>, size: number, root: Hash): boolean =>
  hashes.length === size.toString(2).replaceAll("0", "").length && equal(foldRight(hashes), root)

/** The perfect subtrees that a range of a proof consists of, largest first. */
export const subtrees = ({ begin, end }: Range): ReadonlyArray<Subtree> => {
  const found: Array<Subtree> = []
  for (let at = begin; at < end; ) {
    let height = 0
    let size = 1
    while (at % (size * 2) === 0 && at + size * 2 <= end) {
      size *= 2
      height += 1
    }
    found.push({ height, index: at / size })
    at += size
  }
  return found
}

/** The ranges whose hashes show that leaf `index` is in the tree of `size` leaves (RFC 9162, 2.1.3.1). */
export const inclusionRanges = (index: number, size: number): ReadonlyArray<Range> => {
  const path = ({ begin, end }: Range): ReadonlyArray<Range> => {
    if (end - begin <= 1) return []
    const middle = begin + split(end - begin)
    const [left, right] = [
      { begin, end: middle },
      { begin: middle, end }
    ]
    return index < middle ? [...path(left), right] : [...path(right), left]
  }
  return path({ begin: 0, end: size })
}

/** The ranges whose hashes show that the tree of `size` leaves goes on from that of `from` (RFC 9162, 2.1.4.1). */
export const consistencyRanges = (from: number, size: number): ReadonlyArray<Range> => {
  const path = ({ begin, end }: Range, known: boolean): ReadonlyArray<Range> => {
    if (from === end) return known ? [] : [{ begin, end }]
    const middle = begin + split(end - begin)
    const [left, right] = [
      { begin, end: middle },
      { begin: middle, end }
    ]
    return from <= middle ? [...path(left, known), right] : [...path(right, false), left]
  }
  return from === 0 ? [] : path({ begin: 0, end: size }, true)
}

export interface Inclusion {
  readonly index: number
  readonly size: number
  readonly leaf: Hash
  readonly root: Hash
  readonly proof: ReadonlyArray<Hash>
}

/** True when the proof leads from the leaf to the root (RFC 9162, 2.1.3.2). */
export const verifyInclusion = ({ index, size, leaf, root, proof }: Inclusion): boolean => {
  if (index < 0 || index >= size) return false
  let at = index
  let last = size - 1
  let hash = leaf
  for (const sibling of proof) {
    if (last === 0) return false
    if (isOdd(at) || at === last) {
      hash = nodeHash(sibling, hash)
      while (!isOdd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else hash = nodeHash(hash, sibling)
    at = half(at)
    last = half(last)
  }
  return last === 0 && equal(hash, root)
}

export interface Consistency {
  readonly from: number
  readonly size: number
  readonly from_root: Hash
  readonly root: Hash
  readonly proof: ReadonlyArray<Hash>
}

/** True when the proof shows that the larger tree begins with all of the smaller (RFC 9162, 2.1.4.2). */
export const verifyConsistency = ({ from, size, from_root, root, proof }: Consistency): boolean => {
  if (from > size) return false
  if (from === size) return proof.length === 0 && equal(from_root, root)
  if (from === 0) return proof.length === 0 && equal(from_root, emptyRoot)
  let at = from - 1
  let last = size - 1
  while (isOdd(at)) {
    at = half(at)
    last = half(last)
  }
  // A perfect smaller tree is a subtree of the larger one: the proof leaves its root out.
  const [first, ...path] = at === 0 ? [from_root, ...proof] : proof
  if (first === undefined) return false
  let smaller = first
  let larger = first
  for (const sibling of path) {
    if (last === 0) return false
    if (isOdd(at) || at === last) {
      smaller = nodeHash(sibling, smaller)
      larger = nodeHash(sibling, larger)
      while (!isOdd(at) && at !== 0) {
        at = half(at)
        last = half(last)
      }
    } else larger = nodeHash(larger, sibling)
    at = half(at)
    last = half(last)
  }
  return last === 0 && equal(smaller, from_root) && equal(larger, root)
}
