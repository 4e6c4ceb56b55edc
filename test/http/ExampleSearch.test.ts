import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import type { SessionId, SuiteId } from "../../src/domain/Ids.ts"
import { customerSuite, customers, finished, jsonl, lexical, recorded } from "../support/Customers.ts"
import { type Caller, key, organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

/** A conversation in which somebody is made a customer. */
const talk = (wanted: string, full_name: string) =>
  jsonl(
    { role: "user", content: wanted },
    {
      role: "assistant",
      content: null,
      tool_calls: [
        {
          id: "x1",
          type: "function",
          function: { name: "create_customer", arguments: JSON.stringify({ full_name }) }
        }
      ]
    },
    { role: "tool", tool_call_id: "x1", content: '{"id":"zebra"}' },
    { role: "assistant", content: "It is done." }
  )

const uploaded = (suite_id: SuiteId, text: string) =>
  Effect.gen(function* () {
    const response = yield* request(`/v1/sessions?suite_id=${suite_id}`, {
      method: "POST",
      headers: { "content-type": "application/x-ndjson" },
      body: text
    })
    const body: { readonly id: SessionId } = yield* Effect.promise(() => response.json())
    expect(response.status, JSON.stringify(body)).toBe(201)
    return body.id
  })

const made = (session_id: SessionId) =>
  Effect.gen(function* () {
    const { examples } = yield* client()
    const { id } = yield* examples.create({
      payload: { session_id, model_id: lexical, model_configuration: {}, range: null }
    })
    const example = yield* finished(id)
    expect(example.error_message).toBeNull()
    return example
  })

const search = Effect.gen(function* () {
  const { examples } = yield* client()
  type Wanted = Parameters<typeof examples.search>[0]["urlParams"]
  return (wanted: Omit<Wanted, "limit">) =>
    Effect.map(examples.search({ urlParams: { limit: 20, ...wanted } }), ({ items }) => items)
})

const titles = (items: ReadonlyArray<{ readonly title: string }>) => items.map(({ title }) => title)

layer(TestServer.layer(), { excludeTestServices: true })("the search for examples", (it) => {
  it.effect("finds what is completed by suite, action, tool and words, each that says something once", () =>
    Effect.gen(function* () {
      const suite_id = yield* customerSuite("Found")
      const ada = "Add Ada Lovelace to the customers"
      const bob = "Please register our newest partner, Bob"
      const first = yield* made(yield* uploaded(suite_id, talk(ada, "Ada")))
      yield* made(yield* uploaded(suite_id, talk(bob, "Bob")))
      const again = yield* made(yield* uploaded(suite_id, talk(ada, "Ada")))
      expect(again.duplicate_of).toBe(first.id)
      const browsed = yield* made(yield* recorded(suite_id, customers(1), "Recorded by a person"))
      const find = yield* search

      expect(titles(yield* find({ suite_id }))).toEqual(["Recorded by a person", bob, ada])
      const [best] = yield* find({ suite_id, q: "registering partners" })
      expect(best).toMatchObject({
        title: bob,
        suite_id,
        actions: ["create_customer"],
        tools: ["create_customer"],
        confidence: 1,
        message_count: 5
      })
      expect(titles(yield* find({ suite_id, q: "lovelace" }))).toEqual([ada])
      // What a tool answered is nobody's words.
      expect(yield* find({ suite_id, q: "zebra" })).toEqual([])

      // Page by page, each once: what says the same as an earlier one is on none of them.
      const seen: Array<string> = []
      const api = yield* client()
      let cursor: string | null = null
      do {
        const page: Effect.Effect.Success<ReturnType<typeof api.examples.search>> = yield* api.examples.search({
          urlParams: { limit: 1, suite_id, ...(cursor === null ? {} : { cursor }) }
        })
        seen.push(...titles(page.items))
        cursor = page.next_cursor
      } while (cursor !== null)
      expect(seen).toEqual(["Recorded by a person", bob, ada])

      const [map] = (yield* api.action_tool_maps.list({ urlParams: { limit: 1, suite_id } })).items
      const { action_id = "", tool_id = "" } = map?.mappings[0] ?? {}
      for (const wanted of [
        { action: "create_customer" },
        { tool: "create_customer" },
        { action: action_id },
        { tool: tool_id }
      ]) {
        expect((yield* find({ suite_id, ...wanted })).map(({ id }) => id)[0], JSON.stringify(wanted)).toBe(browsed.id)
        expect((yield* find({ suite_id, ...wanted })).length).toBe(3)
      }
      expect(yield* find({ suite_id, action: "delete_invoice" })).toEqual([])
      expect(yield* find({ suite_id, tool: "create" })).toEqual([])
      expect(yield* find({ suite_id, tool: Bun.randomUUIDv7() })).toEqual([])

      // Of one that was made before titles were noted nothing is told that might have to be redacted.
      const { sql } = yield* TestServer
      yield* Effect.orDie(sql`update examples set title = null where id = ${browsed.id}`)
      expect(titles(yield* find({ suite_id }))).toEqual(["", bob, ada])

      const other = yield* client((yield* organization()).api_key)
      expect(yield* other.examples.search({ urlParams: { limit: 20, tool: "create_customer" } })).toEqual({
        items: [],
        next_cursor: null
      })
    })
  )

  it.effect("leaves out what a reviewer rejected, and finds what one wrote instead", () =>
    Effect.gen(function* () {
      const suite_id = yield* customerSuite("Reviewed")
      const wrong = yield* made(yield* uploaded(suite_id, talk("Make a customer of Carol", "Carol")))
      const vague = yield* made(yield* uploaded(suite_id, talk("Do it for Dave", "Dave")))
      const { examples } = yield* client()
      yield* examples.review({ path: { id: wrong.id }, payload: { decision: "reject" } })
      const messages = [
        { role: "user" as const, content: "Enrol Dave as a wholesale customer" },
        { role: "assistant" as const, content: "He has to sign first." }
      ]
      yield* examples.review({ path: { id: vague.id }, payload: { decision: "accept", messages } })
      const find = yield* search
      expect(yield* find({ suite_id })).toMatchObject([
        { id: vague.id, title: "Enrol Dave as a wholesale customer", actions: [], tools: [], message_count: 2 }
      ])
      expect((yield* find({ suite_id, q: "wholesale" })).map(({ id }) => id)).toEqual([vague.id])
      expect(yield* find({ suite_id, tool: "create_customer" })).toEqual([])
    })
  )

  it.effect("shows a key that is restricted to some suites nothing of the others", () =>
    Effect.gen(function* () {
      const suite_id = yield* customerSuite("Mine")
      const others = yield* customerSuite("Others")
      yield* made(yield* uploaded(suite_id, talk("Take Eve in", "Eve")))
      yield* made(yield* uploaded(others, talk("Take Frank in", "Frank")))
      const { sql } = yield* TestServer
      const [owner] = yield* Effect.orDie(
        sql<Pick<Caller, "org_id" | "user_id">>`select org_id, user_id from memberships
          where org_id = (select org_id from suites where id = ${suite_id})`
      )
      const { api_key } = yield* key(owner!, { suite_ids: [suite_id] })
      const { examples } = yield* client(api_key)
      const { items } = yield* examples.search({ urlParams: { limit: 20, q: "take" } })
      expect(titles(items)).toEqual(["Take Eve in"])
    })
  )
})
