import { gzipSync, zstdCompressSync } from "node:zlib"
import { describe, expect, it } from "vitest"
import { SNIFF_BYTES, sniffArchive } from "../../src/session/Archive.ts"
import { describeShared, sharedBytes } from "../support/SharedData.ts"
import { zipOf } from "../support/ZipBuilder.ts"

describe("sniffArchive", () => {
  it("knows archives by their first bytes", () => {
    const tar = Buffer.alloc(SNIFF_BYTES)
    tar.write("ustar", 257)
    expect(sniffArchive(zipOf([{ name: "a" }]))).toBe("zip")
    expect(sniffArchive(zipOf([]))).toBe("zip")
    expect(sniffArchive(gzipSync("a"))).toBe("gzip")
    expect(sniffArchive(zstdCompressSync("a"))).toBe("zstd")
    expect(sniffArchive(tar)).toBe("tar")
  })

  it.each(["", "P", "PK", '{"a":1}', "\u001f"])("takes %j for none", (text) => {
    expect(sniffArchive(Buffer.from(text))).toBeUndefined()
  })
})

describeShared("sniffArchive of a sample", () => {
  it("knows a zip", () => {
    expect(sniffArchive(sharedBytes("playwright-trace-1.37.zip"))).toBe("zip")
    expect(sniffArchive(sharedBytes("otlp-trace.json"))).toBeUndefined()
  })
})
