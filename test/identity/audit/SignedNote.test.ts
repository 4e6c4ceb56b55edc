import { describe, expect, it } from "@effect/vitest"
import fc from "fast-check"
import * as Checkpoint from "../../../src/identity/audit/Checkpoint.ts"
import * as SignedNote from "../../../src/identity/audit/SignedNote.ts"

/** The example of the format's first implementation. */
const peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
const example = `If you think cryptography is the answer to your problem,
then you don't know what your problem is.

— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
`

const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })
const name = "tracepipe/audit/x"

describe("a signed note", () => {
  it("of another implementation is verified", () => {
    const verifier = SignedNote.verifier(peter)!
    expect(SignedNote.isSignedBy(example, verifier)).toBe(true)
    expect(SignedNote.isSignedBy(example.replace("answer", "Answer"), verifier)).toBe(false)
  })

  it("is verified by the key that signed it, and by no other; one changed byte of the text undoes it", () => {
    fc.assert(
      fc.property(seed, seed, fc.nat(), (mine, theirs, size) => {
        const checkpoint = { origin: name, size, root: mine }
        const signer = SignedNote.signer(name, mine)
        const note = SignedNote.sign(Checkpoint.toText(checkpoint), signer)
        const verifier = SignedNote.verifier(signer.verifier)!
        expect(SignedNote.isSignedBy(note, verifier)).toBe(true)
        expect(SignedNote.isSignedBy(note.replace(`\n${size}\n`, `\n${size + 1}\n`), verifier)).toBe(false)
        const other = SignedNote.verifier(SignedNote.signer(name, theirs).verifier)!
        expect(SignedNote.isSignedBy(note, other)).toBe(Buffer.from(mine).equals(theirs))
        const renamed = SignedNote.verifier(SignedNote.signer("another", mine).verifier)!
        expect(SignedNote.isSignedBy(note, renamed)).toBe(false)
        expect(Checkpoint.fromNote(note)).toEqual(checkpoint)
      }),
      { numRuns: 50 }
    )
  })

  it.each([
    "",
    "PeterNeumann",
    peter.replace("c74f20a3", "c74f20a4"),
    peter.replace("PeterNeumann", "Peter"),
    "x+00000000+AA=="
  ])("has no verifier in %j", (text) => {
    expect(SignedNote.verifier(text)).toBeUndefined()
  })

  it.each(["", "a\n1\nAAAA\n\n— x y\n", "a\n-1\n", "no note at all"])("has no checkpoint in %j", (text) => {
    expect(Checkpoint.fromNote(text)).toBeUndefined()
    expect(SignedNote.isSignedBy(text, SignedNote.verifier(peter)!)).toBe(false)
  })
})
