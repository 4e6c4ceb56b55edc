import { randomBytes } from "node:crypto"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { organization } from "../support/Organizations.ts"
import { client, request, TestServer } from "../support/TestServer.ts"

interface Tool {
  readonly name: string
  readonly title?: string
  readonly description?: string
  readonly properties?: Readonly<Record<string, object>>
}

const json = { "content-type": "application/json" }

const posted = (api_key: string, path: string, body: unknown) =>
  Effect.gen(function* () {
    const response = yield* request(path, { method: "POST", body: JSON.stringify(body), headers: json, api_key })
    const answer: { readonly id: string } = yield* Effect.promise(() => response.json())
    expect(response.status, JSON.stringify(answer)).toBe(201)
    return answer.id
  })

const server = (api_key: string, about: object, tools: ReadonlyArray<Tool> = []) =>
  Effect.gen(function* () {
    const id = yield* posted(api_key, "/v1/mcp/servers", { url: "https://mcp.example/mcp", ...about })
    for (const { properties = {}, ...tool } of tools) {
      yield* posted(api_key, `/v1/mcp/servers/${id}/tools`, { ...tool, input_schema: { type: "object", properties } })
    }
    return id
  })

const text = { type: "string" }

const issues: ReadonlyArray<Tool> = [
  {
    name: "create_issue",
    title: "New issue",
    description: "Opens a ticket in the tracker of a repository",
    properties: { title: text, body: { ...text, description: "what went wrong, in Markdown" }, labels: {} }
  },
  { name: "list_issues", description: "Tickets of a repository", properties: { repository: text } },
  { name: "closeIssue", description: "Ends a ticket", properties: { number: { type: "integer" } } }
]
const mail: ReadonlyArray<Tool> = [
  { name: "send_mail", description: "Sends a message to somebody", properties: { to: text, body: text } },
  { name: "search_mail", description: "Finds messages about an issue", properties: { query: text } }
]

/** An organization with two servers, and who asks there. */
const world = Effect.gen(function* () {
  const { api_key, org_id } = yield* organization()
  const tracker = yield* server(
    api_key,
    { name: "issue-tracker", tags: ["code"], description: "Work items", environment: "production" },
    issues
  )
  const post = yield* server(api_key, { name: "Postbox", tags: ["mail", "people"], description: "Letters" }, mail)
  const { discovery } = yield* client(api_key)
  type Wanted = Parameters<typeof discovery.capabilities>[0]["urlParams"]
  type WantedServer = Parameters<typeof discovery.servers>[0]["urlParams"]
  const found = (wanted: Omit<Wanted, "limit">) =>
    Effect.map(discovery.capabilities({ urlParams: { limit: 100, ...wanted } }), ({ items }) =>
      items.map(({ name }) => name)
    )
  const servers = (wanted: Omit<WantedServer, "limit">) =>
    Effect.map(discovery.servers({ urlParams: { limit: 100, ...wanted } }), ({ items }) =>
      items.map(({ name }) => name)
    )
  return { api_key, org_id, tracker, post, discovery, found, servers }
})

