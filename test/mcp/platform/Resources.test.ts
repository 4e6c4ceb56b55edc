import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { PlatformSurface } from "../../../src/mcp/platform/PlatformSurface.ts"
import type { ResourceDescription } from "../../../src/mcp/Surface.ts"
import { type Caller, organization } from "../../support/Organizations.ts"
import { populate } from "../../support/Population.ts"
import { answered, as } from "../../support/SurfaceCalls.ts"
import { request, TestServer } from "../../support/TestServer.ts"

class World extends Effect.Service<World>()("test/World", {
  effect: Effect.gen(function* () {
    const me = yield* organization()
    const stranger = yield* organization()
    const ids = yield* populate(me)
    return { me, stranger, ids, session: `tracepipe://sessions/${ids["SessionId"]}` }
  })
}) {}

/** A conversation of the caller's suite that calls its tool, made into an example. */
const example = (caller: Caller, said: string, answers: ReadonlyArray<string> = ["Done"]) =>
  Effect.gen(function* () {
    const { ids } = yield* World
    const { tool } = yield* as(caller)(answered("get_tool", { tool_id: ids["CapabilityId"] }))
    const call = { id: "1", type: "function", function: { name: tool.name, arguments: '{"to":"y"}' } }
    const lines = [
      { role: "user", content: said },
      { role: "assistant", content: null, tool_calls: [call] },
      { role: "tool", tool_call_id: "1", content: "opened" },
      ...answers.flatMap((content, at) => [
        { role: "assistant", content },
        ...(at < answers.length - 1 ? [{ role: "user", content: "Go on" }] : [])
      ])
    ]
    const response = yield* request(`/v1/sessions?suite_id=${ids["SuiteId"]}`, {
      method: "POST",
      api_key: caller.api_key,
      headers: { "content-type": "application/x-ndjson" },
      body: lines.map((line) => `${JSON.stringify(line)}\n`).join("")
    })
    const { id: session_id }: { readonly id: string } = yield* Effect.promise(() => response.json())
    const made = yield* as(caller)(answered("create_example", { session_id }))
    expect(made).toMatchObject({ status: "COMPLETED" })
    return { id: String(made.id), uri: `tracepipe://examples/${made.id}/messages` }
  })

const all = Effect.gen(function* () {
  const surface = yield* PlatformSurface
  const found: Array<ResourceDescription> = []
  let cursor: string | undefined
  do {
    const page = yield* surface.listResources(cursor)
    found.push(...page.items)
    cursor = page.nextCursor
  } while (cursor !== undefined)
  return found
})

const read = (uri: string) => Effect.flatMap(PlatformSurface, (surface) => surface.readResource(uri))

const prompt = (input: Readonly<Record<string, string>>, name = "few_shot") =>
  Effect.flatMap(PlatformSurface, (surface) => surface.getPrompt(name, input))

const complete = (of: { readonly prompt: string } | { readonly uriTemplate: string }, name: string, value: string) =>
  Effect.flatMap(PlatformSurface, (surface) => surface.complete(of, { name, value }))

