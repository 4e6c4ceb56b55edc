import { Either } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { baseName, bundlePath, contentTypeOf, extensionOf, MAX_PATH_BYTES } from "../../src/session/BundlePath.ts"

describe("bundlePath", () => {
  it.each(["a.json", "screenshots/1.png", ".hidden", "a b/c d.txt", "..a/b..", "日本語/é.jsonl", "😀.png"])(
    "takes %s",
    (path) => {
      expect(bundlePath(path)).toEqual(Either.right(path.normalize("NFC")))
    }
  )

  it.each([
    ["", "the path is empty"],
    ["/etc/passwd", "the path is absolute"],
    ["\\\\server\\share", "the path is absolute"],
    ["C:\\windows", "the path is absolute"],
    ["c:/windows", "the path is absolute"],
    ["..", 'the path has a ".." segment'],
    ["../up", 'the path has a ".." segment'],
    ["a/../../b", 'the path has a ".." segment'],
    ["./a", 'the path has a "." segment'],
    ["a/./b", 'the path has a "." segment'],
    ["a//b", "the path has an empty segment"],
    ["a/", "the path ends in a slash"],
    ["/", "the path is absolute"],
    ["a\\b", "the path holds a backslash; folders are separated by /"],
    ["a\0.png", "the path holds a control character"],
    ["a\nb", "the path holds a control character"],
    ["a\u0085b", "the path holds a control character"],
    ["a\ud800", "the path is not valid Unicode"],
    ["é".repeat(128), "a segment of the path is longer than 255 bytes"],
    ["abc/".repeat(300), "the path ends in a slash"],
    [`${"abc/".repeat(225)}d`, "the path is longer than 900 bytes"]
  ])("refuses %j", (path, reason) => {
    expect(bundlePath(path)).toEqual(Either.left(reason))
  })

  it("makes one path of two spellings of a letter", () => {
    expect(bundlePath("e\u0301.png")).toEqual(bundlePath("\u00e9.png"))
  })

  it("gives for any string a path that stays inside and is accepted again, or a reason", () => {
    const names = fc.oneof(
      fc.string({ unit: "binary" }),
      fc
        .array(fc.constantFrom("..", ".", "a", "/", "\\", "C:", "\0", "\ud800", "e\u0301", " "), { maxLength: 8 })
        .map((parts) => parts.join(""))
    )
    fc.assert(
      fc.property(names, (raw) => {
        const path = bundlePath(raw)
        if (Either.isLeft(path)) {
          expect(path.left).not.toBe("")
          return
        }
        expect(bundlePath(path.right)).toEqual(path)
        expect(new URL(path.right.split("/").map(encodeURIComponent).join("/"), "file:///base/").pathname).toMatch(
          /^\/base\/./
        )
        expect(Buffer.byteLength(path.right)).toBeLessThanOrEqual(MAX_PATH_BYTES)
      }),
      { numRuns: 2000 }
    )
  })
})

describe("the parts of a path", () => {
  it("are its last segment and that one's ending", () => {
    expect(baseName("a/b.c/d.tar.gz")).toBe("d.tar.gz")
    expect(extensionOf("a/b.c/D.TAR.GZ")).toBe("gz")
    expect(extensionOf("a.b/c")).toBe("")
    expect(extensionOf(".gitignore")).toBe("")
  })

  it.each([
    ["a.json", "application/json"],
    ["a.JSONL", "application/x-ndjson"],
    ["a.har", "application/json"],
    ["a.png", "image/png"],
    ["a.zst", "application/zstd"],
    ["a.exe", "application/octet-stream"],
    ["json", "application/octet-stream"]
  ])("tell the content type of %s", (path, type) => {
    expect(contentTypeOf(path)).toBe(type)
  })
})
