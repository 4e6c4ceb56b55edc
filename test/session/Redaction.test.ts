import { it as effectIt } from "@effect/vitest"
import { Effect } from "effect"
import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { DraftEvent } from "../../src/domain/session/Timeline.ts"
import { decode } from "../../src/platform/Settings.ts"
import { Redactor } from "../../src/session/Redaction.ts"

const source = { file: "f", line: 1 }

const input = (fields: Partial<Extract<DraftEvent, { kind: "input" }>>): DraftEvent => ({
  kind: "input",
  at: null,
  source,
  type: "change",
  target: null,
  value: null,
  key: null,
  url: null,
  x: null,
  y: null,
  ...fields
})

const network = (fields: Partial<Extract<DraftEvent, { kind: "network" }>>): DraftEvent => ({
  kind: "network",
  at: null,
  source,
  method: "POST",
  url: "https://a.example/",
  status: 200,
  request_headers: null,
  request_body: null,
  response_headers: null,
  response_body: null,
  duration_ms: null,
  ...fields
})

const say = (content: string): DraftEvent => ({
  kind: "message",
  at: null,
  source,
  conversation: 0,
  role: "user",
  content
})
const note = (data: unknown): DraftEvent => ({ kind: "note", at: null, source, name: "n", data })

const redacted = (event: DraftEvent, patterns: ReadonlyArray<RegExp> = []) => {
  const redactor = new Redactor(patterns)
  return { event: redactor.event(event), counts: redactor.counts }
}
const textOf = (content: string, patterns?: ReadonlyArray<RegExp>) => {
  const { event } = redacted(say(content), patterns)
  return event.kind === "message" ? event.content : ""
}

/** Each place in which a secret may stand. */
const places: ReadonlyArray<readonly [name: string, plant: (secret: string) => DraftEvent]> = [
  ["a password field, by its type", (value) => input({ target: { input_type: "password" }, value })],
  ["a password field, by its name", (value) => input({ target: { name: "Repeat password" }, value })],
  [
    "a password field, by its selector",
    (value) => input({ target: { selector: "#user_password" }, value, type: "input" })
  ],
  [
    "a password field that shows it as its text",
    (value) => input({ target: { input_type: "password", text: value }, value })
  ],
  ["an Authorization header", (value) => network({ request_headers: { authorization: `Bearer ${value}` } })],
  ["a Cookie header", (value) => network({ request_headers: { Cookie: `sid=${value}` } })],
  ["a Set-Cookie header", (value) => network({ response_headers: { "Set-Cookie": `sid=${value}; HttpOnly` } })],
  ["an X-Api-Key header", (value) => network({ request_headers: { "X-API-Key": value } })],
  ["cookies of a HAR", (value) => network({ extra: { request: { cookies: [{ name: "sid", value }] } } })],
  ["headers of a HAR, kept beside", (value) => note({ headers: [{ name: "Cookie", value }] })],
  ["a JSON body", (value) => network({ request_body: JSON.stringify({ user: { password: value } }) })],
  ["a JSON body with spaces", (value) => network({ request_body: JSON.stringify({ a: 1, api_key: value }, null, 2) })],
  [
    "JSON within JSON",
    (value) => network({ request_body: JSON.stringify({ body: JSON.stringify({ token: value, b: 1 }) }) })
  ],
  [
    "JSON that is cut off",
    (value) => network({ response_body: `${JSON.stringify({ access_token: value }).slice(0, -2)}` })
  ],
  ["a form's body", (value) => network({ request_body: `user=a&password=${encodeURIComponent(value)}&x=1` })],
  ["a form's nested field", (value) => network({ request_body: `user%5Bpassword%5D=${encodeURIComponent(value)}` })],
  ["a URL's query", (value) => network({ url: `https://a.example/?access_token=${encodeURIComponent(value)}#x` })],
  ["a URL's user", (value) => network({ url: `https://me:${encodeURIComponent(value)}@a.example/` })],
  [
    "a tool's arguments",
    (value) => ({
      kind: "tool_call",
      at: null,
      source,
      conversation: 0,
      call_id: "1",
      name: "login",
      arguments: { form: { password: value } }
    })
  ],
  [
    "a tool's result",
    (value) => ({
      kind: "tool_result",
      at: null,
      source,
      conversation: 0,
      call_id: "1",
      content: JSON.stringify([{ client_secret: value }]),
      is_error: false
    })
  ],
  [
    "a command line",
    (value) => say(`curl -H "Authorization: Bearer ${value.replaceAll(/["\\]/g, "x")}" https://a.example`)
  ],
  ["fields that no kind has", (value) => input({ extra: { deep: [{ refreshToken: value }] } })]
]

