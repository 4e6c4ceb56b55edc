import { it } from "@effect/vitest"
import { Cause, Effect, Exit, Stream } from "effect"
import fc from "fast-check"
import { type Header, pack } from "tar-stream"
import { describe, expect } from "vitest"
import type { ArchiveLimits } from "../../src/session/Archive.ts"
import { expandTar } from "../../src/session/Tar.ts"
import { chunked } from "../support/Chunked.ts"
import { collector, counter, roomy } from "../support/Unpacked.ts"

type Part = Partial<Header> & Pick<Header, "name"> & { readonly content?: string }

const tarOf = (parts: ReadonlyArray<Part>): Effect.Effect<Buffer> =>
  Effect.promise(async () => {
    const tar = pack()
    for (const { content, ...header } of parts) tar.entry(header, content ?? "")
    tar.finalize()
    const chunks: Array<Buffer> = []
    for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array))
    return Buffer.concat(chunks)
  })

const streamOf = (bytes: Uint8Array, lengths: ReadonlyArray<number> = [65_536]) =>
  Stream.fromIterable(chunked(bytes, lengths))

const unpack = (parts: ReadonlyArray<Part>, limits: ArchiveLimits = roomy, lengths?: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    const { files, onEntry } = collector()
    yield* expandTar(streamOf(yield* tarOf(parts), lengths), limits, onEntry)
    return files
  })

const folder = (name: string): Part => ({ name, type: "directory" })

