import { describe, expect, it } from "vitest"
import { screenshotOf } from "../../../src/session/formats/Browser.ts"
import { playwright } from "../../../src/session/formats/Playwright.ts"
import { eventsOf, kinds, lineEvents, readAll, readDocument } from "../../support/Reading.ts"

describe("tracepipe.browser/v1", () => {
  const input = (line: unknown) => lineEvents("tracepipe.browser/v1", [line], "input_events.jsonl")[0]

  it("reads times as ISO 8601 or milliseconds, and keeps what is neither", () => {
    expect(input({ timestamp: 1_700_000_000_000, type: "click" })?.at).toBe("2023-11-14T22:13:20.000Z")
    expect(input({ timestamp: "2023-11-14T23:13:20.5+01:00", type: "click" })?.at).toBe("2023-11-14T22:13:20.500Z")
    expect(input({ timestamp: "2023-11-14 22:13:20", type: "click" })?.at).toBe("2023-11-14T22:13:20.000Z")
    expect(input({ timestamp: "soon", type: "click" })).toMatchObject({ at: null, extra: { timestamp: "soon" } })
  })

  it("keeps fields that it does not know, of the event and of its target", () => {
    expect(
      input({
        timestamp: 1,
        type: "click",
        target: { selector: "#a", type: "checkbox", xpath: "//a" },
        modifiers: ["ctrl"]
      })
    ).toMatchObject({
      target: { selector: "#a", input_type: "checkbox" },
      extra: { target: { xpath: "//a" }, modifiers: ["ctrl"] }
    })
    expect(input("click")).toMatchObject({ kind: "note", data: "click", source: { line: 1 } })
  })

  it("reads network lines, headers in both forms", () => {
    const line = {
      timestamp: 5,
      method: "GET",
      url: "/a",
      status: -1,
      request_headers: [
        { name: "A", value: "1" },
        { name: "A", value: "2" }
      ],
      response_headers: { B: ["1", "2"] },
      response_body: { a: 1 },
      id: 7
    }
    expect(lineEvents("tracepipe.browser/v1", [line], "network_traffic.jsonl")).toMatchObject([
      {
        kind: "network",
        status: -1,
        request_headers: { A: "1, 2" },
        response_headers: { B: "1, 2" },
        response_body: '{"a":1}',
        extra: { id: 7 }
      }
    ])
  })

  it("tells a screenshot's time by its name", () => {
    expect(screenshotOf("screenshots/1700000000000.png").at).toBe("2023-11-14T22:13:20.000Z")
    expect(screenshotOf("screenshots/shot-1700000000.png").at).toBe("2023-11-14T22:13:20.000Z")
    expect(screenshotOf("screenshots/2023-11-14T22-13-20-250Z.png").at).toBe("2023-11-14T22:13:20.250Z")
    expect(screenshotOf("screenshots/0001.png").at).toBeNull()
  })
})

describe("chrome.recorder", () => {
  const step = (fields: object) => eventsOf("chrome.recorder", { title: "t", steps: [fields] })[1]

  it("reads selectors of every prefix, flat ones, and hops through shadow roots", () => {
    expect(
      step({
        type: "click",
        selectors: [['aria/Send[role="button"]'], ["xpath///a"], ["text/Send it"], ["#host", "#send"]],
        button: "secondary",
        frame: [0],
        count: 2,
        visible: true
      })
    ).toMatchObject({
      target: { name: "Send", role: "button", text: "Send it", selector: "#host >>> #send" },
      extra: { button: "secondary", frame: [0], count: 2, visible: true }
    })
    expect(step({ type: "waitForElement", selectors: [".flat", "pierce/.b"] })).toMatchObject({
      type: "waitForElement",
      target: { selector: ".flat" }
    })
    expect(step({ type: "click", selectors: [["pierce/#a"], ["xpath///b"]] })).toMatchObject({
      target: { selector: "#a" }
    })
    expect(step({ type: "keyDown", key: "Tab" })).toMatchObject({ type: "keydown", key: "Tab", target: null })
  })

  it("keeps the document's other members, before the steps or after them", () => {
    const events = readDocument("chrome.recorder", '{"title":"t","steps":[{"type":"click"},7],"timeout":5}').events
    expect(events).toMatchObject([
      { kind: "note", data: { title: "t" } },
      { kind: "input" },
      { kind: "note", data: 7 },
      { kind: "note", data: { timeout: 5 } }
    ])
  })
})

