import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { request, TestServer } from "../support/TestServer.ts"
import { chat, formOf, newSuite, send, sha256 } from "../support/Uploading.ts"

const odd = [
  "naïve ☃.txt",
  "100%.txt",
  "a;b=c.txt",
  "it's (fine)*.txt",
  "filename=evil.html",
  "deep/er/Grüße, Welt.txt"
]

const markup = "<script>alert(1)</script>"

/** One session with a chat, an empty file, a page of markup, and files of odd names. */
class Recording extends Context.Tag("test/Recording")<Recording, { readonly path: (file: string) => string }>() {
  static readonly layer = Layer.effect(
    Recording,
    Effect.gen(function* () {
      const server = yield* TestServer
      const body = formOf([
        ["suite_id", yield* newSuite(server)],
        ["file", chat, "chat.jsonl"],
        ["file", "", "empty.txt"],
        ["file", markup, "page.html"],
        ...odd.map((name) => ["file", name, name] as const)
      ])
      const { status, json } = yield* send(server, { body })
      expect(status, JSON.stringify(json)).toBe(201)
      return { path: (file: string) => `/v1/sessions/${json["id"]}/files/content?path=${encodeURIComponent(file)}` }
    })
  ).pipe(Layer.provideMerge(TestServer.layer()))
}

const get = (file: string, headers: Readonly<Record<string, string>> = {}, method = "GET") =>
  Effect.gen(function* () {
    const { path } = yield* Recording
    const response = yield* request(path(file), { method, headers })
    const text = yield* Effect.promise(() => response.text())
    return { status: response.status, headers: response.headers, text }
  })

const size = chat.length
const etag = `"${sha256(Buffer.from(chat))}"`

