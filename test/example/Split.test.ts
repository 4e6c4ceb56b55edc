import { describe, expect, it } from "@effect/vitest"
import type { Split } from "../../src/domain/example/ExampleBatch.ts"
import type { DraftEvent, TimelineEvent } from "../../src/domain/session/Timeline.ts"
import { succeeded } from "../../src/example/pipeline/Outcome.ts"
import { Cutter, maxParts } from "../../src/example/pipeline/Split.ts"

const source = { file: "a", line: null }
const at = null
const numbered = (drafts: ReadonlyArray<DraftEvent>) => drafts.map((draft, seq): TimelineEvent => ({ seq, ...draft }))

const cut = (split: Split, isBrowser: boolean, drafts: ReadonlyArray<DraftEvent>) => {
  const cutter = new Cutter(split, isBrowser)
  for (const event of numbered(drafts)) cutter.add(event)
  return cutter.end()
}

const ranges = (...given: Parameters<typeof cut>) =>
  cut(...given)?.map(({ range }) => range && [range.from_seq, range.to_seq])

const says = (role: "system" | "user" | "assistant", conversation = 0): DraftEvent => ({
  kind: "message",
  at,
  source,
  conversation,
  role,
  content: role
})
const calls = (conversation = 0): DraftEvent => ({
  kind: "tool_call",
  at,
  source,
  conversation,
  call_id: "1",
  name: "f",
  arguments: {}
})
const answers = (conversation = 0): DraftEvent => ({
  kind: "tool_result",
  at,
  source,
  conversation,
  call_id: "1",
  content: "",
  is_error: false
})
const note = (data: unknown, conversation?: number): DraftEvent => ({
  kind: "note",
  at,
  source,
  name: "about",
  data,
  ...(conversation === undefined ? {} : { conversation })
})

describe("turns", () => {
  it("begin at a user's word, end before the next, and hold a call", () => {
    const talk = [
      says("system"),
      says("user"),
      calls(),
      answers(),
      says("assistant"),
      says("user"),
      says("assistant"),
      says("user"),
      says("user"),
      calls(),
      answers()
    ]
    expect(ranges("turn", false, talk)).toEqual([
      [1, 4],
      [7, 10]
    ])
    expect(ranges("session", false, talk)).toEqual([null])
  })

  it("are those of every conversation, and a session's parts are its conversations", () => {
    const talk = [says("user", 0), calls(0), says("user", 1), calls(1), answers(1)]
    expect(ranges("turn", false, talk)).toEqual([
      [0, 1],
      [2, 4]
    ])
    expect(ranges("session", false, talk)).toEqual([
      [0, 1],
      [2, 4]
    ])
  })

  it("have the outcome of their conversation, else that of the recording", () => {
    const talk = [
      note({ info: { exit_status: "submitted" } }),
      says("user", 0),
      calls(0),
      note({ reward: 0 }, 0),
      says("user", 1),
      calls(1)
    ]
    expect(cut("session", false, talk)?.map((part) => part.succeeded)).toEqual([false, true])
  })

  it("of more conversations than are bearable are none", () => {
    expect(
      cut(
        "session",
        false,
        Array.from({ length: maxParts + 1 }, (_, which) => says("user", which))
      )
    ).toBeUndefined()
  })
})

const input = (type: string, url: string, name = "Field"): DraftEvent => ({
  kind: "input",
  at,
  source,
  type,
  target: type === "navigate" ? null : { role: "button", name },
  value: null,
  key: null,
  url,
  x: null,
  y: null
})

describe("episodes", () => {
  it("begin where another page is opened and something was done on the one before", () => {
    const work = [
      input("navigate", "https://a.example/"),
      input("navigate", "https://a.example/one"),
      input("click", "https://a.example/one", "Save"),
      input("navigate", "https://a.example/one?saved=1"),
      input("click", "https://a.example/one", "Next"),
      input("navigate", "https://a.example/two"),
      input("click", "https://a.example/two", "Pay"),
      input("navigate", "https://a.example/bye")
    ]
    expect(ranges("episode", true, work)).toEqual([
      [0, 4],
      [5, 7]
    ])
    expect(ranges("session", true, work)).toEqual([null])
  })

  it("cover the whole recording, one after the other", () => {
    const work = Array.from({ length: 60 }, (_, turn) =>
      turn % 3 === 0
        ? input("navigate", `https://a.example/${turn}`)
        : input("click", `https://a.example/${turn - (turn % 3)}`, `Button ${turn}`)
    )
    const parts = ranges("episode", true, work) ?? []
    expect(parts).toHaveLength(20)
    expect(parts.map((range) => range?.[0])).toEqual(Array.from({ length: 20 }, (_, part) => part * 3))
    expect(parts.map((range) => range?.[1])).toEqual(Array.from({ length: 20 }, (_, part) => part * 3 + 2))
  })
})

describe("an outcome", () => {
  it.each([
    [{ success: true }, true],
    [{ resolved: false, outcome: "success" }, false],
    [{ outcome: "Passed" }, true],
    [{ status: "failed" }, false],
    [{ reward: 1 }, true],
    [{ reward: 0.4 }, false],
    [{ info: { exit_status: "submitted" } }, true],
    [{ info: { exit_status: "submitted (exit_cost)" } }, false],
    [{ verifier_result: { rewards: 1 }, rewards: { reward: 1 } }, true],
    [{ status: "running" }, undefined],
    [{ label: "checkout" }, undefined],
    [[{ success: true }], undefined],
    ["success", undefined],
    [null, undefined]
  ])("of %j is %s", (about, expected) => {
    expect(succeeded(about)).toBe(expected)
  })
})
