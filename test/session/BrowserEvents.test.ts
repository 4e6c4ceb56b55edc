import fc from "fast-check"
import { describe, expect, it } from "vitest"
import { requireInputEvent, requireNetworkEvent } from "../../src/session/BrowserEvents.ts"

const time = "timestamp is neither an ISO 8601 time nor milliseconds since 1970"

describe("requireInputEvent", () => {
  it.each([
    0,
    1718359200123,
    1.5,
    "2025-06-14",
    "2025-06-14T10:00:00Z",
    "2025-06-14T10:00:00.123456+02:00",
    "2025-06-14 10:00:00"
  ])("takes the time %j", (timestamp) => {
    expect(requireInputEvent({ timestamp, type: "click" })).toBeUndefined()
  })

  it.each([
    [null, "the line is not an object"],
    [[], "the line is not an object"],
    ["click", "the line is not an object"],
    [{}, "timestamp is missing"],
    [{ timestamp: null, type: "click" }, "timestamp is missing"],
    [{ timestamp: -1, type: "click" }, time],
    [{ timestamp: Number.POSITIVE_INFINITY, type: "click" }, time],
    [{ timestamp: "yesterday", type: "click" }, time],
    [{ timestamp: "1", type: "click" }, time],
    [{ timestamp: "2025-13-45T10:00:00Z", type: "click" }, time],
    [{ timestamp: true, type: "click" }, time],
    [{ timestamp: 1 }, "type is missing"],
    [{ timestamp: 1, type: "" }, "type is not a non-empty string"],
    [{ timestamp: 1, type: 7 }, "type is not a non-empty string"],
    [{ timestamp: 1, type: "x".repeat(65) }, "type is longer than 64 characters"]
  ])("says of %j: %s", (value, reason) => {
    expect(requireInputEvent(value)).toBe(reason)
  })
})

describe("requireNetworkEvent", () => {
  const event = { timestamp: 1, method: "GET", url: "/" }

  it.each([{}, { status: null }, { status: 0 }, { status: -999 }, { request_body: [1] }])("takes %j", (more) => {
    expect(requireNetworkEvent({ ...event, ...more })).toBeUndefined()
  })

  it.each([
    [7, "the line is not an object"],
    [{ ...event, timestamp: undefined }, "timestamp is missing"],
    [{ ...event, method: undefined }, "method is missing"],
    [{ ...event, url: 1 }, "url is not a non-empty string"],
    [{ ...event, status: "200" }, "status is not a number"]
  ])("says of %j: %s", (value, reason) => {
    expect(requireNetworkEvent(value)).toBe(reason)
  })
})

it("both have an answer for any value", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const required of [requireInputEvent, requireNetworkEvent]) {
        expect(["string", "undefined"]).toContain(typeof required(value))
      }
    })
  )
})
