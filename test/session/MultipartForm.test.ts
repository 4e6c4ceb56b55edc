import { describe, expect, it } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import { type FormHandler, parser } from "../../src/session/MultipartForm.ts"
import { writeChunked } from "../support/Chunked.ts"

type Got = readonly [kind: "field" | "file", name: string, value: string, file_name?: string]

/** Collects what a form holds, in order. */
const collecting = () => {
  const got: Array<Got> = []
  const handler: FormHandler<never, never> = {
    isField: (name) => name === "metadata",
    field: (name, value) => Effect.sync(() => void got.push(["field", name, value])),
    file: (name, file_name) =>
      Effect.sync(() => {
        const chunks: Array<Buffer> = []
        return {
          write: (chunk) => Effect.sync(() => void chunks.push(Buffer.from(chunk))),
          end: Effect.sync(() => void got.push(["file", name, Buffer.concat(chunks).toString("latin1"), file_name]))
        }
      })
  }
  return { got, handler }
}

const parse = (content_type: string, body: Uint8Array, lengths?: ReadonlyArray<number>) => {
  const { got, handler } = collecting()
  const { write, end } = parser(content_type, handler)
  writeChunked({ write: (chunk) => Effect.runSync(Effect.asVoid(write(chunk))) }, body, lengths)
  Effect.runSync(end)
  return got
}

/** Why a form is refused. */
const refusal = (content_type: string, body: string | Uint8Array) => {
  const { handler } = collecting()
  const { write, end } = parser(content_type, handler)
  return Effect.runSync(Effect.flip(Effect.zipRight(write(Buffer.from(body)), end)))
}

interface Sent {
  readonly name: string
  readonly file_name: string | undefined
  readonly bytes: Uint8Array
}

const disposition = ({ name, file_name }: Omit<Sent, "bytes">) =>
  `Content-Disposition: form-data; name="${name}"${file_name === undefined ? "" : `; filename="${file_name}"`}\r\n`

const bodyOf = (boundary: string, parts: ReadonlyArray<Sent>): Buffer =>
  Buffer.concat([
    ...parts.flatMap(({ bytes, ...head }) => [
      Buffer.from(`--${boundary}\r\n${disposition(head)}\r\n`),
      bytes,
      Buffer.from("\r\n")
    ]),
    Buffer.from(`--${boundary}--\r\n`)
  ])

const one = (head: string, value = "v") => `--X\r\n${head}\r\n\r\n${value}\r\n--X--\r\n`
const TYPE = "multipart/form-data; boundary=X"

