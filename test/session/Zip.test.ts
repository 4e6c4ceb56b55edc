import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { deflateRawSync } from "node:zlib"
import { it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import fc from "fast-check"
import { afterAll, describe, expect } from "vitest"
import type { ArchiveLimits } from "../../src/session/Archive.ts"
import { isPlaywrightTrace } from "../../src/session/Format.ts"
import { expandZip } from "../../src/session/Zip.ts"
import { zipEntries } from "../../src/session/ZipDirectory.ts"
import { describeShared, sharedFile } from "../support/SharedData.ts"
import { collector, counter, roomy } from "../support/Unpacked.ts"
import { type ZipPart, zipOf } from "../support/ZipBuilder.ts"

const folder = mkdtempSync(join(tmpdir(), "tracepipe-zip-"))
afterAll(() => rmSync(folder, { recursive: true }))

let count = 0
const spool = (bytes: Uint8Array): string => {
  const path = join(folder, `${count++}.zip`)
  writeFileSync(path, bytes)
  return path
}

const unpack = (bytes: Uint8Array, limits: ArchiveLimits = roomy) => {
  const { files, hints, onEntry } = collector()
  return expandZip(spool(bytes), limits, onEntry).pipe(Effect.as({ files, hints }))
}

const refused = (parts: ReadonlyArray<ZipPart>, limits?: ArchiveLimits) =>
  Effect.map(Effect.flip(unpack(zipOf(parts), limits)), (error) => ({ tag: error._tag, message: error.message }))

describe("expandZip", () => {
  it.effect("gives the files, stored and deflated, with their sizes", () =>
    Effect.gen(function* () {
      const big = "0123456789".repeat(100_000)
      const zip = zipOf([
        { name: "a.txt", content: "a" },
        { name: "b/", mode: 0o040755 },
        { name: "b/c", content: big },
        { name: "b/d", content: big, stored: true },
        { name: "é" }
      ])
      const { files, hints } = yield* unpack(zip)
      expect(files).toEqual({ "a.txt": "a", "b/c": big, "b/d": big, é: "" })
      expect(hints).toEqual({ "a.txt": 1, "b/c": big.length, "b/d": big.length, é: 0 })
    })
  )

  it.effect("takes off the one folder around everything, and leaves out what macOS adds", () =>
    Effect.gen(function* () {
      const litter = ["__MACOSX/run/._a", "run/.DS_Store", "run/._a"].map((name) => ({ name }))
      expect(
        (yield* unpack(zipOf([{ name: "run/" }, ...litter, { name: "run/a" }, { name: "run/b/c" }]))).files
      ).toEqual({ a: "", "b/c": "" })
      expect((yield* unpack(zipOf([{ name: "run/a" }, { name: "running" }]))).files).toEqual({
        "run/a": "",
        running: ""
      })
      expect((yield* unpack(zipOf([{ name: "screenshots/1.png" }]))).files).toEqual({ "screenshots/1.png": "" })
      expect((yield* unpack(zipOf([]))).files).toEqual({})
    })
  )

  it.effect.each<readonly [string, ZipPart, string]>([
    ["a path upwards", { name: "a/../../b" }, 'the path has a ".." segment'],
    ["an absolute path", { name: "/etc/passwd" }, "the path is absolute"],
    ["a drive", { name: "C:\\x" }, "the path is absolute"],
    ["a backslash", { name: "a\\b" }, "the path holds a backslash; folders are separated by /"],
    ["a NUL in the name", { name: "a\0.png" }, "the path holds a control character"],
    ["no name", { name: "" }, "the path is empty"],
    ["a folder upwards", { name: "../" }, 'the path has a ".." segment'],
    ["a symbolic link", { name: "link", content: "/etc/passwd", mode: 0o120777 }, "it is a link"],
    ["a device", { name: "null", mode: 0o020666 }, "it is a device"],
    ["a socket", { name: "socket", mode: 0o140666 }, "it is of a kind that is not known"],
    ["an encrypted file", { name: "secret", content: "x".repeat(20), flags: 1 }, "it is encrypted"],
    ["another compression", { name: "lzma", method: 14 }, "its compression method 14 is not supported"]
  ])("refuses %s, by its name", ([, part, reason]) =>
    Effect.gen(function* () {
      expect(yield* refused([{ name: "ok" }, part])).toEqual({
        tag: "RefusedEntry",
        message: `the archive's entry ${JSON.stringify(part.name)} is refused: ${reason}`
      })
    })
  )

  it.effect("refuses two entries of one path, also in two spellings", () =>
    Effect.gen(function* () {
      expect((yield* refused([{ name: "\u00e9" }, { name: "e\u0301" }])).message).toMatch(
        /another entry has the same path$/
      )
    })
  )

  it.effect.each<readonly [string, ZipPart, string]>([
    [
      "a wrong checksum",
      { name: "a", content: "abc", lies: { crc32: 1 } },
      'the entry "a" does not match its checksum'
    ],
    ["more than declared", { name: "a", content: "abc", lies: { size: 2 } }, 'the entry "a" is longer than it says'],
    ["less than declared", { name: "a", content: "abc", lies: { size: 4 } }, 'the entry "a" is shorter than it says'],
    [
      "compressed data that ends early",
      {
        name: "a",
        content: Buffer.concat([deflateRawSync("abc"), Buffer.alloc(9)]),
        stored: true,
        method: 8,
        lies: { size: 99_999 }
      },
      'the entry "a" is shorter than it says'
    ],
    [
      "a stored size that differs",
      { name: "a", content: "abc", stored: true, lies: { size: 2 } },
      "compressed/uncompressed size mismatch for stored file: 3 != 2"
    ],
    ["an entry elsewhere", { name: "a", content: "abc", lies: { offset: 7 } }, 'the entry "a" has no header'],
    [
      "an entry beyond the end",
      { name: "a", content: "abc", stored: true, lies: { packed: 9999, size: 9999 } },
      'the entry "a" lies beyond the end of the file'
    ]
  ])("finds %s", ([, part, reason]) =>
    Effect.gen(function* () {
      expect(yield* refused([part])).toEqual({ tag: "BrokenArchive", message: `the archive is broken: ${reason}` })
    })
  )

  it.effect("stops at a bomb before it is through, and gives it in small chunks", () =>
    Effect.gen(function* () {
      const zeros = Buffer.alloc(200 * 1024 * 1024)
      const { seen, onEntry } = counter()
      const error = yield* Effect.flip(expandZip(spool(zipOf([{ name: "zeros", content: zeros }])), roomy, onEntry))
      expect(error).toMatchObject({ _tag: "ArchiveBomb", reason: "unpacks to more than 100 times its size" })
      expect(seen.bytes).toBeLessThan(65 * 1024 * 1024)
      expect(seen.most).toBeLessThanOrEqual(128 * 1024)
    })
  )

  it.effect("stops at an archive that declares too much or too many, before anything is unpacked", () =>
    Effect.gen(function* () {
      const parts = Array.from({ length: 11 }, (_, index) => ({ name: `${index}`, content: "x".repeat(100) }))
      expect((yield* refused(parts, { max_bytes: 1099, max_entries: 11 })).message).toBe(
        "the archive unpacks to more than 1099 bytes"
      )
      expect((yield* refused(parts, { max_bytes: 1100, max_entries: 10 })).message).toBe(
        "the archive holds more than 10 entries"
      )
      expect(Object.keys((yield* unpack(zipOf(parts), { max_bytes: 1100, max_entries: 11 })).files).length).toBe(11)
    })
  )

  it.effect("refuses entries that share bytes", () =>
    Effect.gen(function* () {
      const content = Buffer.alloc(100_000)
      const parts = Array.from({ length: 500 }, (_, index) => ({
        name: `${index}`.padStart(3, "0"),
        content,
        lies: { offset: 0 }
      }))
      expect(yield* refused(parts)).toEqual({
        tag: "BrokenArchive",
        message: 'the archive is broken: the entry "001" overlaps another'
      })
    })
  )

  it.effect("finds that an archive was cut off, wherever", () =>
    Effect.gen(function* () {
      const zip = zipOf([
        { name: "a", content: "abc" },
        { name: "b", content: "def".repeat(50) }
      ])
      for (let length = 0; length < zip.length; length += 7) {
        expect((yield* Effect.flip(unpack(zip.subarray(0, length))))._tag).toBe("BrokenArchive")
      }
    })
  )

  it.effect("never crashes on a damaged archive", () =>
    Effect.promise(() => {
      const zip = zipOf([
        { name: "run/a", content: "abc".repeat(30) },
        { name: "run/b", content: "def", stored: true }
      ])
      const damage = fc.array(fc.tuple(fc.nat(zip.length - 1), fc.nat(255)), { minLength: 1, maxLength: 3 })
      return fc.assert(
        fc.asyncProperty(damage, async (changes) => {
          const bytes = Buffer.from(zip)
          for (const [at, byte] of changes) bytes[at] = byte
          const exit = await Effect.runPromiseExit(unpack(bytes))
          expect(Exit.isSuccess(exit) || Cause.isFailure(exit.cause)).toBe(true)
        }),
        { numRuns: 400 }
      )
    })
  )

  it.effect("survives 64-bit offsets and counts that no file has", () =>
    Effect.gen(function* () {
      const zip64 = (locator: bigint, directory: bigint, entries: bigint) => {
        const bytes = Buffer.alloc(56 + 20 + 22)
        bytes.writeUInt32LE(0x06064b50, 0)
        bytes.writeBigUInt64LE(entries, 32)
        bytes.writeBigUInt64LE(directory, 48)
        bytes.writeUInt32LE(0x07064b50, 56)
        bytes.writeBigUInt64LE(locator, 64)
        bytes.writeUInt32LE(0x06054b50, 76)
        return bytes
      }
      for (const huge of [2n ** 32n, 2n ** 53n + 2n, 2n ** 63n, 2n ** 64n - 1n]) {
        expect((yield* Effect.flip(unpack(zip64(huge, 0n, 1n))))._tag).toBe("BrokenArchive")
        expect((yield* Effect.flip(unpack(zip64(0n, huge, 1n))))._tag).toBe("BrokenArchive")
        expect((yield* Effect.flip(unpack(zip64(0n, 0n, huge))))._tag).toBe("ArchiveBomb")
      }
    })
  )

  it.effect("goes at the pace of the sink and fails with its failure", () =>
    Effect.gen(function* () {
      const file = spool(zipOf([{ name: "a", content: Buffer.alloc(1024 * 1024, "xy") }, { name: "b" }]))
      const opened: Array<string> = []
      const error = yield* Effect.flip(
        expandZip(file, roomy, (path) => {
          opened.push(path)
          return Effect.succeed({ write: () => Effect.fail("full" as const), end: Effect.die("not reached") })
        })
      )
      expect(error).toBe("full")
      expect(opened).toEqual(["a"])
    })
  )

  it.effect("takes a file that is not there for our own defect", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(zipEntries(join(folder, "none.zip"), roomy))
      expect(Exit.isFailure(exit) && Cause.isDie(exit.cause)).toBe(true)
    })
  )
})

describeShared("the Playwright sample", () => {
  it.effect("unpacks to a trace", () =>
    Effect.gen(function* () {
      const { files, onEntry } = collector()
      yield* expandZip(sharedFile("playwright-trace-1.37.zip"), roomy, onEntry)
      expect(Object.keys(files).length).toBe(9)
      expect(isPlaywrightTrace(Object.keys(files))).toBe(true)
      expect(files["0-trace.trace"]?.length).toBe(12305)
    })
  )
})
