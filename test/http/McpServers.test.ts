import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { client, request, TestServer } from "../support/TestServer.ts"

const json = { "content-type": "application/json" }
const post = (path: string, body: unknown, method = "POST") =>
  Effect.flatMap(request(path, { method, body: JSON.stringify(body), headers: json }), (response) =>
    Effect.map(
      Effect.promise(() => response.json()),
      (body) => ({ status: response.status, body })
    )
  )

const tool = {
  name: "send_message",
  description: "sends mail",
  input_schema: {
    type: "object",
    required: ["to"],
    properties: {
      to: { type: "string", description: "the recipient" },
      urgent: { type: ["null", "boolean"] },
      at: { anyOf: [{ type: "null" }, { type: "integer" }] },
      body: { properties: { text: { type: "string" } } },
      anything: true
    }
  }
}

layer(TestServer.layer())("MCP servers", (it) => {
  it.effect("the transport follows from the command or the URL", () =>
    Effect.gen(function* () {
      const stdio = yield* post("/v1/mcp/servers", { name: "local", command: "mail-mcp", args: ["--verbose"] })
      expect(stdio).toMatchObject({ status: 201, body: { transport: "stdio", status: "registered", url: null } })
      const http = yield* post("/v1/mcp/servers", { name: "remote", url: "https://mcp.example/mcp" })
      expect(http).toMatchObject({ status: 201, body: { transport: "streamable-http", command: null } })
      const sse = yield* post("/v1/mcp/servers", { name: "old", url: "https://mcp.example/sse", transport: "sse" })
      expect(sse).toMatchObject({ status: 201, body: { transport: "sse" } })
      const moved = yield* post(`/v1/mcp/servers/${sse.body.id}`, { url: null, command: "mail-mcp" }, "PATCH")
      expect(moved).toMatchObject({ status: 200, body: { transport: "stdio", command: "mail-mcp" } })
    })
  )

  it.effect.each([
    [{ url: "https://x.example", command: "x" }, "url"],
    [{}, "command"],
    [{ command: "x", transport: "sse" }, "transport"],
    [{ url: "ftp://x.example" }, "url"],
    [{ url: "https://user:pass@x.example" }, "url"],
    [{ url: "https://x.example/?api_key=abc" }, "url"],
    [{ url: "https://x.example", headers: { Authorization: "Bearer abc" } }, "headers.Authorization"],
    [{ url: "https://x.example", headers: { "X-Api-Key": "abc" } }, "headers.X-Api-Key"],
    [{ url: "https://x.example", headers: { "X-Custom": "Bearer abcdefgh" } }, "headers.X-Custom"],
    [{ url: "https://x.example", headers: { "bad name": "x" } }, "headers.bad name"],
    [{ command: "x", env: { GITHUB_TOKEN: "abc" } }, "env.GITHUB_TOKEN"],
    [{ command: "x", env: { DATABASE_URL: "postgres://me:pw@host/db" } }, "env.DATABASE_URL"],
    [{ command: "x", args: ["--api-key=abc"] }, "args.0"]
  ] as const)("%j is a 422 that names %s", ([body, path]) =>
    Effect.gen(function* () {
      const answer = yield* post("/v1/mcp/servers", { name: "bad", ...body })
      expect(answer).toMatchObject({ status: 422, body: { code: "validation_error" } })
      expect(answer.body.errors.map((issue: { path: string }) => issue.path)).toContain(path)
    })
  )

  it.effect("lists are filtered, and a deleted server is nowhere", () =>
    Effect.gen(function* () {
      const { mcp_servers: servers } = yield* client()
      const { body } = yield* post("/v1/mcp/servers", {
        name: "tagged",
        url: "https://tagged.example",
        tags: ["mail", "eu"],
        environment: "production"
      })
      const names = (urlParams: Omit<Parameters<typeof servers.list>[0]["urlParams"], "limit">) =>
        Effect.map(servers.list({ urlParams: { limit: 100, ...urlParams } }), ({ items }) =>
          items.map(({ name }) => name)
        )
      expect(yield* names({ tag: "mail" })).toEqual(["tagged"])
      expect(yield* names({ environment: "production" })).toEqual(["tagged"])
      expect(yield* names({ tag: "mail", transport: "stdio" })).toEqual([])
      expect(yield* names({ status: "registered", q: "TAGG" })).toEqual(["tagged"])
      yield* servers.delete({ path: { id: body.id } })
      expect(yield* names({ tag: "mail" })).toEqual([])
      for (const path of ["", "/tools", "/capabilities"]) {
        expect((yield* request(`/v1/mcp/servers/${body.id}${path}`)).status).toBe(404)
      }
      const again = yield* post("/v1/mcp/servers", { name: "tagged", url: "https://tagged.example" })
      expect(again.status).toBe(201)
      const taken = yield* post("/v1/mcp/servers", { name: "tagged", url: "https://tagged.example" })
      expect(taken).toMatchObject({ status: 409, body: { _tag: "McpServerNameTaken" } })
    })
  )
})

