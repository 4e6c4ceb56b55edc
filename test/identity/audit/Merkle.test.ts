import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Merkle from "../../../src/identity/audit/Merkle.ts"

const hex = (hash: Merkle.Hash) => Buffer.from(hash).toString("hex")

const sha256 = (...parts: ReadonlyArray<Uint8Array>) =>
  new Uint8Array(Bun.SHA256.hash(Buffer.concat(parts)) as unknown as Uint8Array)

/** The definition of RFC 6962, 2.1, word for word. */
const definition = (leaves: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (leaves.length === 0) return sha256()
  if (leaves.length === 1) return sha256(Uint8Array.of(0), leaves[0]!)
  let k = 1
  while (k * 2 < leaves.length) k *= 2
  return sha256(Uint8Array.of(1), definition(leaves.slice(0, k)), definition(leaves.slice(k)))
}

/** The leaves that implementations of RFC 6962 test with, and the roots of the first so many of them. */
const known = {
  leaves: ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"].map(
    (text) => Buffer.from(text, "hex")
  ),
  roots: [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
  ]
}

const grown = (leaves: ReadonlyArray<Uint8Array>) => {
  const tree = new Merkle.Growing()
  for (const leaf of leaves) tree.append(Merkle.leafHash(leaf))
  return tree
}

const hashOf = (leaves: ReadonlyArray<Uint8Array>, { begin, end }: Merkle.Range) => grown(leaves.slice(begin, end)).root

const trees = fc.array(fc.uint8Array({ maxLength: 8 }), { minLength: 1, maxLength: 150 })

describe("the tree of RFC 6962", () => {
  it("has the roots that others have of the same leaves", () => {
    expect(known.roots.map((_, size) => hex(grown(known.leaves.slice(0, size)).root))).toEqual(known.roots)
  })

  it("that grows has at every size the root of the definition, also when it goes on from its frontier", () => {
    fc.assert(
      fc.property(trees, fc.nat(149), (leaves, cut) => {
        const first = grown(leaves.slice(0, cut))
        const rest = new Merkle.Growing(first.size, first.frontier)
        for (const leaf of leaves.slice(cut)) rest.append(Merkle.leafHash(leaf))
        expect(hex(first.root)).toBe(hex(definition(leaves.slice(0, cut))))
        expect(hex(rest.root)).toBe(hex(definition(leaves)))
        expect(rest.size).toBe(leaves.length)
      })
    )
  })

  it("tells of every subtree that a leaf completes, once", () => {
    fc.assert(
      fc.property(trees, (leaves) => {
        const told = new Map<string, string>()
        const tree = new Merkle.Growing()
        for (const leaf of leaves) {
          tree.append(Merkle.leafHash(leaf), ({ height, index }, hash) => {
            expect(told.has(`${height}/${index}`)).toBe(false)
            told.set(`${height}/${index}`, hex(hash))
          })
        }
        for (let height = 1; 2 ** height <= leaves.length; height++) {
          const size = 2 ** height
          for (let index = 0; (index + 1) * size <= leaves.length; index++) {
            const expected = hex(definition(leaves.slice(index * size, (index + 1) * size)))
            expect(told.get(`${height}/${index}`)).toBe(expected)
            const hashes = leaves.slice(index * size, (index + 1) * size).map(Merkle.leafHash)
            expect(hex(Merkle.foldPerfect(hashes))).toBe(expected)
            told.delete(`${height}/${index}`)
          }
        }
        expect(told.size).toBe(0)
      }),
      { numRuns: 30 }
    )
  })

  it("shows that a leaf is in it, and cannot show it of another leaf, place, root or proof", () => {
    fc.assert(
      fc.property(trees, fc.nat(), fc.nat(), (leaves, at, other) => {
        const [size, index] = [leaves.length, at % leaves.length]
        const ranges = Merkle.inclusionRanges(index, size)
        const proof = ranges.map((range) => hashOf(leaves, range))
        for (const range of ranges) {
          const parts = Merkle.subtrees(range).map(({ height, index }) =>
            hashOf(leaves, { begin: index * 2 ** height, end: (index + 1) * 2 ** height })
          )
          expect(hex(Merkle.foldRight(parts))).toBe(hex(hashOf(leaves, range)))
        }
        const shown = { index, size, leaf: Merkle.leafHash(leaves[index]!), root: definition(leaves), proof }
        expect(Merkle.verifyInclusion(shown)).toBe(true)
        const wrong = sha256(Uint8Array.of(7))
        expect(Merkle.verifyInclusion({ ...shown, leaf: wrong })).toBe(false)
        expect(Merkle.verifyInclusion({ ...shown, root: wrong })).toBe(false)
        expect(Merkle.verifyInclusion({ ...shown, proof: [...proof, wrong] })).toBe(false)
        if (proof.length > 0) {
          expect(Merkle.verifyInclusion({ ...shown, proof: proof.slice(1) })).toBe(false)
          expect(Merkle.verifyInclusion({ ...shown, proof: proof.with(other % proof.length, wrong) })).toBe(false)
          expect(Merkle.verifyInclusion({ ...shown, index: index === 0 ? size : index - 1 })).toBe(
            index > 0 && Buffer.from(leaves[index]!).equals(leaves[index - 1]!) && isSame(leaves, index)
          )
        }
        expect(Merkle.verifyInclusion({ ...shown, index: -1 })).toBe(false)
        expect(Merkle.verifyInclusion({ ...shown, index: size })).toBe(false)
      })
    )
  })

  it("shows that it goes on from a smaller one, and cannot show it of another", () => {
    fc.assert(
      fc.property(trees, fc.nat(), (leaves, at) => {
        const size = leaves.length
        const from = at % (size + 1)
        const proof = Merkle.consistencyRanges(from, size).map((range) => hashOf(leaves, range))
        const shown = { from, size, from_root: definition(leaves.slice(0, from)), root: definition(leaves), proof }
        expect(Merkle.verifyConsistency(shown)).toBe(true)
        const wrong = sha256(Uint8Array.of(7))
        expect(Merkle.verifyConsistency({ ...shown, from_root: wrong })).toBe(false)
        // Every tree goes on from the one without leaves.
        if (from > 0) expect(Merkle.verifyConsistency({ ...shown, root: wrong })).toBe(false)
        expect(Merkle.verifyConsistency({ ...shown, proof: [...proof, wrong] })).toBe(false)
        if (proof.length > 0) expect(Merkle.verifyConsistency({ ...shown, proof: proof.slice(1) })).toBe(false)
        expect(Merkle.verifyConsistency({ ...shown, from: size + 1 })).toBe(false)
      })
    )
  })
})

/** Two places of a tree whose proofs may be the same: all leaves of both halves are alike. */
const isSame = (leaves: ReadonlyArray<Uint8Array>, index: number) => {
  const proof = (at: number) =>
    Merkle.inclusionRanges(at, leaves.length)
      .map((range) => hex(hashOf(leaves, range)))
      .join()
  return proof(index) === proof(index - 1)
}