describe("har", () => {
  const entry = (fields: object = {}) => ({
    startedDateTime: "2020-01-01T00:00:00Z",
    time: 5,
    request: { method: "GET", url: "https://a/" },
    response: { status: 200 },
    ...fields
  })
  const text = JSON.stringify({ log: { version: "1.1", entries: [entry()] } })

  it("reads past a byte order mark, a line of text, and a JSONP wrapper", () => {
    for (const content of [`\ufeff${text}`, `onInputData(${text});`, `HAR of today:\n${text}\nbye`]) {
      const { events, failure } = readDocument("har", content, { path: "a.harp" })
      expect(failure).toBeUndefined()
      expect(kinds(events)).toEqual({ note: 1, network: 1 })
    }
  })

  it("takes odd statuses, empty post data, and bodies that are base64, elsewhere or absent", () => {
    const read = (fields: object) => eventsOf("har", { log: { entries: [entry(fields)] } })[0]
    for (const status of [0, -1, -2, -999]) expect(read({ response: { status } })).toMatchObject({ status })
    expect(read({ request: { method: "GET", url: "u", postData: {}, httpVersion: "unknown" } })).toMatchObject({
      request_body: null,
      extra: { request: { httpVersion: "unknown" } }
    })
    expect(
      read({ request: { method: "POST", url: "u", postData: { params: [{ name: "a b", value: "1" }] } } })
    ).toMatchObject({ request_body: "a%20b=1" })
    const body = (content: object) => read({ response: { status: 200, content } })
    expect(body({ text: "eyJhIjoxfQ==", encoding: "base64", mimeType: "application/json" })).toMatchObject({
      response_body: '{"a":1}'
    })
    expect(body({ text: "iVBORw==", encoding: "base64", mimeType: "image/png", size: 4 })).toMatchObject({
      response_body: null,
      extra: { response: { content: { mimeType: "image/png", size: 4 } } }
    })
    expect(body({ _file: "ab.html" })).toMatchObject({
      response_body: null,
      extra: { response: { content: { _file: "ab.html" } } }
    })
    expect(read({ request: undefined, response: undefined, _initiator: "x" })).toMatchObject({
      kind: "network",
      url: "",
      extra: { _initiator: "x" }
    })
  })

  it("puts entries into the order of their start", () => {
    const entries = [3, 1, 2].map((second) => entry({ startedDateTime: `2020-01-01T00:00:0${second}Z` }))
    expect(eventsOf("har", { log: { entries } }).map(({ at }) => at?.slice(17, 19))).toEqual(["01", "02", "03"])
  })
})

describe("chrome.trace", () => {
  const timing = (ts: number | null, type: string, id: unknown = "0x1", more = {}) => ({
    name: "EventTiming",
    ph: "b",
    ts,
    pid: 1,
    id,
    args: { data: { type, interactionId: 5, ...more } }
  })

  it("reads a bare array, in any order, with empty objects, null times and ids of every kind", () => {
    const events = eventsOf("chrome.trace", [
      timing(30, "click", 3),
      {},
      timing(10, "pointerdown", "0x1"),
      { name: "EventTiming", ph: "e", ts: 31, id: 3, args: {} },
      { ...timing(20, "pointerup"), id: undefined, id2: { local: "0x1" } },
      { name: "x", ph: "M", ts: null }
    ])
    expect(events.map((event) => (event.kind === "input" ? event.type : event.kind))).toEqual([
      "pointerdown",
      "pointerup",
      "note",
      "click",
      "note"
    ])
  })

  it("tells an input once: by the best of the ways in which Chrome tells it", () => {
    const dispatch = { name: "EventDispatch", ph: "X", ts: 1, args: { data: { type: "click" } } }
    const latency = (name: string) => ({ name: `InputLatency::${name}`, ph: "b", ts: 2, args: {} })
    const event_latency = {
      name: "EventLatency",
      ph: "b",
      ts: 3,
      args: { event_latency: { event_type: "MOUSE_PRESSED" } }
    }
    const inputs = (...list: ReadonlyArray<object>) =>
      eventsOf("chrome.trace", { traceEvents: list }).flatMap((event) => (event.kind === "input" ? [event.type] : []))
    expect(inputs(dispatch, timing(4, "click"), latency("MouseDown"))).toEqual(["click"])
    expect(inputs(dispatch, latency("MouseDown"))).toEqual(["click"])
    expect(inputs(latency("MouseDown"), latency("RawKeyDown"), latency("GestureTap"))).toEqual([
      "mousedown",
      "keydown",
      "click"
    ])
    expect(inputs(event_latency, { ...event_latency, ph: "e", ts: 4 })).toEqual(["mousedown"])
  })

  it("joins what it tells of a request, and where the page went", () => {
    const resource = (name: string, ts: number, data: object) => ({
      name,
      ph: "I",
      ts,
      args: { data: { requestId: "1", ...data } }
    })
    const events = eventsOf("chrome.trace", {
      metadata: { startTime: "2024-01-01T00:00:00.000Z" },
      traceEvents: [
        {
          name: "navigationStart",
          ph: "R",
          ts: 1000,
          args: { data: { documentLoaderURL: "https://a/", isOutermostMainFrame: true } }
        },
        resource("ResourceSendRequest", 2000, { url: "https://a/x", requestMethod: "POST" }),
        resource("ResourceReceiveResponse", 3000, { statusCode: 201, mimeType: "text/html" }),
        resource("ResourceFinish", 6000, { didFail: false }),
        resource("ResourceSendRequest", 7000, { requestId: "2", url: "https://a/y" })
      ]
    })
    expect(events).toMatchObject([
      { kind: "note" },
      { kind: "input", type: "navigate", url: "https://a/", at: "2024-01-01T00:00:00.000Z" },
      {
        kind: "network",
        method: "POST",
        status: 201,
        duration_ms: 4,
        at: "2024-01-01T00:00:00.001Z",
        extra: { mimeType: "text/html", didFail: false }
      },
      { kind: "network", url: "https://a/y", status: null }
    ])
  })
})