layer(Recording.layer)("a file of a session", (it) => {
  it.effect("comes whole, with what describes it", () =>
    Effect.gen(function* () {
      const { status, headers, text } = yield* get("chat.jsonl")
      expect([status, text]).toEqual([200, chat])
      expect(Object.fromEntries(headers)).toMatchObject({
        "content-type": "application/x-ndjson",
        "accept-ranges": "bytes",
        "cache-control": "private, no-cache",
        etag
      })
      expect(headers.get("content-range")).toBeNull()
    })
  )

  it.effect("comes in part: from a byte, to a byte, or its end", () =>
    Effect.gen(function* () {
      for (const [range, first, last] of [
        ["bytes=0-0", 0, 0],
        ["bytes=0-9", 0, 9],
        ["bytes=5-20", 5, 20],
        [`bytes=5-${size + 1000}`, 5, size - 1],
        ["bytes=7-", 7, size - 1],
        [`bytes=${size - 1}-`, size - 1, size - 1],
        ["bytes=-5", size - 5, size - 1],
        [`bytes=-${size + 1000}`, 0, size - 1],
        ["bytes=0-99999999999999999999999", 0, size - 1]
      ] as const) {
        const { status, headers, text } = yield* get("chat.jsonl", { range })
        expect(status, range).toBe(206)
        expect(text, range).toBe(chat.slice(first, last + 1))
        expect(headers.get("content-range"), range).toBe(`bytes ${first}-${last}/${size}`)
        expect(headers.get("etag")).toBe(etag)
      }
    })
  )

  it.effect("comes whole where the range is of no kind that is served", () =>
    Effect.gen(function* () {
      for (const range of [
        "bytes=9-5",
        "bytes=a-b",
        "bytes=-",
        "bytes=",
        "lines=1-2",
        "bytes=0-1,4-5",
        "0-5",
        "bytes 0-5"
      ]) {
        const { status, headers, text } = yield* get("chat.jsonl", { range })
        expect([status, text], range).toEqual([200, chat])
        expect(headers.get("content-range"), range).toBeNull()
      }
    })
  )

  it.effect("has nothing beyond its end, and says where that is", () =>
    Effect.gen(function* () {
      for (const [file, range, length] of [
        ["chat.jsonl", `bytes=${size}-`, size],
        ["chat.jsonl", "bytes=99999999-", size],
        ["chat.jsonl", "bytes=-0", size],
        ["empty.txt", "bytes=0-0", 0],
        ["empty.txt", "bytes=-1", 0]
      ] as const) {
        const { status, headers, text } = yield* get(file, { range })
        expect(status, `${file} ${range}`).toBe(416)
        expect(headers.get("content-range")).toBe(`bytes */${length}`)
        expect(JSON.parse(text)).toMatchObject({ code: "range_not_satisfiable", size_bytes: length })
      }
    })
  )

  it.effect("comes in part only while it is the one that If-Range names", () =>
    Effect.gen(function* () {
      const range = "bytes=0-3"
      expect((yield* get("chat.jsonl", { range, "if-range": etag })).status).toBe(206)
      for (const other of ['"other"', `W/${etag}`, "Sat, 01 Jan 2050 00:00:00 GMT", ""]) {
        expect((yield* get("chat.jsonl", { range, "if-range": other })).status, other).toBe(200)
      }
    })
  )

  it.effect("is not sent to who has it", () =>
    Effect.gen(function* () {
      for (const known of [etag, `W/${etag}`, `"a", ${etag}`, ` ${etag} `, "*"]) {
        const { status, headers, text } = yield* get("chat.jsonl", { "if-none-match": known, range: "bytes=0-1" })
        expect([status, text], known).toEqual([304, ""])
        expect(headers.get("etag")).toBe(etag)
      }
      for (const other of ['"other"', etag.slice(1, -1), ""]) {
        expect((yield* get("chat.jsonl", { "if-none-match": other })).status, other).toBe(200)
      }
    })
  )

  it.effect("is described to HEAD without a byte of it, whatever the range", () =>
    Effect.gen(function* () {
      for (const headers of [{}, { range: "bytes=0-3" }, { range: "bytes=9999-" }]) {
        const answer = yield* get("chat.jsonl", headers, "HEAD")
        expect([answer.status, answer.text]).toEqual([200, ""])
        expect(answer.headers.get("content-length")).toBe(String(size))
        expect(answer.headers.get("content-type")).toBe("application/x-ndjson")
        expect(answer.headers.get("etag")).toBe(etag)
      }
      expect((yield* get("chat.jsonl", { "if-none-match": etag }, "HEAD")).status).toBe(304)
      expect((yield* get("nothing", {}, "HEAD")).status).toBe(404)
    })
  )

  it.effect("that is empty comes empty", () =>
    Effect.gen(function* () {
      const { status, headers, text } = yield* get("empty.txt")
      expect([status, text]).toEqual([200, ""])
      expect(headers.get("content-length")).toBe("0")
      expect(headers.get("content-type")).toBe("text/plain")
    })
  )

  it.effect("that a browser could run is handed over to be saved", () =>
    Effect.gen(function* () {
      const { headers, text } = yield* get("page.html")
      expect(text).toBe(markup)
      expect(headers.get("content-disposition")).toMatch(/^attachment; /)
      expect(headers.get("x-content-type-options")).toBe("nosniff")
      expect(headers.get("content-security-policy")).toMatch(/default-src 'none'/)
    })
  )

  it.effect("keeps its name, however odd, in a header that cannot be broken out of", () =>
    Effect.gen(function* () {
      for (const name of odd) {
        const { status, headers, text } = yield* get(name)
        expect([status, text], name).toEqual([200, name])
        const disposition = String(headers.get("content-disposition"))
        const parts =
          /^attachment; filename="([\x20-\x21\x23-\x5b\x5d-\x7e]*)"; filename\*=UTF-8''([\w.!#$&+^`|~%-]*)$/.exec(
            disposition
          )
        expect(parts, disposition).not.toBeNull()
        const last = name.split("/").at(-1) ?? ""
        expect(decodeURIComponent(parts?.[2] ?? "")).toBe(last)
        expect(parts?.[1]?.length).toBe(last.length)
      }
    })
  )

  it.effect("whose name holds a quotation mark is named without it where that would end the name", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const name = 'say "hi"; x=.jsonl'
      const query = { suite_id: yield* newSuite(server), file_name: name }
      const { json } = yield* send(server, { query, body: chat })
      const response = yield* request(`/v1/sessions/${json["id"]}/files/${encodeURIComponent(name)}`)
      expect(response.headers.get("content-disposition")).toBe(
        `attachment; filename="say _hi_; x=.jsonl"; filename*=UTF-8''say%20%22hi%22%3B%20x%3D.jsonl`
      )
    })
  )

  it.effect("is found by its path alone, and by no way around it", () =>
    Effect.gen(function* () {
      for (const path of [
        "nothing",
        "../chat.jsonl",
        "./chat.jsonl",
        "/chat.jsonl",
        "chat.jsonl/",
        "deep",
        "CHAT.JSONL",
        "' or 1=1 --"
      ]) {
        const { status, text } = yield* get(path)
        expect(status, path).toBe(404)
        expect(JSON.parse(text)).toMatchObject({ code: "not_found", detail: expect.stringMatching(/has no file/) })
      }
      const { path } = yield* Recording
      for (const query of [path("").slice(0, -"path=".length), path(""), path("a".repeat(1025)), path("\0")]) {
        expect((yield* request(query)).status, query).toBe(400)
      }
    })
  )
})