layer(TestServer.layer())("discovery", (it) => {
  it.effect("takes names of properties that are longer than an index's keys", () =>
    Effect.gen(function* () {
      const { api_key, found, tracker } = yield* world
      // At random: nothing makes it shorter.
      const long = randomBytes(2250).toString("base64url")
      const input_schema = { type: "object", properties: { [long]: text, by_its_short_name: text } }
      yield* posted(api_key, `/v1/mcp/servers/${tracker}/tools`, { name: "long", input_schema })
      expect(yield* found({ schema: ["by_its_short_name"] })).toEqual(["long"])
    })
  )

  it.effect("finds capabilities by their names, with typing errors and by parts of them", () =>
    Effect.gen(function* () {
      const { found } = yield* world
      for (const q of ["create_issue", "creat_isue", "createIssue", "create issue", "CREATE ISSUE", "create_iss"]) {
        expect((yield* found({ q }))[0], q).toBe("create_issue")
      }
      for (const name of ["create_issue", "creat_isue", "reate_iss"]) {
        expect((yield* found({ name }))[0], name).toBe("create_issue")
      }
      expect(yield* found({ name: "clos" })).toEqual(["closeIssue"])
      expect(yield* found({ name: "%" })).toEqual([])
      expect(yield* found({ q: "no such thing" })).toEqual([])
    })
  )

  it.effect("finds them by what they are for, what is named so before what only speaks of it", () =>
    Effect.gen(function* () {
      const { found } = yield* world
      const tickets = yield* found({ q: "opening tickets" })
      expect(tickets[0]).toBe("create_issue")
      expect(tickets.toSorted()).toEqual(["closeIssue", "create_issue", "list_issues"])
      expect(yield* found({ q: "markdown" })).toEqual(["create_issue"])
      expect((yield* found({ q: "please send a message to somebody about the delay" }))[0]).toBe("send_mail")
      expect(yield* found({ q: "repository" })).toEqual(["list_issues", "create_issue"])
      const about = yield* found({ q: "issues" })
      expect(about.toSorted()).toEqual(["closeIssue", "create_issue", "list_issues", "search_mail"])
      expect(about.at(-1)).toBe("search_mail")
    })
  )

  it.effect("filters by kind and by the properties that a schema takes, all of them", () =>
    Effect.gen(function* () {
      const { found, discovery } = yield* world
      expect((yield* found({ schema: ["body"] })).toSorted()).toEqual(["create_issue", "send_mail"])
      expect(yield* found({ schema: ["body", "title"] })).toEqual(["create_issue"])
      expect(yield* found({ schema: ["body", "nothing"] })).toEqual([])
      expect(yield* found({ schema: ["body"], q: "message" })).toEqual(["send_mail"])
      expect(yield* found({ kind: "prompt" })).toEqual([])
      expect((yield* found({ kind: "tool" })).length).toBe(5)
      const { items } = yield* discovery.capabilities({ urlParams: { limit: 1, q: "send mail" } })
      expect(items[0]).toMatchObject({
        name: "send_mail",
        kind: "tool",
        server: { name: "Postbox", transport: "streamable-http", status: "registered", url: "https://mcp.example/mcp" },
        input_schema: { properties: { to: text } }
      })
      expect(items[0]?.score).toBeGreaterThan(0.5)
      expect(items[0]?.score).toBeLessThanOrEqual(1)
    })
  )

  it.effect("finds servers by words, tag, environment and what they offer", () =>
    Effect.gen(function* () {
      const { servers } = yield* world
      expect(yield* servers({ q: "isue traker" })).toEqual(["issue-tracker"])
      expect(yield* servers({ q: "letter" })).toEqual(["Postbox"])
      expect(yield* servers({ tag: "people" })).toEqual(["Postbox"])
      expect(yield* servers({ q: "people" })).toEqual(["Postbox"])
      expect(yield* servers({ environment: "production" })).toEqual(["issue-tracker"])
      expect(yield* servers({ capability: "send_mial" })).toEqual(["Postbox"])
      expect((yield* servers({})).toSorted()).toEqual(["Postbox", "issue-tracker"])
    })
  )

  it.effect("does not find what is switched off, gone, of a deleted server or of somebody else", () =>
    Effect.gen(function* () {
      const { found, servers, tracker, api_key, discovery } = yield* world
      const { sql } = yield* TestServer
      yield* Effect.orDie(
        sql`update capabilities set enabled = false where server_id = ${tracker} and name = 'create_issue'`
      )
      yield* Effect.orDie(
        sql`update capabilities set gone_at = now() where server_id = ${tracker} and name = 'closeIssue'`
      )
      expect((yield* found({ q: "issue" })).toSorted()).toEqual(["list_issues", "search_mail"])
      expect(yield* servers({ capability: "create_issue" })).toEqual([])
      const { items } = yield* discovery.servers({ urlParams: { limit: 1, q: "tracker" } })
      expect(items).toMatchObject([{ name: "issue-tracker", capability_count: 1 }])
      const gone = yield* request(`/v1/mcp/servers/${tracker}`, { method: "DELETE", api_key })
      expect(gone.status).toBe(204)
      expect(yield* found({ q: "issue" })).toEqual(["search_mail"])
      expect(yield* servers({})).toEqual(["Postbox"])
      const other = yield* client((yield* organization()).api_key)
      expect(yield* other.discovery.capabilities({ urlParams: { limit: 20 } })).toEqual({
        items: [],
        next_cursor: null
      })
      expect(yield* other.discovery.servers({ urlParams: { limit: 20, q: "Postbox" } })).toEqual({
        items: [],
        next_cursor: null
      })
    })
  )

  it.effect("tells nothing of how a server is opened", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      const id = yield* server(api_key, { name: "closed", headers: { "X-Team": "internal-team" } }, mail)
      for (const path of ["servers", "capabilities"]) {
        const response = yield* request(`/v1/discovery/${path}`, { api_key })
        const body = yield* Effect.promise(() => response.text())
        expect(body).toContain(id)
        expect(body).not.toContain("internal-team")
        expect(body).not.toMatch(/"(headers|env|args|command|config)"/)
      }
    })
  )

  it.effect("pages through what fits, best first, each once", () =>
    Effect.gen(function* () {
      const { api_key } = yield* organization()
      // Many of the same score: the ids alone tell them apart.
      const tools = Array.from({ length: 23 }, (_, at) => ({
        name: `report_${at % 2 === 0 ? "sales" : "stock"}_${at}`
      }))
      yield* server(api_key, { name: "reports" }, tools)
      const { discovery } = yield* client(api_key)
      const whole = yield* discovery.capabilities({ urlParams: { limit: 100, q: "sales report" } })
      expect(whole.items.map(({ name }) => name).toSorted()).toEqual(tools.map(({ name }) => name).toSorted())
      expect(whole.items.map(({ score }) => score)).toEqual(
        whole.items.map(({ score }) => score).toSorted((a, b) => b - a)
      )
      const paged: Array<string> = []
      let cursor: string | null = ""
      while (cursor !== null) {
        const page: typeof whole = yield* discovery.capabilities({
          urlParams: { limit: 4, q: "sales report", ...(cursor === "" ? {} : { cursor }) }
        })
        paged.push(...page.items.map(({ id }) => id))
        cursor = page.next_cursor
      }
      expect(paged).toEqual(whole.items.map(({ id }) => id))
    })
  )
})