const name = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 12 })
  .filter((text) => text !== "metadata" && !/["\\\p{Cc}]/u.test(text))

/** Content that comes as close to a boundary as it can. */
const bytes = fc
  .array(fc.constantFrom("\r\n--bo", "\r\n--boX", "--bo--", "\r", "\n", "\r\n", "--", "-", "bo", "\r\n--b", "é", "a"), {
    maxLength: 12
  })
  .map((pieces) => Buffer.from(pieces.join("")))
  // What is a boundary cannot be content.
  .filter((content) => !/\r\n--bo(--|[ \t]*\r\n|[ \t]*$)/.test(`\r\n${content.toString()}\r\n`))

describe("a form", () => {
  it("comes out part by part as it went in, however it is cut", () => {
    const part = fc.record({ name, file_name: fc.option(name, { nil: undefined }), bytes })
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 4 }),
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 5 }),
        (parts, lengths) => {
          const expected = parts.map(
            (sent): Got =>
              sent.file_name === undefined
                ? ["field", sent.name, sent.bytes.toString("utf8")]
                : ["file", sent.name, sent.bytes.toString("latin1"), sent.file_name]
          )
          expect(parse("multipart/form-data; boundary=bo", bodyOf("bo", parts), lengths)).toEqual(expected)
        }
      ),
      { numRuns: 500 }
    )
  })

  it("is the same at every cut in two", () => {
    const body = bodyOf("bo", [
      { name: "suite_id", file_name: undefined, bytes: Buffer.from("1") },
      { name: "f", file_name: "ü 日本.png", bytes: Buffer.from("\r\n--b\r\n--bo-\r\n") }
    ])
    const whole = parse("multipart/form-data; boundary=bo", body)
    for (let at = 1; at < body.length; at++) {
      expect(parse("multipart/form-data; boundary=bo", body, [at, body.length])).toEqual(whole)
    }
  })

  it("may have text around it, white space after its boundaries and other header lines", () => {
    const body = `hello\r\n--X \t\r\nX-Other: 1\r\ncontent-disposition:form-data;name=a\r\n\r\nv\r\n--X--\r\nbye\r\n--X\r\n`
    expect(parse(TYPE, Buffer.from(body))).toEqual([["field", "a", "v"]])
  })

  it.each([
    ["quoted", 'multipart/form-data; boundary="X"'],
    ["after other parameters", "multipart/form-data; charset=utf-8; boundary=X"],
    ["in capitals", "Multipart/Form-Data; BOUNDARY=X"],
    ["before a stray semicolon", "multipart/form-data;boundary=X;"]
  ])("has a boundary that is named %s", (_, content_type) => {
    expect(parse(content_type, Buffer.from(one('Content-Disposition: form-data; name="a"')))).toHaveLength(1)
  })

  it("has a boundary that strictly needs quotes", () => {
    const body = one('Content-Disposition: form-data; name="a"').replaceAll("--X", "------=_Part_1:2/3")
    expect(parse("multipart/form-data; boundary=----=_Part_1:2/3", Buffer.from(body))).toEqual([["field", "a", "v"]])
  })

  it.each([
    ['name="a"; filename="x;y.png"', "x;y.png"],
    ['name="a"; filename="say \\"hi\\".png"', 'say "hi".png'],
    ['filename="日本語.png"; name="a"', "日本語.png"],
    ["name=a; filename=plain.png", "plain.png"],
    [`name="a"; filename="ascii.png"; filename*=UTF-8''%e2%82%ac.png`, "€.png"],
    [`name="a"; filename="ascii.png"; filename*=UTF-8''%zz`, "ascii.png"],
    ['name="a"; filename=""', ""]
  ])("has a file name that is read from %s", (parameters, file_name) => {
    expect(parse(TYPE, Buffer.from(one(`Content-Disposition: form-data; ${parameters}`)))).toEqual([
      ["file", "a", "v", file_name]
    ])
  })

  it("has a field where the name is a field's, even with a file name", () => {
    const head = 'Content-Disposition: form-data; name="metadata"; filename="blob"\r\nContent-Type: application/json'
    expect(parse(TYPE, Buffer.from(one(head, "{}")))).toEqual([["field", "metadata", "{}"]])
  })
})

describe("a form is refused", () => {
  it.each([
    ["without a boundary", "multipart/form-data", "", "Content-Type names no boundary"],
    ["with another boundary", TYPE, "--Y\r\n\r\n\r\n--Y--", "the form's boundary never came"],
    ["when nothing came", TYPE, "", "the form's boundary never came"],
    ["cut off in a part's headers", TYPE, "--X\r\nContent-Dis", "the form ends in the middle of a part"],
    [
      "cut off in a part",
      TYPE,
      '--X\r\nContent-Disposition: form-data; name="a"\r\n\r\nv\r\n--X',
      "the form ends in the middle of a part"
    ],
    ["with a part without headers", TYPE, "--X\r\n\r\nv\r\n--X--", "a part has no Content-Disposition"],
    ["with a part without a name", TYPE, one("Content-Disposition: form-data"), "a part has no Content-Disposition"],
    [
      "with a part of two names",
      TYPE,
      one('Content-Disposition: form-data; name="a"; name="b"'),
      "a part has no Content-Disposition that names it once"
    ],
    [
      "with a part of two dispositions",
      TYPE,
      one('Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"'),
      "a part has no Content-Disposition that names it once"
    ],
    ["with endless headers", TYPE, `--X\r\nA: ${"b".repeat(17_000)}`, "a part's headers are longer than"],
    ["with much before its boundary", TYPE, "b".repeat(70_000), "boundary did not come within 65536 bytes"]
  ])("%s", (_, content_type, body, reason) => {
    const error = refusal(content_type, body)
    expect(error._tag).toBe("BadRequest")
    expect(error.message).toContain(reason)
  })

  it("with headers or a field that are not UTF-8", () => {
    const latin1 = (text: string) => refusal(TYPE, Buffer.from(text, "latin1")).message
    expect(latin1(one('Content-Disposition: form-data; name="ü"'))).toBe("a part's headers are not UTF-8")
    expect(latin1(one('Content-Disposition: form-data; name="a"', "ü"))).toBe('the field "a" is not UTF-8')
  })

  it("with a field that is longer than a field may be", () => {
    const error = refusal(TYPE, one('Content-Disposition: form-data; name="a"', "v".repeat(200_000)))
    expect(error).toMatchObject({ _tag: "PayloadTooLarge", limit: 131_072 })
    expect(error.message).toContain('"a"')
  })
})