const secretText = fc.stringMatching(/^[\w!#$%()*+./:<>?@^{|}~"\\,;-]{8,24}$/).map((text) => `Zq${text}qZ`)

describe("Redactor", () => {
  it.each(places)("leaves no secret in %s", (_name, plant) => {
    fc.assert(
      fc.property(secretText, (secret) => {
        const { event, counts } = redacted(plant(secret))
        const text = JSON.stringify(event)
        // Whole or in part: an escape must not let the rest of it through.
        expect(text).not.toContain(secret.slice(-6))
        expect(text).not.toContain(secret.slice(0, 6))
        expect(text).toContain("[redacted]")
        expect(Object.values(counts).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0)
      })
    )
  })

  it("takes payment cards out, however they are written, and no other numbers", () => {
    for (const card of [
      "4111111111111111",
      "4111 1111 1111 1111",
      "4111-1111-1111-1111",
      "378282246310005",
      "6011111111111117"
    ]) {
      expect(textOf(`pay with ${card}, thanks`)).toBe("pay with [redacted], thanks")
      expect(textOf(`7 12 ${card} 99`)).toBe("7 12 [redacted] 99")
    }
    expect(textOf("card=4111+1111+1111+1111&x")).toBe("card=[redacted]&x")
    expect(redacted(note({ number: 4111111111111111 })).event).toMatchObject({ data: { number: "[redacted]" } })
    for (const other of [
      "1544712660000000000",
      "4111111111111112",
      "0.4111111111111111",
      "1700000000000",
      "order 4111 1111"
    ]) {
      expect(textOf(other)).toBe(other)
    }
  })

  it("hides what is typed after a password field was entered, key by key", () => {
    const redactor = new Redactor()
    const keys = [
      input({ type: "click", target: { input_type: "password" } }),
      input({ type: "keydown", key: "s" }),
      input({ type: "keydown", key: "Enter" }),
      input({ type: "click", target: { name: "Search" } }),
      input({ type: "keydown", key: "s" })
    ].map((event) => redactor.event(event))
    expect(keys.map((event) => event.kind === "input" && event.key)).toEqual([null, "[redacted]", "Enter", null, "s"])
    expect(redactor.counts).toEqual({ password: 1 })
  })

  it("leaves everything else as it is", () => {
    const harmless = [
      say('{"max_tokens": 5, "tokenizer": "x", "keyboard": "y", "author": "z"}'),
      say("The password must have 8 characters; see /docs?tokenize=1"),
      network({ url: "https://a.example/search?q=token&page=2", request_headers: { accept: "*/*" } }),
      note({ usage: { input_tokens: 45 }, properties: { password: { type: "string" } } })
    ]
    for (const event of harmless) expect(redacted(event)).toEqual({ event, counts: {} })
  })

  it("counts each kind, and never twice the same", () => {
    const redactor = new Redactor([/T-\d+/g])
    const event = network({
      request_headers: { Authorization: "Basic abc", "x-api-key": "k" },
      request_body: '{"password":"a","token":"b","t":"T-1"}',
      url: "https://a.example/?card=4111111111111111"
    })
    const once = redactor.event(event)
    expect(redactor.counts).toEqual({ header: 2, password: 1, secret: 1, pattern: 1, card: 1 })
    expect(new Redactor([/T-\d+/g]).event(once)).toEqual(once)
  })

  it("takes no longer than its input, whatever that is", () => {
    const hostile = [
      '"password":"\\'.repeat(100_000),
      "1 ".repeat(300_000),
      `${"a".repeat(500_000)}token=`,
      "://x:".repeat(100_000),
      'token="'.repeat(80_000)
    ]
    const started = performance.now()
    for (const text of hostile) textOf(text)
    expect(performance.now() - started).toBeLessThan(10_000)
  })
})

describe("REDACT_PATTERNS", () => {
  const patternsOf = (text: string) =>
    Effect.map(decode({ REDACT_PATTERNS: text }), ({ redaction }) => redaction.patterns)

  effectIt.effect("is a JSON array, or a pattern per line", () =>
    Effect.gen(function* () {
      expect(yield* patternsOf('["a{1,2}b", "c"]')).toEqual([/a{1,2}b/g, /c/g])
      expect(yield* patternsOf("[0-9]{3}\n x+ ")).toEqual([/[0-9]{3}/g, /x+/g])
      expect(textOf("aab 123", yield* patternsOf("a+b"))).toBe("[redacted] 123")
    })
  )

  effectIt.effect("is refused by its name where a pattern is none, or matches nothing at all", () =>
    Effect.gen(function* () {
      for (const bad of ["(", '["a", "["]', "a*"]) {
        const error = yield* Effect.flip(patternsOf(bad))
        expect(error.message).toContain("REDACT_PATTERNS: expected regular expressions")
      }
    })
  )
})