layer(World.Default.pipe(Layer.provideMerge(TestServer.layer())), { excludeTestServices: true })("resources", (it) => {
  it.effect("the ready sessions and completed examples of the caller are listed, and each can be read", () =>
    Effect.gen(function* () {
      const { me, stranger, ids, session } = yield* World
      const listed = yield* as(me)(all)
      expect(listed.map(({ uri }) => uri)).toEqual([session, `tracepipe://examples/${ids["ExampleId"]}/messages`])
      for (const { uri, mimeType } of listed) {
        expect(yield* as(me)(read(uri))).toMatchObject({ uri, mimeType, text: expect.stringMatching(/^{/) })
      }
      expect(yield* as(stranger)(all)).toEqual([])
      expect((yield* as(me, { scopes: ["examples:read"] })(all)).map(({ uri }) => uri)).toEqual([listed[1]?.uri])
      expect((yield* as(me, { scopes: ["sessions:read"] })(all)).map(({ uri }) => uri)).toEqual([session])
      const { listResources } = yield* PlatformSurface
      expect(yield* Effect.flip(as(me)(listResources("nonsense")))).toMatchObject({ code: -32602 })
    })
  )

  it.effect("more than a page of them goes on where the cursor says, past sessions that cannot be read", () =>
    Effect.gen(function* () {
      const caller = yield* organization()
      const { sql } = yield* TestServer
      const suite_id = Bun.randomUUIDv7()
      yield* sql`insert into suites ${sql.insert({ id: suite_id, org_id: caller.org_id, name: "Many" })}`
      const rows = Array.from({ length: 120 }, (_, n) => ({
        id: Bun.randomUUIDv7(),
        org_id: caller.org_id,
        suite_id,
        user_id: caller.user_id,
        status: n > 10 && n < 100 ? "REJECTED" : "READY",
        format: "har",
        record_source: "upload",
        file_count: 0,
        size_bytes: 0,
        description: `Session ${n}`,
        storage_path: `orgs/${caller.org_id}/many/${n}/`,
        created_at: new Date(Date.parse("2026-01-01T00:00:00Z") + n * 1000)
      }))
      yield* sql`insert into sessions ${sql.insert(rows)}`
      const listed = yield* as(caller)(all)
      const ready = rows.filter(({ status }) => status === "READY").toReversed()
      expect(listed.map(({ title }) => title)).toEqual(ready.map(({ description }) => description))
    })
  )

  it.effect("a session's resource has its files and says where its timeline is", () =>
    Effect.gen(function* () {
      const { me, ids, session } = yield* World
      const { text } = yield* as(me)(read(session))
      expect(JSON.parse(text)).toMatchObject({
        session: { id: ids["SessionId"], status: "READY" },
        files: { items: [{ path: "recording.jsonl" }], next_cursor: null },
        timeline: { tool: "get_session_timeline", endpoint: `/v1/sessions/${ids["SessionId"]}/timeline` }
      })
    })
  )

  it.effect("messages are the bytes of the API, cut at a line's end where they are too many", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const { text } = yield* as(me)(read(`tracepipe://examples/${ids["ExampleId"]}/messages`))
      const response = yield* request(`/v1/examples/${ids["ExampleId"]}/messages`, { api_key: me.api_key })
      expect(text).toBe(yield* Effect.promise(() => response.text()))

      const { id, uri } = yield* example(
        me,
        "Say much",
        Array.from({ length: 40 }, () => "é".repeat(20_000))
      )
      const large = (yield* as(me)(read(uri))).text
      expect(new TextEncoder().encode(large).length).toBeLessThan(1024 * 1024 + 200)
      const lines = large.trimEnd().split("\n")
      const { cut } = JSON.parse(lines.at(-1) ?? "")
      expect(cut).toContain(`get_example_messages with example_id ${id} and from_index ${lines.length - 1}`)
      const rest = yield* as(me)(answered("get_example_messages", { example_id: id, from_index: lines.length - 1 }))
      expect(rest.messages.length).toBeGreaterThan(5)
    })
  )

  it.effect("what is not there, or belongs to somebody else, is not found", () =>
    Effect.gen(function* () {
      const { me, stranger, session } = yield* World
      for (const uri of ["tracepipe://sessions/x", "tracepipe://nothing", "https://example.org", `${session}/more`]) {
        expect(yield* Effect.flip(as(me)(read(uri))), uri).toMatchObject({ code: -32002 })
      }
      const missing = Bun.randomUUIDv7()
      const absent = yield* Effect.flip(as(stranger)(read(`tracepipe://sessions/${missing}`)))
      const foreign = yield* Effect.flip(as(stranger)(read(session)))
      expect(foreign).toMatchObject({ code: -32002, data: { code: "not_found" } })
      expect(foreign.message.replace(session.slice(-36), missing)).toBe(absent.message)
      expect(yield* Effect.flip(as(me, { scopes: [] })(read(session)))).toMatchObject({
        code: -32602,
        data: { code: "forbidden" }
      })
    })
  )

  it.effect("few_shot shows the surest examples of an action, then the task", () =>
    Effect.gen(function* () {
      const { me, stranger, ids } = yield* World
      const { sql } = yield* TestServer
      const { suite, actions } = yield* as(me)(answered("get_suite", { suite_id: ids["SuiteId"] }))
      const sure = yield* example(me, "Open the surest")
      const unsure = yield* example(me, "Open the least sure")
      yield* sql`update examples set confidence = 0.99 where id = ${sure.id}`
      yield* sql`update examples set confidence = 0.1 where id = ${unsure.id}`
      yield* sql`update examples set confidence = 0.5 where org_id = ${me.org_id} and id not in (${sure.id}, ${unsure.id})`

      const wanted = { action: actions[0].name, suite: suite.name, k: "1", task: "Open mine" }
      const { description, messages } = yield* as(me)(prompt(wanted))
      expect(description).toContain(actions[0].name)
      const texts = messages.map(({ role, content: { text } }) => `${role}: ${text}`)
      expect(texts[0]).toMatch(/^user: Example 1 of 1, confidence 0.99/)
      expect(texts).toContain("user: Open the surest")
      expect(texts.find((text) => text.startsWith("assistant: Call of the tool"))).toContain('```json\n{"to":"y"}\n```')
      expect(texts).toContain("user: Result of the call:\nopened")
      expect(texts.at(-1)).toBe("user: Now do this in the same way:\nOpen mine")
      expect(texts.join("\n")).not.toContain("least sure")

      // What is to be done is told whole.
      const task = `Open ${"all of it ".repeat(1900)}and close it`
      for (const action of [actions[0].name, "no such action"]) {
        expect((yield* as(me)(prompt({ ...wanted, action, task }))).messages.at(-1)?.content.text).toMatch(
          /and close it$/
        )
      }

      const byId = yield* as(me)(prompt({ action: String(ids["ActionId"]), suite: String(ids["SuiteId"]), k: "10" }))
      const all = byId.messages.map(({ content: { text } }) => text).join("\n")
      expect(all.indexOf("Open the surest")).toBeLessThan(all.indexOf("Open the least sure"))

      // What is too long ends with where its rest is.
      const chatty = yield* example(
        me,
        "Open the chatty",
        Array.from({ length: 20 }, () => "z".repeat(2000))
      )
      yield* sql`update examples set confidence = 1 where id = ${chatty.id}`
      const long = (yield* as(me)(prompt(wanted))).messages.map(({ content: { text } }) => text)
      const from_index = /call get_example_messages with example_id (\S+) and from_index (\d+)/.exec(long.at(-2) ?? "")
      expect(from_index?.[1]).toBe(chatty.id)
      const last = yield* as(me)(
        answered("get_example_messages", { example_id: chatty.id, from_index: Number(from_index?.[2]) })
      )
      // Before what is left out, a title and the messages; after it, what is asked for.
      expect(last.messages.length).toBeGreaterThan(1)
      expect(Number(from_index?.[2]) + 3).toBe(long.length)

      // One that nothing is left of takes nobody's place.
      const [row] = yield* sql<{ path: string }>`select storage_path as path from examples where id = ${chatty.id}`
      const { data_dir } = yield* TestServer
      yield* Effect.promise(() => Bun.write(join(data_dir, "objects", row?.path ?? "", "messages.jsonl"), ""))
      const without = yield* as(me)(prompt(wanted))
      expect(without.messages.map(({ content: { text } }) => text)).toContain("Open the surest")

      const none = yield* as(stranger)(prompt({ action: actions[0].name, task: "Open mine" }))
      expect(none.messages.map(({ content: { text } }) => text).join("\n")).toMatch(
        /There are no examples of .* create_example.*Open mine/s
      )
    })
  )

  it.effect("a key that is restricted to other suites is shown, offered and counted nothing of these", () =>
    Effect.gen(function* () {
      const { me, ids, session } = yield* World
      const { suite, actions } = yield* as(me)(answered("get_suite", { suite_id: ids["SuiteId"] }))
      const messages = `tracepipe://examples/${ids["ExampleId"]}/messages`
      const wanted = { action: String(actions[0].name) }
      const seen = Effect.gen(function* () {
        const readable = (uri: string) => Effect.isSuccess(read(uri))
        const { total } = yield* answered("get_usage", { group_by: "suite" })
        const { description } = yield* prompt(wanted)
        return {
          listed: (yield* all).length > 0,
          session: yield* readable(session),
          messages: yield* readable(messages),
          few_shot: !description.startsWith("There are no examples"),
          within: yield* Effect.isSuccess(prompt({ ...wanted, suite: suite.name })),
          actions: (yield* complete({ prompt: "few_shot" }, "action", wanted.action)).length > 0,
          suites: (yield* complete({ prompt: "few_shot" }, "suite", suite.name)).length > 0,
          sessions: (yield* complete({ uriTemplate: "tracepipe://sessions/{id}" }, "id", "")).length > 0,
          examples: (yield* complete({ uriTemplate: "tracepipe://examples/{id}/messages" }, "id", "")).length > 0,
          usage: total.sessions > 0
        }
      })
      const every = (is: boolean, found: Effect.Effect.Success<typeof seen>) =>
        expect(found).toEqual(Object.fromEntries(Object.keys(found).map((name) => [name, is])))
      every(true, yield* as(me, { suite_ids: [ids["SuiteId"] ?? ""] })(seen))
      every(false, yield* as(me, { suite_ids: [Bun.randomUUIDv7()] })(seen))
    })
  )

  it.effect("arguments of a prompt that are wrong are told by name", () =>
    Effect.gen(function* () {
      const { me } = yield* World
      const { prompts } = yield* PlatformSurface
      expect(prompts[0]?.arguments).toMatchObject([
        { name: "action", required: true },
        { name: "suite", required: false },
        { name: "k", required: false },
        { name: "task", required: false }
      ])
      for (const [input, message] of [
        [{}, /action: is missing/],
        [{ action: "x", k: "11" }, /k: must be a whole number from 1 to 10/],
        [{ action: "x", other: "y" }, /other: is unexpected/],
        [{ action: "x", suite: "no such suite" }, /there is no suite "no such suite": call list_suites/]
      ] as const) {
        const refused = yield* Effect.flip(as(me)(prompt(input)))
        expect(refused.code).toBe(-32602)
        expect(refused.message).toMatch(message)
      }
      expect(yield* Effect.flip(as(me)(prompt({}, "other")))).toMatchObject({ code: -32602 })
    })
  )

  it.effect("arguments and ids are completed from what the caller sees", () =>
    Effect.gen(function* () {
      const { me, stranger, ids } = yield* World
      const { suite, actions } = yield* as(me)(answered("get_suite", { suite_id: ids["SuiteId"] }))
      const few_shot = { prompt: "few_shot" }
      const action = String(actions[0].name)
      expect(yield* as(me)(complete(few_shot, "action", action.slice(0, 12)))).toEqual([action])
      expect(yield* as(me)(complete(few_shot, "suite", suite.name.slice(0, 12)))).toEqual([suite.name])
      expect(yield* as(me)(complete(few_shot, "k", "1"))).toEqual(["1", "10"])
      expect(yield* as(me)(complete(few_shot, "task", "x"))).toEqual([])
      for (const name of ["action", "suite"]) {
        for (const value of ["\u0000", "\ud800", "x".repeat(201)])
          expect(yield* as(me)(complete(few_shot, name, value)), name).toEqual([])
      }
      const sessions = { uriTemplate: "tracepipe://sessions/{id}" }
      const messages = { uriTemplate: "tracepipe://examples/{id}/messages" }
      expect(yield* as(me)(complete(sessions, "id", String(ids["SessionId"])))).toEqual([ids["SessionId"]])
      expect(yield* as(me)(complete(messages, "id", String(ids["ExampleId"])))).toEqual([ids["ExampleId"]])
      for (const of of [sessions, messages]) expect(yield* as(stranger)(complete(of, "id", ""))).toEqual([])
      expect(yield* as(stranger)(complete(few_shot, "action", ""))).toEqual([])
      expect(yield* as(me, { scopes: [] })(complete(sessions, "id", ""))).toEqual([])
      // One more than are told says that there are more.
      const many = yield* organization()
      const { sql } = yield* TestServer
      const rows = Array.from({ length: 102 }, (_, n) => ({
        id: Bun.randomUUIDv7(),
        org_id: many.org_id,
        name: `Suite ${n}`
      }))
      yield* sql`insert into suites ${sql.insert(rows)}`
      expect(yield* as(many)(complete(few_shot, "suite", "Suite"))).toHaveLength(101)
      expect(yield* Effect.flip(as(me)(complete({ prompt: "other" }, "x", "")))).toMatchObject({ code: -32602 })
    })
  )
})