describe("playwright.trace", () => {
  const read = (lines: ReadonlyArray<object>, path = "0-trace.trace", clocks = new Map<string, number>()) =>
    readAll(
      playwright(clocks)({ path, json_lines: true }),
      Buffer.from(lines.map((line) => JSON.stringify(line)).join("\n"))
    ).events

  it("reads calls of versions 3 to 8, timed by their context's clock", () => {
    const options = { type: "context-options", version: 8, wallTime: 1_700_000_000_000, monotonicTime: 1000 }
    const call = (id: string, method: string, params: object, more = {}) => ({
      type: "before",
      callId: id,
      startTime: 1500,
      class: "Frame",
      method,
      params,
      stepId: "s",
      ...more
    })
    const events = read([
      options,
      call("1", "click", { selector: 'internal:role=button[name="Send"i]' }),
      { type: "input", callId: "1", point: { x: 3, y: 4 } },
      { type: "after", callId: "1", endTime: 1600, error: { message: "no" } },
      call("2", "fill", { selector: 'internal:label="Name"i', value: "Ann" }, { startTime: 1700 }),
      call("3", "evaluateExpression", {}, { startTime: 1800 }),
      { type: "action", metadata: { type: "Frame", method: "goto", params: { url: "https://a/" }, startTime: 1900 } },
      { type: "before", callId: "4", startTime: 2000, class: "Test", method: "step", apiName: "page.click" },
      { type: "unheard-of", x: 1 }
    ])
    expect(events).toMatchObject([
      { kind: "note", name: "context-options" },
      {
        kind: "input",
        type: "click",
        at: "2023-11-14T22:13:20.500Z",
        target: { role: "button", name: "Send" },
        x: 3,
        y: 4,
        extra: { error: { message: "no" }, stepId: "s" }
      },
      { kind: "input", type: "change", value: "Ann", target: { name: "Name" } },
      { kind: "note", name: "Frame.evaluateExpression" },
      { kind: "input", type: "navigate", url: "https://a/", at: "2023-11-14T22:13:20.900Z" },
      { kind: "note", name: "unheard-of", data: { x: 1 } },
      { kind: "note", name: "step" }
    ])
  })

  it("times the network by its trace's clock where it has no time of its own", () => {
    const clocks = new Map([["0-trace", 1_700_000_000_000]])
    const snapshot = {
      _monotonicTime: 500,
      startedDateTime: {},
      request: { method: "GET", url: "u" },
      response: { status: 200, content: { _sha1: "a.html" } }
    }
    expect(read([{ type: "resource-snapshot", snapshot }], "0-trace.network", clocks)).toMatchObject([
      { kind: "network", at: "2023-11-14T22:13:20.500Z", extra: { response: { content: { _sha1: "a.html" } } } }
    ])
    expect(read([{ type: "resource-snapshot", snapshot }], "1-trace.network")[0]?.at).toBeNull()
  })
})