layer(TestServer.layer())("tools described by hand", (it) => {
  const server = (name: string) =>
    Effect.map(post("/v1/mcp/servers", { name, url: "https://tools.example" }), ({ body }) => String(body.id))

  it.effect("a tool shows its parameters as its input schema has them", () =>
    Effect.gen(function* () {
      const id = yield* server("schemas")
      const { status, body } = yield* post(`/v1/mcp/servers/${id}/tools`, tool)
      expect(status).toBe(201)
      expect(body).toMatchObject({ ...tool, source: "manual", title: null, output_schema: null, enabled: true })
      expect(JSON.stringify(body.input_schema)).toBe(JSON.stringify(tool.input_schema))
      expect(body.parameters).toEqual([
        { name: "to", type: "STRING", required: true, description: "the recipient" },
        { name: "urgent", type: "BOOLEAN", required: false, description: "" },
        { name: "at", type: "NUMBER", required: false, description: "" },
        { name: "body", type: "OBJECT", required: false, description: "" },
        { name: "anything", type: "STRING", required: false, description: "" }
      ])
      expect((yield* post(`/v1/mcp/servers/${id}/tools`, tool)).body).toMatchObject({
        _tag: "ToolNameTaken",
        status: 409
      })
    })
  )

  it.effect("the definition's hash changes with the definition, and not with the order of its keys", () =>
    Effect.gen(function* () {
      const id = yield* server("hashes")
      const { body: made } = yield* post(`/v1/mcp/servers/${id}/tools`, tool)
      const path = `/v1/mcp/servers/${id}/tools/${made.id}`
      const { required, ...schema } = tool.input_schema
      const { body: reordered } = yield* post(path, { input_schema: { ...schema, required } }, "PATCH")
      expect(reordered.definition_hash).toBe(made.definition_hash)
      const { body: changed } = yield* post(path, { description: "sends it" }, "PATCH")
      expect(changed.definition_hash).not.toBe(made.definition_hash)
      expect(changed.definition_hash).toMatch(/^[0-9a-f]{64}$/)
      const capabilities = yield* request(`/v1/mcp/servers/${id}/capabilities?kind=tool`)
      expect(yield* Effect.promise(() => capabilities.json())).toMatchObject({
        items: [{ id: made.id, kind: "tool", approved_hash: changed.definition_hash }]
      })
      const prompts = yield* request(`/v1/mcp/servers/${id}/capabilities?kind=prompt`)
      expect(yield* Effect.promise(() => prompts.json())).toEqual({ items: [], next_cursor: null })
    })
  )

  it.effect.each([
    [{ type: "string" }, "input_schema.type"],
    [{ type: "object", properties: { to: { type: "text" } } }, "input_schema.properties.to.type"],
    [{ type: "object", properties: [] }, "input_schema.properties"],
    [{ type: "object", required: "to" }, "input_schema.required"],
    [{ type: "object", text: "x".repeat(70_000) }, "input_schema"]
  ] as const)("a schema that is none is a 422 that says where: %j", ([input_schema, path]) =>
    Effect.gen(function* () {
      const id = yield* server(`invalid ${path} ${JSON.stringify(input_schema).length}`)
      const { status, body } = yield* post(`/v1/mcp/servers/${id}/tools`, { name: "t", input_schema })
      expect(status).toBe(422)
      expect(body.errors).toMatchObject([{ path }])
    })
  )

  it.effect("what was discovered is not changed by hand", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const id = yield* server("discovered")
      const { body } = yield* post(`/v1/mcp/servers/${id}/tools`, tool)
      yield* sql`update capabilities set source = 'discovered' where id = ${body.id}`
      const path = `/v1/mcp/servers/${id}/tools/${body.id}`
      expect((yield* post(path, { title: "x" }, "PATCH")).body).toMatchObject({ status: 409, _tag: "ToolDiscovered" })
      expect((yield* request(path, { method: "DELETE" })).status).toBe(409)
    })
  )

  it.effect("PUT makes a server with its tools, once, and then what the body says", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const wanted = { name: "put", url: "https://put.example", env: {}, headers: { b: "2", a: "1" }, tools: [tool] }
      const first = yield* post("/v1/mcp/servers", wanted, "PUT")
      expect(first).toMatchObject({ status: 201, body: { change: "created", tools: [{ name: tool.name }] } })
      const rows = sql`select (select json_agg(s order by id) from mcp_servers s) as servers,
        (select json_agg(c order by id) from capabilities c) as tools, (select count(*) from audit_entries) as entries`
      const before = yield* rows
      const again = yield* post("/v1/mcp/servers", wanted, "PUT")
      expect(again).toMatchObject({ status: 200, body: { ...first.body, change: "unchanged" } })
      expect(yield* rows).toEqual(before)
      const other = { ...tool, name: "other" }
      const { body } = yield* post("/v1/mcp/servers", { ...wanted, tags: ["x"], tools: [other, tool] }, "PUT")
      expect(body).toMatchObject({ id: first.body.id, tags: ["x"], change: "updated" })
      expect(body.tools.map((one: { name: string }) => one.name).sort()).toEqual(["other", tool.name])
      const last = yield* post("/v1/mcp/servers", { ...wanted, tools: [] }, "PUT")
      expect(last.body).toMatchObject({ tags: [], tools: [], change: "updated" })
    })
  )
})