describe("expandTar", () => {
  it.effect("gives the files, however the stream is cut", () =>
    Effect.gen(function* () {
      const content = "0123456789".repeat(10_000)
      const long = `${"long/".repeat(40)}name`
      const parts = [
        { name: "a", content: "a" },
        folder("b/"),
        { name: "b/c", content },
        { name: "é" },
        { name: long, content }
      ]
      for (const lengths of [[1_000_000], [512], [7, 1000], [100_000, 1]]) {
        expect(yield* unpack(parts, roomy, lengths)).toEqual({ a: "a", "b/c": content, é: "", [long]: content })
      }
    })
  )

  it.effect.each<readonly [string, ReadonlyArray<Part>, ReadonlyArray<string>]>([
    [
      "takes off the folder that comes first",
      [folder("run/"), { name: "run/a" }, folder("run/b/"), { name: "run/b/c" }],
      ["a", "b/c"]
    ],
    ["keeps what lies outside of it", [folder("run/"), { name: "run/a" }, { name: "b" }], ["a", "b"]],
    ["takes off no folder without an entry of its own", [{ name: "run/a" }, { name: "run/b" }], ["run/a", "run/b"]],
    ["takes off no folder that comes later", [{ name: "a" }, folder("run/"), { name: "run/b" }], ["a", "run/b"]],
    [
      "takes off no folder that means something",
      [folder("screenshots/"), { name: "screenshots/1.png" }],
      ["screenshots/1.png"]
    ],
    ["reads ./ as nothing", [folder("./"), { name: "./a" }, folder("./b/"), { name: "./b/c" }], ["a", "b/c"]],
    [
      "leaves out what macOS adds",
      [{ name: "._a" }, { name: "a" }, { name: "b/.DS_Store", content: "x" }, { name: "__MACOSX/a" }],
      ["a"]
    ]
  ])("%s", ([, parts, paths]) =>
    Effect.gen(function* () {
      expect(Object.keys(yield* unpack(parts))).toEqual(paths)
    })
  )

  it.effect.each<readonly [string, Part, string]>([
    ["a symbolic link", { name: "link", type: "symlink", linkname: "/etc/passwd" }, "it is a link"],
    ["a hard link", { name: "link", type: "link", linkname: "ok" }, "it is a link"],
    ["a device", { name: "null", type: "character-device" }, "it is a device"],
    ["a pipe", { name: "pipe", type: "fifo" }, "it is a device"],
    ["a path upwards", { name: "../b" }, 'the path has a ".." segment'],
    ["an absolute path", { name: "/etc/passwd" }, "the path is absolute"],
    ["a path twice", { name: "./ok" }, "another entry has the same path"]
  ])("refuses %s, by its name", ([, part, reason]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(unpack([{ name: "ok" }, part]))
      expect(error).toMatchObject({ _tag: "RefusedEntry", reason })
    })
  )

  it.effect("stops at its limits", () =>
    Effect.gen(function* () {
      const parts = Array.from({ length: 11 }, (_, index) => ({ name: `${index}`, content: "x".repeat(100) }))
      expect((yield* Effect.flip(unpack(parts, { max_bytes: 1099, max_entries: 11 }))).message).toBe(
        "the archive unpacks to more than 1099 bytes"
      )
      expect((yield* Effect.flip(unpack(parts, { max_bytes: 1100, max_entries: 10 }))).message).toBe(
        "the archive holds more than 10 entries"
      )
      expect(Object.keys(yield* unpack(parts, { max_bytes: 1100, max_entries: 11 })).length).toBe(11)
    })
  )

  it.effect("unpacks a large file that is not compressed, without holding it", () =>
    Effect.gen(function* () {
      const size = 80 * 1024 * 1024
      const tar = yield* tarOf([{ name: "big", content: "x".repeat(size) }])
      const { seen, onEntry } = counter()
      yield* expandTar(streamOf(tar, [65_536]), roomy, onEntry)
      expect(seen).toEqual({ bytes: size, most: 65_536 })
    })
  )

  it.effect("finds that a stream was cut off, wherever, and what is no tar", () =>
    Effect.gen(function* () {
      const tar = yield* tarOf([
        { name: "a", content: "abc" },
        { name: "b", content: "def".repeat(300) }
      ])
      for (const bytes of [
        ...[0, 1, 300, 512, 700, 1024, 1100, 2000, 2560].map((length) => tar.subarray(0, length)),
        Buffer.alloc(2048, "x")
      ]) {
        const exit = yield* Effect.flip(expandTar(streamOf(bytes, [100]), roomy, collector().onEntry))
        expect(exit._tag).toBe("BrokenArchive")
      }
    })
  )

  it.effect("never crashes on a damaged stream", () =>
    Effect.gen(function* () {
      const tar = yield* tarOf([
        folder("run/"),
        { name: "run/a", content: "abc".repeat(30) },
        { name: "é".repeat(60), content: "x" }
      ])
      const damage = fc.array(fc.tuple(fc.nat(tar.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(damage, async (changes) => {
            const bytes = Buffer.from(tar)
            for (const [at, byte] of changes) bytes[at] = byte
            const exit = await Effect.runPromiseExit(expandTar(streamOf(bytes, [600]), roomy, collector().onEntry))
            expect(Exit.isSuccess(exit) || Cause.isFailure(exit.cause)).toBe(true)
          }),
          { numRuns: 400 }
        )
      )
    })
  )

  it.effect("fails with the failure of its source, and of its sink", () =>
    Effect.gen(function* () {
      const tar = yield* tarOf([{ name: "a", content: "x".repeat(1_000_000) }])
      const gone = Stream.concat(streamOf(tar.subarray(0, 5000)), Stream.fail("gone" as const))
      expect(yield* Effect.flip(expandTar(gone, roomy, collector().onEntry))).toBe("gone")
      const full = () => Effect.succeed({ write: () => Effect.fail("full" as const), end: Effect.void })
      expect(yield* Effect.flip(expandTar(streamOf(tar), roomy, full))).toBe("full")
    })
  )

  it.effect("takes no more from its source than the sink lets through", () =>
    Effect.gen(function* () {
      const tar = yield* tarOf([{ name: "a", content: "x".repeat(4_000_000) }])
      let pulled = 0
      let written = 0
      let lead = 0
      const source = Stream.tap(streamOf(tar, [65_536]), (chunk) => Effect.sync(() => (pulled += chunk.length)))
      const slow = () =>
        Effect.succeed({
          write: (chunk: Uint8Array) =>
            Effect.gen(function* () {
              // The source gets every chance to run ahead.
              for (let turn = 0; turn < 100; turn++) yield* Effect.promise(() => new Promise(setImmediate))
              lead = Math.max(lead, pulled - written)
              written += chunk.length
            }),
          end: Effect.void
        })
      yield* expandTar(source, roomy, slow)
      expect(written).toBe(4_000_000)
      expect(lead).toBeLessThan(300_000)
    })
  )
})
