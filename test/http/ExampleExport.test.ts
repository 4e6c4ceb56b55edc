import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { Message } from "../../src/domain/example/Message.ts"
import { contentHash } from "../../src/example/pipeline/ContentHash.ts"
import { example, exampleEnded, inputs, mappedSuite, messages, recorded } from "../support/Recorded.ts"
import { TestServer } from "../support/TestServer.ts"
import { call, type Target } from "../support/Uploading.ts"

const exported = (target: Target, query: Readonly<Record<string, string>>) =>
  Effect.promise(async () => {
    const response = await fetch(`${target.base_url}/v1/examples/export?${new URLSearchParams(query)}`, {
      headers: { "x-api-key": target.api_key }
    })
    const text = await response.text()
    if (response.status !== 200) throw new Error(text)
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line))
  })

/** Examples of people of these names, one after the other. */
const examplesOf = (target: Target, names: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const { suite_id } = yield* mappedSuite(target)
    const ids = yield* Effect.forEach(names, (name) =>
      Effect.gen(function* () {
        const files = { "input_events.jsonl": inputs.replace("Ada Lovelace", name) }
        const id = yield* example(target, yield* recorded(target, suite_id, files))
        expect(yield* exampleEnded(target, id)).toMatchObject({ status: "COMPLETED" })
        return id
      })
    )
    return { suite_id, ids }
  })

const read = (target: Target, id: string | undefined) =>
  Effect.map(call(target, "GET", `/v1/examples/${id}`), ({ json }) => json)

layer(TestServer.layer(), { excludeTestServices: true })("examples that say the same", (it) => {
  it.effect("are marked, and exported once where that is asked for", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id, ids } = yield* examplesOf(target, ["Ada", "Bob", "Ada", "Ada"])
      const [first, bob, second, third] = ids
      const marks = yield* Effect.forEach(ids, (id) => Effect.map(read(target, id), (found) => found["duplicate_of"]))
      expect(marks).toEqual([null, null, first, first])
      const all = yield* exported(target, { suite_id, format: "messages" })
      expect(all.map(({ example_id }) => example_id)).toEqual([third, second, bob, first])
      const once = yield* exported(target, { suite_id, format: "messages", dedupe: "true" })
      expect(once.map(({ example_id }) => example_id)).toEqual([bob, first])
      // The first of those that fit: another filter has another first.
      const { session_id } = yield* read(target, third)
      const filtered = yield* exported(target, {
        session_id: String(session_id),
        format: "messages",
        dedupe: "true"
      })
      expect(filtered.map(({ example_id }) => example_id)).toEqual([third])
      yield* call(target, "POST", `/v1/examples/${first}/review`, { decision: "reject" })
      expect((yield* read(target, second))["duplicate_of"]).toBeNull()
      expect((yield* read(target, third))["duplicate_of"]).toBe(second)
      yield* call(target, "DELETE", `/v1/examples/${second}`)
      expect((yield* read(target, third))["duplicate_of"]).toBeNull()
    })
  )

  it.effect("are still the same when a reviewer writes them in another way", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { ids } = yield* examplesOf(target, ["Ada", "Bob"])
      const [ada, bob] = ids
      const lines = (yield* messages(target, ada ?? "")).trim().split("\n")
      const other = lines.map((line) =>
        JSON.parse(line.replaceAll("call_1", "other"), (key, value) =>
          key === "arguments" ? JSON.stringify(JSON.parse(value), null, 2) : value
        )
      )
      const { status } = yield* call(target, "POST", `/v1/examples/${bob}/review`, {
        decision: "accept",
        messages: other
      })
      expect(status).toBe(200)
      expect((yield* read(target, bob))["duplicate_of"]).toBe(ada)
    })
  )

  it.effect("fall into the same part of a split, whose parts are everything once", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const names = Array.from({ length: 12 }, (_, at) => `Person ${at}`)
      const { suite_id } = yield* examplesOf(target, [...names, ...names.slice(0, 4)])
      const part = (split: string) => exported(target, { suite_id, format: "messages", split })
      const ids = (lines: ReadonlyArray<{ readonly example_id: string }>) => lines.map(({ example_id }) => example_id)
      const train = yield* part("train:0.5,a")
      const test = yield* part("test:0.5,a")
      expect(ids(train).length).toBeGreaterThan(0)
      expect(ids(test).length).toBeGreaterThan(0)
      expect(new Set([...ids(train), ...ids(test)]).size).toBe(16)
      expect(train.length + test.length).toBe(16)
      const hashes = new Set(train.map(({ content_hash }) => content_hash))
      for (const { content_hash } of test) expect(hashes.has(content_hash)).toBe(false)
      expect(yield* part("train:0.5,a")).toEqual(train)
      expect(ids(yield* part("train:1,a"))).toHaveLength(16)
      expect(ids(yield* part("train:0,a"))).toEqual([])
      const seeds = yield* Effect.forEach(["b", "c", "d", "e"], (seed) => part(`train:0.5,${seed}`))
      expect(new Set([train, ...seeds].map((lines) => ids(lines).join())).size).toBeGreaterThan(1)
      const refused = yield* call(target, "GET", "/v1/examples/export?split=train:2,a")
      expect(refused.json["detail"]).toContain("must be like train:0.9,seed")
    })
  )

  it.effect("have a manifest that tells of each line where it came from", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id, ids } = yield* examplesOf(target, ["Ada", "Bob", "Ada"])
      const query = { suite_id, dedupe: "true" }
      const file = yield* exported(target, { ...query, format: "openai" })
      const manifest = yield* exported(target, { ...query, format: "manifest" })
      expect(manifest.map(({ example_id }) => example_id)).toEqual([ids[1], ids[0]])
      for (const [line, { example_id, content_hash }] of manifest.entries()) {
        expect(contentHash(file[line].messages)).toBe(content_hash)
        const { session_id, action_tool_map_id, confidence } = yield* read(target, example_id)
        expect(manifest[line]).toMatchObject({
          session_id,
          action_tool_map_id,
          confidence,
          map_version: 1,
          model: "BUILTIN/lexical",
          review: null
        })
      }
    })
  )

  it.effect("are told from others by what is called, with what, and what is said", () =>
    Effect.sync(() => {
      const calling = (name: string, given: string, id = "a"): ReadonlyArray<Message> => [
        { role: "user", content: "Hi" },
        {
          role: "assistant",
          content: null,
          tool_calls: [{ id, type: "function", function: { name, arguments: given } }]
        },
        { role: "tool", tool_call_id: id, content: "" }
      ]
      const same = contentHash(calling("f", '{"a":1,"b":2}'))
      expect(contentHash(calling("f", '{ "b": 2, "a": 1 }', "z"))).toBe(same)
      for (const other of [
        calling("g", '{"a":1,"b":2}'),
        calling("f", '{"a":1,"b":3}'),
        calling("f", '{"a":1,"b":2')
      ]) {
        expect(contentHash(other)).not.toBe(same)
      }
    })
  )
})
