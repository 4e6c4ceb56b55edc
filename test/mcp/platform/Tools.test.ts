import { appendFile, rm } from "node:fs/promises"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/client/validators/ajv"
import { Deferred, Effect, Exit, Fiber, Layer } from "effect"
import { RequestInfo } from "../../../src/domain/RequestInfo.ts"
import { PlatformSurface } from "../../../src/mcp/platform/PlatformSurface.ts"
import type { Json } from "../../../src/mcp/Surface.ts"
import { eventually } from "../../support/Eventually.ts"
import { type Caller, organization } from "../../support/Organizations.ts"
import { type Ids, populate } from "../../support/Population.ts"
import { answered, as, call, refused, textOf } from "../../support/SurfaceCalls.ts"
import { request, TestServer } from "../../support/TestServer.ts"

/** An input that each tool takes, about things of the population. A tool that is not here fails. */
const inputs: Readonly<Record<string, (ids: Ids) => Json>> = {
  list_suites: () => ({ limit: 5, q: "name" }),
  get_suite: ({ SuiteId }) => ({ suite_id: SuiteId }),
  search_tools: () => ({ q: "population", schema: "to" }),
  get_tool: ({ CapabilityId }) => ({ tool_id: CapabilityId }),
  list_sessions: ({ SuiteId }) => ({ suite_id: SuiteId, created_after: "2026-01-01T00:00:00Z" }),
  get_session_timeline: ({ SessionId }) => ({ session_id: SessionId, from_seq: 1, max_chars: 5000 }),
  create_example: ({ SessionId, ModelId, ActionToolMapId }) => ({
    session_id: SessionId,
    model_id: ModelId,
    action_tool_map_id: ActionToolMapId
  }),
  get_example: ({ ExampleId }) => ({ example_id: ExampleId }),
  find_examples: ({ SuiteId, ActionId, CapabilityId }) => ({
    suite_id: SuiteId,
    action: ActionId,
    tool: CapabilityId,
    q: "open"
  }),
  get_example_messages: ({ ExampleId }) => ({ example_id: ExampleId }),
  get_usage: () => ({ group_by: "suite" }),
  report_log: () => ({ entries: [{ event_type: "test", severity: "warning", data: { n: 1 } }] })
}

const writes = ["create_example", "report_log"]
const isId = (value: unknown): value is string => typeof value === "string" && /^[\da-f-]{36}$/.test(value)

const inputOf = (name: string, ids: Ids): Json => {
  const input = inputs[name]
  if (input === undefined) throw new Error(`no test knows what ${name} takes: add it to \`inputs\``)
  return input(ids)
}

/** Every property of a schema, at any depth, with where it stands. */
const properties = (schema: unknown, path: string): ReadonlyArray<readonly [string, Json]> => {
  const { properties: own = {}, items, anyOf = [] } = Object(schema)
  return [
    ...Object.entries<Json>(own).flatMap(([name, inner]) => {
      const here = `${path}.${name}`
      return [[here, inner] as const, ...properties(inner, here)]
    }),
    ...(items === undefined ? [] : properties(items, path)),
    ...anyOf.flatMap((one: unknown) => properties(one, path))
  ]
}

/** Every object with fields of its own in a schema, at any depth. */
const objects = (schema: unknown): ReadonlyArray<Json> => {
  const { properties: own, items, anyOf = [] } = Object(schema)
  const inner = [...Object.values(Object(own)), ...(items === undefined ? [] : [items]), ...anyOf]
  return [...(own === undefined ? [] : [Object(schema)]), ...inner.flatMap(objects)]
}

/** The caller's things, and what is in another organization of the same database. */
class World extends Effect.Service<World>()("test/World", {
  effect: Effect.gen(function* () {
    const me = yield* organization()
    const stranger = yield* organization()
    return { me, stranger, ids: yield* populate(me), theirs: yield* populate(stranger) }
  })
}) {}

const validator = new AjvJsonSchemaValidator()

/** A recording of an agent in the caller's suite. */
const recorded = (caller: Caller, suite_id: string, lines: ReadonlyArray<object>) =>
  Effect.gen(function* () {
    const response = yield* request(`/v1/sessions?suite_id=${suite_id}`, {
      method: "POST",
      api_key: caller.api_key,
      headers: { "content-type": "application/x-ndjson" },
      body: lines.map((line) => `${JSON.stringify(line)}\n`).join("")
    })
    const body: { readonly id: string } = yield* Effect.promise(() => response.json())
    expect(response.status, JSON.stringify(body)).toBe(201)
    return body.id
  })

