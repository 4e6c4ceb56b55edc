import fc from "fast-check"
import { describe, expect, it } from "vitest"
import type { InputEvent, NetworkEvent, TimelineEvent } from "../../src/domain/session/Timeline.ts"
import { Normaliser } from "../../src/example/pipeline/Normalise.ts"
import { readDocument } from "../support/Reading.ts"
import { describeShared, sharedBytes } from "../support/SharedData.ts"

type Bare<Event> = Partial<Omit<Event, "seq" | "kind">>

const source = { file: "f", line: 1 }

const on = (
  type: string,
  target: InputEvent["target"] | string | null,
  fields: Bare<InputEvent> = {}
): Omit<InputEvent, "seq"> => ({
  kind: "input",
  at: null,
  source,
  type,
  target: typeof target === "string" ? { selector: `#${target}`, name: target } : target,
  value: null,
  key: null,
  url: null,
  x: null,
  y: null,
  ...fields
})

const call = (url: string, fields: Bare<NetworkEvent> = {}): Omit<NetworkEvent, "seq"> => ({
  kind: "network",
  at: null,
  source,
  method: "POST",
  url,
  status: 200,
  request_headers: null,
  request_body: null,
  response_headers: { "content-type": "application/json" },
  response_body: null,
  duration_ms: null,
  ...fields
})

const numbered = (
  events: ReadonlyArray<Omit<InputEvent, "seq"> | Omit<NetworkEvent, "seq">>
): ReadonlyArray<TimelineEvent> => events.map((event, seq) => ({ seq, ...event }))

const normalised = (events: ReadonlyArray<TimelineEvent>) => {
  const normaliser = new Normaliser()
  return [...events.flatMap((event) => normaliser.add(event)), ...normaliser.end()]
}

const episodes = (...events: Parameters<typeof numbered>[0]) => normalised(numbered(events))

const told = (...events: Parameters<typeof numbered>[0]) =>
  episodes(...events).map(({ type, target, value, from_seq, to_seq }) => [
    type,
    target?.name ?? null,
    value,
    from_seq,
    to_seq
  ])

