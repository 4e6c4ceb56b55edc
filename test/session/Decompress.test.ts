import { gzipSync, zstdCompressSync } from "node:zlib"
import { it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import fc from "fast-check"
import { describe, expect } from "vitest"
import { decompress } from "../../src/session/Decompress.ts"
import { chunked, lengths } from "../support/Chunked.ts"
import { roomy } from "../support/Unpacked.ts"

const packed = {
  gzip: (bytes: Uint8Array) => gzipSync(bytes),
  zstd: (bytes: Uint8Array) => zstdCompressSync(bytes)
}

const streamOf = (bytes: Uint8Array, cuts: ReadonlyArray<number> = [65_536]) =>
  Stream.fromIterable(chunked(bytes, cuts))

const unpack = (encoding: "gzip" | "zstd", bytes: Uint8Array, cuts?: ReadonlyArray<number>, limits = roomy) =>
  decompress(streamOf(bytes, cuts), encoding, limits).pipe(
    Stream.runCollect,
    Effect.map((chunks) => Buffer.concat([...chunks]))
  )

const samples = fc.oneof(
  fc.uint8Array({ maxLength: 300 }),
  fc.string({ minLength: 1, maxLength: 8 }).map((text) => Buffer.from(text.repeat(20_000)))
)

describe.each(["gzip", "zstd"] as const)("decompress %s", (encoding) => {
  it.effect("gives back what was packed, in one member or several, however cut", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.array(samples, { minLength: 1, maxLength: 3 }), lengths, async (parts, cuts) => {
          const bytes = Buffer.concat(parts.map(packed[encoding]))
          expect((await Effect.runPromise(unpack(encoding, bytes, cuts))).equals(Buffer.concat(parts))).toBe(true)
        }),
        { numRuns: 100 }
      )
    )
  )

  it.effect("finds that the stream was cut off, wherever", () =>
    Effect.gen(function* () {
      const bytes = packed[encoding](Buffer.from(Array.from({ length: 3000 }, (_, index) => `${index * 7919}`).join()))
      for (let length = 0; length < bytes.length; length += 97) {
        expect(yield* Effect.flip(unpack(encoding, bytes.subarray(0, length), [1000]))).toMatchObject({
          _tag: "BrokenArchive"
        })
      }
      expect((yield* Effect.flip(unpack(encoding, bytes.subarray(0, -1))))._tag).toBe("BrokenArchive")
    })
  )

  it.effect("finds damage, what follows the end, and what is something else", () =>
    Effect.gen(function* () {
      const bytes = packed[encoding](Buffer.from("x".repeat(100)))
      for (const damaged of [
        Buffer.concat([bytes, Buffer.from("and more")]),
        Buffer.from("plain text, long enough"),
        Buffer.alloc(0)
      ]) {
        for (const cuts of [[1], [1000]])
          expect((yield* Effect.flip(unpack(encoding, damaged, cuts)))._tag).toBe("BrokenArchive")
      }
    })
  )

  it.effect("stops at a bomb and at the limit, before it is through", () =>
    Effect.gen(function* () {
      const bytes = packed[encoding](Buffer.alloc(200 * 1024 * 1024))
      let seen = 0
      const run = (max_bytes: number) =>
        decompress(streamOf(bytes), encoding, { max_bytes, max_entries: 1 }).pipe(
          Stream.runForEach((chunk) => Effect.sync(() => (seen += chunk.length))),
          Effect.flip
        )
      expect(yield* run(1024 ** 3)).toMatchObject({
        _tag: "ArchiveBomb",
        reason: "unpacks to more than 100 times its size"
      })
      expect(seen).toBeLessThan(65 * 1024 * 1024)
      expect(yield* run(1000)).toMatchObject({ _tag: "ArchiveBomb", reason: "unpacks to more than 1000 bytes" })
    })
  )

  it.effect("fails with the failure of its source", () =>
    Effect.gen(function* () {
      const bytes = packed[encoding](Buffer.from("x".repeat(100)))
      const source = Stream.concat(streamOf(bytes.subarray(0, 15)), Stream.fail("gone" as const))
      expect(yield* Effect.flip(Stream.runDrain(decompress(source, encoding, roomy)))).toBe("gone")
    })
  )

  it.effect("takes no more from its source than its reader asks for", () =>
    Effect.gen(function* () {
      let pulled = 0
      const chunk = packed[encoding](Buffer.alloc(100_000, "abc"))
      const source = Stream.repeatEffect(
        Effect.sync(() => {
          pulled++
          return chunk
        })
      )
      yield* Stream.runDrain(Stream.take(decompress(source, encoding, roomy), 20))
      expect(pulled).toBeLessThan(25)
    })
  )
})

it.effect("refuses a zstd window that would take more than 32 MiB", () =>
  Effect.gen(function* () {
    // Magic, descriptor of a frame of unknown size, a window of 2^27 bytes, an empty last block.
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (27 - 10) << 3, 0x01, 0x00, 0x00])
    expect((yield* Effect.flip(unpack("zstd", frame))).message).toMatch(/too much memory/)
  })
)

it.effect("reads zstd frames that are to be skipped", () =>
  Effect.gen(function* () {
    const skippable = Buffer.from([0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
    const bytes = Buffer.concat([skippable, zstdCompressSync("abc"), skippable])
    expect((yield* unpack("zstd", bytes, [1])).toString()).toBe("abc")
    expect((yield* Effect.flip(unpack("zstd", bytes.subarray(0, -1))))._tag).toBe("BrokenArchive")
  })
)