layer(World.Default.pipe(Layer.provideMerge(TestServer.layer())), { excludeTestServices: true })("tools", (it) => {
  it.effect("every tool and each of its parameters is described, in schemas that stand for themselves", () =>
    Effect.gen(function* () {
      const { tools } = yield* PlatformSurface
      expect(tools.map(({ name }) => name).toSorted()).toEqual(Object.keys(inputs).toSorted())
      for (const { name, title, description, inputSchema, outputSchema, annotations } of tools) {
        expect(`${title} ${description}`.length, name).toBeGreaterThan(40)
        for (const [path, schema] of properties(inputSchema, name)) {
          expect(schema["description"], path).toMatch(/\w{2}/)
        }
        for (const schema of objects(inputSchema)) expect(schema["additionalProperties"], name).toBe(false)
        for (const schema of [inputSchema, outputSchema]) {
          expect(schema.type, name).toBe("object")
          expect(JSON.stringify(schema), name).not.toMatch(/"\$ref"|"\$defs"|"\$id"/)
        }
        expect(annotations, name).toMatchObject({ readOnlyHint: !writes.includes(name), destructiveHint: false })
      }
    })
  )

  it.effect("what each tool answers is what its output schema says, and the same as text", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      for (const { name, outputSchema, inputSchema } of (yield* PlatformSurface).tools) {
        const input = inputOf(name, ids)
        expect(validator.getValidator(inputSchema)(input).errorMessage, name).toBeUndefined()
        const answer = yield* as(me)(call(name, input))
        expect(answer.isError, `${name}: ${textOf(answer)}`).toBeUndefined()
        const [first] = answer.content
        expect(first, name).toEqual({ type: "text", text: JSON.stringify(answer.structuredContent) })
        const { items } = Object(answer.structuredContent)
        if (items !== undefined) expect(items.length, name).toBeGreaterThan(0)
        const wire: unknown = JSON.parse(first?.type === "text" ? first.text : "")
        expect(validator.getValidator(outputSchema)(wire).errorMessage, name).toBeUndefined()
      }
    })
  )

  it.effect("the answers are about what was asked for", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const asMe = as(me)
      const surface = yield* asMe(answered("get_suite", { suite_id: ids["SuiteId"] }))
      expect(surface).toMatchObject({
        suite: { id: ids["SuiteId"] },
        actions: [{ id: ids["ActionId"], parameters: [{ name: "to", type: "STRING" }] }],
        action_tool_maps: [{ id: ids["ActionToolMapId"], version: 1 }]
      })
      const found = yield* asMe(answered("get_tool", { tool_id: ids["CapabilityId"] }))
      expect(found).toMatchObject({
        tool: { id: ids["CapabilityId"], server_id: ids["McpServerId"] },
        server: { id: ids["McpServerId"], transport: "streamable-http" }
      })
      expect(Object.keys(found.server)).not.toContain("headers")
      const examples = yield* asMe(answered("find_examples", { action: surface.actions[0].name }))
      expect(examples.items.map(({ id }: { id: string }) => id)).toContain(ids["ExampleId"])
      const { messages } = yield* asMe(answered("get_example_messages", { example_id: ids["ExampleId"] }))
      expect(messages.map(({ role }: { role: string }) => role)).toEqual([
        "system",
        "user",
        "assistant",
        "tool",
        "assistant"
      ])
      const { groups } = yield* asMe(answered("get_usage", { group_by: "suite" }))
      expect(groups).toMatchObject([{ key: ids["SuiteId"], sessions: 1 }])
      const { accepted } = yield* asMe(answered("report_log", { entries: [{ event_type: "a" }, { event_type: "b" }] }))
      expect(accepted).toBe(2)
    })
  )

  it.effect("lists go on where their cursor says", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      yield* recorded(me, ids["SuiteId"] ?? "", [{ role: "user", content: "Another" }])
      const asMe = as(me)
      const first = yield* asMe(answered("list_sessions", { limit: 1 }))
      const second = yield* asMe(answered("list_sessions", { limit: 1, cursor: first.next_cursor }))
      expect(new Set([first.items[0].id, second.items[0].id]).size).toBe(2)
      expect(yield* asMe(refused("list_sessions", { cursor: "nonsense" }))).toBe(
        "bad_request: cursor is not one that this service made. Leave `cursor` out for the first page."
      )
    })
  )

  it.effect("input that is wrong is told by field, with what is expected", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      for (const { name, inputSchema } of (yield* PlatformSurface).tools) {
        const good = inputOf(name, ids)
        const known = Object.keys(Object(inputSchema["properties"]))
        const strange = yield* as(me)(refused(name, { ...good, nonsense: 1 }))
        expect(strange, name).toContain(`nonsense: is not known; ${name} takes ${known.join(", ")}`)
        const wrong = Object.fromEntries(known.map((field) => [field, 12.5]))
        const text = yield* as(me)(refused(name, wrong))
        for (const field of known) expect(text, `${name}.${field}`).toMatch(new RegExp(`(: |; )${field}: `))
        for (const field of Array.isArray(inputSchema["required"]) ? inputSchema["required"] : []) {
          const { [field]: _left, ...rest } = good
          expect(yield* as(me)(refused(name, rest)), name).toMatch(
            new RegExp(`${field}: is missing \\(expected: .+\\)`)
          )
        }
        expect(yield* as(me)(refused(name, "text")), name).toContain("the input must be a JSON object")
      }
      // Within a field, too.
      const range = { from_seq: 0, to_seq: 1, nonsense: 1 }
      const inRange = yield* as(me)(refused("create_example", { ...inputOf("create_example", ids), range }))
      expect(inRange).toContain("range.nonsense: is not known; range takes from_seq, to_seq")
      const entry = { event_type: "x", nonsense: 1 }
      expect(yield* as(me)(refused("report_log", { entries: [entry] }))).toContain(
        "entries.0.nonsense: is not known; entries.0 takes timestamp, event_type, "
      )
      const { code } = yield* Effect.flip(as(me)(call("no_such_tool")))
      expect(code).toBe(-32602)
    })
  )

  it.effect("what belongs to another organization is answered as what is not there", () =>
    Effect.gen(function* () {
      const { me, stranger, ids, theirs } = yield* World
      let tried = 0
      for (const { name } of (yield* PlatformSurface).tools) {
        const own = inputOf(name, theirs)
        for (const [field, id] of Object.entries(inputOf(name, ids)).filter(([, value]) => isId(value))) {
          const missing = Bun.randomUUIDv7()
          const [foreign, absent] = yield* Effect.forEach([id, missing], (value) =>
            Effect.map(as(stranger)(call(name, { ...own, [field]: value })), (answer) => ({
              isError: answer.isError ?? false,
              text: textOf(answer).replaceAll(String(value), "the id")
            }))
          )
          expect(foreign, `${name}.${field}`).toEqual(absent)
          tried += 1
        }
      }
      expect(tried).toBeGreaterThan(10)
      const missing = yield* as(stranger)(refused("get_suite", { suite_id: ids["SuiteId"] }))
      expect(missing).toBe(`not_found: there is no suite ${ids["SuiteId"]}. Call list_suites for the ids of suites.`)
      expect((yield* as(me)(answered("list_suites"))).items).toHaveLength(1)
    })
  )

  it.effect("a key does what its scopes say, and what was refused is in the audit log", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const { sql } = yield* TestServer
      const count = sql<{ n: number }>`select count(*)::int as n from examples where org_id = ${me.org_id}`
      const before = yield* count
      for (const { name } of (yield* PlatformSurface).tools) {
        const input = inputOf(name, ids)
        expect(yield* as(me, { scopes: [] })(refused(name, input)), name).toMatch(
          /^forbidden: the scope \w+:\w+ is needed/
        )
        const answer = yield* as(me, { role: "viewer" })(call(name, input))
        expect(answer.isError ?? false, `${name}: ${textOf(answer)}`).toBe(writes.includes(name))
      }
      expect(yield* count).toEqual(before)
      const denied = yield* sql<{ resource: string }>`select distinct resource from audit_entries
        where org_id = ${me.org_id} and action = 'access.deny' order by 1`
      expect(denied.map(({ resource }) => resource)).toEqual(
        Object.keys(inputs)
          .map((name) => `mcp_tool/${name}`)
          .toSorted()
      )
      const { action_tool_maps } = yield* as(me, { scopes: ["suites:read"] })(
        answered("get_suite", { suite_id: ids["SuiteId"] })
      )
      expect(action_tool_maps).toBeNull()
    })
  )

  it.effect("a key that is restricted to some suites sees nothing of the others", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const restricted = as(me, { suite_ids: [Bun.randomUUIDv7()] })
      for (const name of ["list_suites", "list_sessions", "find_examples"]) {
        expect((yield* restricted(answered(name))).items, name).toEqual([])
      }
      for (const name of [
        "get_suite",
        "get_session_timeline",
        "create_example",
        "get_example",
        "get_example_messages"
      ]) {
        expect(yield* restricted(refused(name, inputOf(name, ids))), name).toMatch(/^not_found: /)
      }
      expect((yield* as(me, { suite_ids: [ids["SuiteId"] ?? ""] })(answered("list_suites"))).items).toHaveLength(1)
    })
  )

  it.effect("a timeline comes in parts that fit, and long texts say that they are cut", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const long = "ä".repeat(9000)
      const turns = Array.from({ length: 30 }, (_, n) => [
        { role: "user", content: `Question ${n}` },
        { role: "assistant", content: n % 10 === 0 ? long : `Answer ${n} ${"x".repeat(300)}` }
      ]).flat()
      const session_id = yield* recorded(me, ids["SuiteId"] ?? "", turns)
      const seen: Array<number> = []
      const texts: Array<string> = []
      let from_seq: number | null = 0
      let parts = 0
      while (from_seq !== null) {
        const part: { events: ReadonlyArray<{ seq: number; content: string }>; next_seq: number | null } = yield* as(
          me
        )(answered("get_session_timeline", { session_id, from_seq, max_chars: 4000 }))
        expect(JSON.stringify(part.events).length).toBeLessThanOrEqual(4001)
        seen.push(...part.events.map(({ seq }) => seq))
        texts.push(...part.events.map(({ content }) => content))
        from_seq = part.next_seq
        parts += 1
      }
      expect(parts).toBeGreaterThan(3)
      expect(seen).toEqual(turns.map((_, seq) => seq))
      const cut = texts.filter((text) => text.startsWith("ä"))
      expect(cut).toHaveLength(3)
      for (const text of cut) expect(text).toMatch(/^ä+… \[cut: \d+ more characters\]$/)
      const whole = yield* as(me)(answered("get_session_timeline", { session_id }))
      expect(whole).toMatchObject({ event_count: turns.length, broken_off: null })
      const past = yield* as(me)(answered("get_session_timeline", { session_id, from_seq: 1000 }))
      expect(past).toMatchObject({ events: [], next_seq: null })
    })
  )

  it.effect("a recording that breaks off says where, after what can be read of it", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const { data_dir } = yield* TestServer
      const session_id = yield* recorded(me, ids["SuiteId"] ?? "", [{ role: "user", content: "Whole" }])
      const file = join(data_dir, "objects", "orgs", me.org_id, "sessions", session_id, "recording.jsonl")
      yield* Effect.promise(() => appendFile(file, "{broken\n"))
      const part = yield* as(me)(answered("get_session_timeline", { session_id }))
      expect(part).toMatchObject({ events: [{ content: "Whole" }], next_seq: null })
      expect(part.broken_off).toMatch(/recording\.jsonl:2/)
    })
  )

  it.effect("an event that holds too much is reduced, and stays an event", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const many = Object.fromEntries(Array.from({ length: 3000 }, (_, n) => [`key_${n}`, n]))
      const call = { id: "1", type: "function", function: { name: "population_tool", arguments: JSON.stringify(many) } }
      const session_id = yield* recorded(me, ids["SuiteId"] ?? "", [
        { role: "user", content: "Do much" },
        { role: "assistant", content: null, tool_calls: [call] }
      ])
      const { events, next_seq } = yield* as(me)(answered("get_session_timeline", { session_id, max_chars: 2000 }))
      expect(next_seq).toBeNull()
      expect(events[1]).toMatchObject({ kind: "tool_call", name: "population_tool" })
      expect(events[1].arguments).toMatch(/^{"key_0":0.*\[cut: \d+ more characters\]$/)
      expect(events[1].extra.cut).toMatch(/this event is \d{5} characters long/)
    })
  )

  it.effect("in lists, what is large leaves room for the rest", () =>
    Effect.gen(function* () {
      const me = yield* organization()
      const { sql } = yield* TestServer
      const long = "x".repeat(5000)
      const ids = yield* populate(me)
      yield* sql`update sessions set metadata = ${JSON.stringify({ long })}::json where id = ${ids["SessionId"] ?? ""}`
      for (const table of ["sessions", "suites", "actions", "action_parameters"])
        yield* sql`update ${sql(table)} set description = ${long} where org_id = ${me.org_id}`
      const schema = { type: "object", properties: { to: { type: "string", description: long } } }
      yield* sql`update capabilities set input_schema = ${JSON.stringify(schema)}::json, description = ${long},
        annotations = ${JSON.stringify({ long })}::json where id = ${ids["CapabilityId"] ?? ""}`
      const asMe = as(me)
      const sessions = yield* asMe(answered("list_sessions"))
      expect(sessions.items[0].metadata).toEqual({
        cut: `5011 characters: read the resource tracepipe://sessions/${ids["SessionId"]}`
      })
      const found = yield* asMe(answered("search_tools", { schema: "to" }))
      expect(found.items[0].input_schema).toMatchObject({ $comment: expect.stringContaining("call get_tool") })
      const { tool } = yield* asMe(answered("get_tool", { tool_id: found.items[0].id }))
      expect(tool.input_schema).toEqual(schema)
      const told = yield* asMe(answered("get_tool", { tool_id: found.items[0].id }))
      expect(told.tool).toMatchObject({ description: long, annotations: { long } })
      expect(found.items[0].annotations).toEqual({ cut: "5011 characters; call get_tool" })
      const cut = /^x+… \[cut: \d{4} more characters\]$/
      const [suites, suite] = [
        yield* asMe(answered("list_suites")),
        yield* asMe(answered("get_suite", { suite_id: ids["SuiteId"] }))
      ]
      for (const { description } of [
        found.items[0],
        sessions.items[0],
        suites.items[0],
        suite.actions[0],
        suite.actions[0].parameters[0]
      ]) {
        expect(description).toMatch(cut)
      }
      expect(suite.suite.description).toBe(long)
      yield* sql`update capabilities set gone_at = now() where id = ${ids["CapabilityId"] ?? ""}`
      expect(yield* asMe(refused("get_tool", { tool_id: ids["CapabilityId"] }))).toMatch(/^not_found: /)
    })
  )

  it.effect("create_example tells how far it is until it is finished, or answers at once", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const told: Array<number> = []
      const input = inputOf("create_example", ids)
      const example = yield* as(me)(
        answered("create_example", input, ({ progress }) => Effect.sync(() => told.push(progress)))
      )
      expect(example).toMatchObject({ status: "COMPLETED", session_id: ids["SessionId"] })
      expect(told.at(-1)).toBe(4)
      expect(told).toEqual([...new Set(told)].toSorted())
      const atOnce = yield* as(me)(call("create_example", { ...input, wait: false }))
      expect(atOnce.structuredContent).toMatchObject({ status: "PENDING" })
      expect(textOf(atOnce)).toContain("Call get_example with example_id")
      const blind = yield* as(me, { scopes: ["examples:write"] })(answered("create_example", input))
      expect(blind).toMatchObject({ status: "PENDING" })
    })
  )

  it.effect("create_example tells which example it made, even when it cannot see how that goes on", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const { sql } = yield* TestServer
      let made = ""
      const away = Effect.gen(function* () {
        const [newest] = yield* sql<{ id: string }>`select id from examples where org_id = ${me.org_id}
          order by id desc limit 1`
        made = newest?.id ?? ""
        yield* sql`delete from examples where id = ${made}`
      })
      let told = 0
      const answer = yield* as(me)(
        call("create_example", inputOf("create_example", ids), () => {
          told += 1
          return told === 1 ? Effect.orDie(away) : Effect.void
        })
      )
      expect(answer.isError, textOf(answer)).toBeUndefined()
      expect(answer.structuredContent).toMatchObject({ id: made, status: "PENDING" })
      expect(textOf(answer)).toContain(`Call get_example with example_id ${made}`)
    })
  )

  it.effect("a call that is interrupted waits no longer, and the example goes on", () =>
    Effect.gen(function* () {
      const { me, ids } = yield* World
      const begun = yield* Deferred.make<void>()
      const { sql } = yield* TestServer
      const waiting = yield* Effect.fork(
        as(me)(
          call("create_example", inputOf("create_example", ids), () =>
            // Told of the first stage, it is held there until it is interrupted.
            Effect.zipRight(Deferred.succeed(begun, undefined), Effect.never)
          )
        )
      )
      yield* Deferred.await(begun)
      expect(Exit.isInterrupted(yield* Fiber.interrupt(waiting))).toBe(true)
      const newest = sql<{
        status: string
      }>`select status from examples where org_id = ${me.org_id} order by id desc limit 1`
      expect(yield* eventually(newest, ([row]) => row?.status === "COMPLETED")).toEqual([{ status: "COMPLETED" }])
    })
  )

  it.effect("of a fault of the service nothing is told but the request id", () =>
    Effect.gen(function* () {
      const { stranger, theirs } = yield* World
      const { data_dir } = yield* TestServer
      const folder = join(data_dir, "objects", "orgs", stranger.org_id, "examples")
      yield* Effect.promise(() => rm(folder, { recursive: true }))
      const text = yield* as(stranger)(refused("get_example_messages", { example_id: theirs["ExampleId"] })).pipe(
        Effect.provideService(RequestInfo, { request_id: "request-4711", ip: null })
      )
      expect(text).toBe("internal_error: the service failed; request id request-4711.")
    })
  )
})