describe("Normaliser", () => {
  it("makes typing one value of its field: keys, bursts of input, and the change that wins", () => {
    const key = (letter: string) => on("keydown", "Search", { key: letter })
    expect(told(key("c"), key("a"), key("x"), key("Backspace"), key("t"))).toEqual([["change", "Search", "cat", 0, 4]])
    expect(
      told(
        key("h"),
        on("input", "Search", { value: "h" }),
        key("i"),
        on("input", "Search", { value: "hi" }),
        on("change", "Search", { value: "hi!" })
      )
    ).toEqual([["change", "Search", "hi!", 0, 4]])
    expect(told(on("input", "A", { value: "1" }), on("input", "B", { value: "2" }))).toEqual([
      ["change", "A", "1", 0, 0],
      ["change", "B", "2", 1, 1]
    ])
  })

  it("takes the clicks into a field as part of what was typed there, but no other clicks", () => {
    expect(told(on("click", "Name"), on("click", "Name"), on("change", "Name", { value: "Ann" }))).toEqual([
      ["change", "Name", "Ann", 0, 2]
    ])
    expect(told(on("click", "Save"), on("change", "Name", { value: "Ann" }))).toHaveLength(2)
  })

  it("keeps two clicks on one target apart, and makes a double click one", () => {
    expect(told(on("click", "+"), on("click", "+"))).toEqual([
      ["click", "+", null, 0, 0],
      ["click", "+", null, 1, 1]
    ])
    expect(told(on("click", "row"), on("click", "row"), on("dblclick", "row"), on("click", "x"))).toEqual([
      ["click", "row", null, 0, 2],
      ["click", "x", null, 3, 3]
    ])
  })

  it("joins a press of a trace by its interactionId, and passes over hovering", () => {
    const press = (type: string, interactionId: number) => on(type, null, { extra: { interactionId } })
    expect(
      told(
        press("pointerover", 0),
        press("pointerdown", 7),
        press("pointerup", 7),
        press("click", 7),
        press("pointerdown", 8),
        press("click", 8)
      )
    ).toEqual([
      ["click", null, null, 1, 3],
      ["click", null, null, 4, 5]
    ])
  })

  it("tells Enter, and a form sent by a button, as one submit", () => {
    expect(told(on("keydown", "q", { key: "Enter" }), on("submit", "form"))).toEqual([["submit", "q", null, 0, 1]])
    expect(told(on("click", "Place order"), on("submit", "form"))).toEqual([["submit", "Place order", null, 0, 1]])
    expect(told(on("submit", "form"))).toEqual([["submit", "form", null, 0, 0]])
  })

  it("takes what the browser makes of Enter in a field as part of it, but no later click", () => {
    const at = (ms: number) => ({ at: new Date(1_760_000_000_000 + ms).toISOString() })
    const enter = [on("input", "q", { value: "tea", ...at(0) }), on("keydown", "q", { key: "Enter", ...at(500) })]
    const implied = [
      on("change", "q", { value: "tea", ...at(501) }),
      on("click", "Search", at(502)),
      on("submit", "form", at(503))
    ]
    const typed = ["change", "q", "tea", 0, 0]
    expect(told(...enter, ...implied)).toEqual([typed, ["submit", "Search", null, 1, 4]])
    expect(told(...enter, on("click", "Next", at(900)))).toEqual([
      typed,
      ["submit", "q", null, 1, 1],
      ["click", "Next", null, 2, 2]
    ])
  })

  it("ends an episode where a page is opened, and knows the page of what follows", () => {
    const open = (url: string) => on("navigate", null, { url })
    const all = episodes(
      open("https://a.example/"),
      open("https://a.example/"),
      on("click", "x"),
      open("https://a.example/b")
    )
    expect(all.map(({ type, url }) => [type, url])).toEqual([
      ["navigate", "https://a.example/"],
      ["click", "https://a.example/"],
      ["navigate", "https://a.example/b"]
    ])
  })

  it("gives an action the calls that it made, without what a page is made of", () => {
    const [, click, other] = episodes(
      on("navigate", null, { url: "https://shop.example/" }),
      on("click", "Add"),
      call("https://shop.example/cart", { request_body: '{"sku":1}' }),
      call("https://api.shop.example/v1/stock", { method: "GET", response_headers: null }),
      call("https://shop.example/app.js", { method: "GET" }),
      call("https://cdn.example/logo", { method: "GET", response_headers: { "Content-Type": "image/png" } }),
      call("https://tracker.example/collect", { response_headers: null }),
      call("https://shop.example/cart", { method: "OPTIONS" }),
      on("click", "Pay"),
      call("https://pay.example/charge", { extra: { _resourceType: "xhr" }, response_headers: null })
    )
    expect(click?.requests.map(({ url }) => url)).toEqual([
      "https://shop.example/cart",
      "https://api.shop.example/v1/stock"
    ])
    expect(click).toMatchObject({
      from_seq: 1,
      to_seq: 3,
      requests: [{ body: '{"sku":1}', method: "POST", status: 200 }, {}]
    })
    expect(other?.requests).toHaveLength(1)
    const many = episodes(on("click", "x"), ...Array.from({ length: 50 }, () => call("https://a.example/")))
    expect(many[0]?.requests).toHaveLength(20)
  })

  it("never tells what was typed into a password field", () => {
    const all = episodes(
      on("change", { selector: "#p", input_type: "password" }, { value: "[redacted]" }),
      on("input", "Password", { value: "hunter2" })
    )
    expect(all.map(({ value }) => value)).toEqual([null, null])
  })

  it("passes over moving, scrolling and silent keys, and keeps shortcuts", () => {
    const silent = ["mousemove", "scroll", "hover", "focus", "keyup", "setViewport"].map((type) => on(type, "x"))
    expect(told(...silent, on("keydown", null, { key: "Tab" }), on("keydown", null, { key: "Shift" }))).toEqual([])
    expect(
      episodes(on("keydown", null, { key: "Escape" }), on("keydown", null, { key: "s", extra: { ctrlKey: true } }))
    ).toMatchObject([
      { type: "key", key: "Escape" },
      { type: "key", key: "s" }
    ])
  })

  it("has each event in one episode at most, in order", () => {
    const anyInput = fc
      .record({
        type: fc.constantFrom("click", "dblclick", "change", "input", "keydown", "submit", "navigate", "scroll"),
        name: fc.constantFrom("a", "b", null),
        value: fc.option(fc.constantFrom("1", "2")),
        key: fc.option(fc.constantFrom("x", "Enter", "Escape"))
      })
      .map(({ type, name, value, key }) =>
        on(type, name, { value, key, url: type === "navigate" ? `https://${name}.example/` : null })
      )
    const anyCall = fc.constantFrom("https://a.example/x", "https://a.example/x.css").map((url) => call(url))
    fc.assert(
      fc.property(fc.array(fc.oneof(anyInput, anyCall), { maxLength: 60 }), (list) => {
        let before = -1
        for (const { from_seq, to_seq } of episodes(...list)) {
          expect(from_seq).toBeGreaterThan(before)
          expect(to_seq).toBeGreaterThanOrEqual(from_seq)
          before = to_seq
        }
      })
    )
  })

  describeShared("over real recordings", () => {
    const of = (format: "chrome.recorder" | "chrome.trace", name: string) =>
      normalised(readDocument(format, sharedBytes(name)).events.map((event, seq) => ({ seq, ...event })))

    it("finds what was done in the coffee shop", () => {
      const all = of("chrome.recorder", "recorder-coffee-checkout.json")
      expect(all.filter(({ type }) => type === "change").map(({ target, value }) => [target?.name, value])).toEqual([
        ["Name", "jec"],
        ["Email", "jec@random.com"],
        ["I would like to receive order updates and promotional messages.", "on"]
      ])
      expect(all.at(-1)).toMatchObject({
        type: "click",
        target: { name: "Submit" },
        url: "https://coffee-cart.netlify.app/"
      })
    })

    it("finds the six clicks of a trace", () => {
      const all = of("chrome.trace", "chrome-trace-timespan-responsiveness-m103.json")
      expect(all.map(({ type }) => type)).toEqual(Array.from({ length: 6 }, () => "click"))
    })
  })
})
