import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { client, request, TestServer } from "../support/TestServer.ts"

const json = { "content-type": "application/json" }
const send = (method: string, path: string, body?: unknown) =>
  Effect.flatMap(
    request(path, body === undefined ? { method } : { method, body: JSON.stringify(body), headers: json }),
    (response) =>
      Effect.map(
        Effect.promise(() => response.text()),
        (text) => ({ status: response.status, body: text === "" ? undefined : JSON.parse(text) })
      )
  )

const to = { name: "to", type: "STRING", required: true }
const subject = { name: "subject", type: "STRING" }
const suiteBody = {
  actions: [
    { name: "send_email", parameters: [to, subject] },
    { name: "archive", parameters: [] }
  ]
}
const input_schema = {
  type: "object",
  properties: { recipient: { type: "string" }, message: { type: "object", properties: { title: { type: "string" } } } }
}
const serverBody = { url: "https://mail.example", tools: [{ name: "send_message", input_schema }] }
const mappings = [
  {
    action: "send_email",
    tool: "send_message",
    parameters: [
      { action_parameter: "to", tool_parameter: "recipient", transform: "trim" },
      { action_parameter: "subject", tool_parameter: "/message/title", transform: "none" }
    ]
  }
]

/** A suite, a server and a map between them, each of that name. */
const surface = (name: string) =>
  Effect.gen(function* () {
    const { body: suite } = yield* send("PUT", "/v1/suites", { name, ...suiteBody })
    const { body: server } = yield* send("PUT", "/v1/mcp/servers", { name, ...serverBody })
    const map = { suite_id: suite.id, server_id: server.id, name, mappings }
    const { body } = yield* send("POST", "/v1/action-tool-maps", map)
    return { suite, server, map: body }
  })

layer(TestServer.layer())("action–tool maps", (it) => {
  it.effect("a map is made, read, listed, changed and deleted; its version goes up with its content", () =>
    Effect.gen(function* () {
      const { suite, server, map } = yield* surface("crud")
      const path = `/v1/action-tool-maps/${map.id}`
      expect(map).toMatchObject({ version: 1, mappings })
      expect(map.mappings[0]).toMatchObject({ action_id: suite.actions[0].id, tool_id: server.tools[0].id })
      expect((yield* send("GET", path)).body).toEqual(map)
      const listed = yield* send("GET", `/v1/action-tool-maps?suite_id=${suite.id}&server_id=${server.id}`)
      expect(listed.body.items).toEqual([map])
      const renamed = yield* send("PATCH", path, { name: "renamed" })
      expect(renamed.body).toMatchObject({ name: "renamed", version: 1, mappings })
      const same = yield* send("PATCH", path, { mappings })
      expect(same.body).toEqual(renamed.body)
      const byId = [{ action: suite.actions[1].id, tool: server.tools[0].id }]
      const changed = yield* send("PATCH", path, { mappings: byId })
      expect(changed.body).toMatchObject({
        version: 2,
        mappings: [{ action: "archive", tool: "send_message", parameters: [] }]
      })
      expect((yield* send("DELETE", path)).status).toBe(204)
      expect((yield* send("GET", path)).status).toBe(404)
    })
  )

  it.effect("both sides are checked, and everything that is wrong has its path", () =>
    Effect.gen(function* () {
      const { suite, server } = yield* surface("checked")
      const answer = yield* send("POST", "/v1/action-tool-maps", {
        suite_id: suite.id,
        server_id: server.id,
        name: "wrong",
        mappings: [
          {
            action: "send_email",
            tool: "send_message",
            parameters: [
              { action_parameter: "to", tool_parameter: "recipient" },
              { action_parameter: "cc", tool_parameter: "/message/cc" },
              { action_parameter: "to", tool_parameter: "recipient" }
            ]
          },
          { action: "send_email", tool: "nothing" },
          { action: "nothing", tool: "send_message" }
        ]
      })
      expect(answer.status).toBe(422)
      expect(answer.body.errors.map((issue: { path: string }) => issue.path)).toEqual([
        "mappings.0.parameters.1.action_parameter",
        "mappings.0.parameters.1.tool_parameter",
        "mappings.0.parameters.2.tool_parameter",
        "mappings.1.tool",
        "mappings.1.action",
        "mappings.2.action"
      ])
    })
  )

  it.effect("an action or a tool of elsewhere is not there", () =>
    Effect.gen(function* () {
      const { suite, server } = yield* surface("here")
      const there = yield* surface("there")
      const answer = yield* send("POST", "/v1/action-tool-maps", {
        suite_id: suite.id,
        server_id: server.id,
        name: "crossed",
        mappings: [{ action: there.suite.actions[0].id, tool: there.server.tools[0].id }]
      })
      expect(answer.body.errors).toMatchObject([{ path: "mappings.0.action" }, { path: "mappings.0.tool" }])
    })
  )

  it.effect("what a map needs is not taken away: a 409 names the map", () =>
    Effect.gen(function* () {
      const { suite, server, map } = yield* surface("needed")
      const needed = { status: 409, _tag: "NeededByMaps", maps: [{ id: map.id, name: "needed" }] }
      const action = `/v1/suites/${suite.id}/actions/${suite.actions[0].id}`
      const tool = `/v1/mcp/servers/${server.id}/tools/${server.tools[0].id}`
      const attempts = [
        send("DELETE", `/v1/suites/${suite.id}`),
        send("DELETE", action),
        send("PATCH", action, { parameters: [to] }),
        send("PUT", "/v1/suites", { name: "needed", actions: [] }),
        send("DELETE", `/v1/mcp/servers/${server.id}`),
        send("DELETE", tool),
        send("PATCH", tool, { input_schema: { type: "object", properties: { recipient: {} } } }),
        send("PUT", "/v1/mcp/servers", { name: "needed", ...serverBody, tools: [] })
      ]
      for (const attempt of attempts) {
        const { body } = yield* attempt
        expect(body).toMatchObject(needed)
        expect(body.detail).toContain('"needed"')
      }
      expect((yield* send("DELETE", `/v1/suites/${suite.id}/actions/${suite.actions[1].id}`)).status).toBe(204)
      expect((yield* send("PATCH", action, { name: "send", parameters: [subject, to] })).status).toBe(200)
      expect((yield* send("GET", `/v1/action-tool-maps/${map.id}`)).body.mappings[0].action).toBe("send")
      yield* send("DELETE", `/v1/action-tool-maps/${map.id}`)
      expect((yield* send("DELETE", `/v1/suites/${suite.id}`)).status).toBe(204)
      expect((yield* send("DELETE", `/v1/mcp/servers/${server.id}`)).status).toBe(204)
    })
  )

  it.effect("PUT finds a map by its suite and its name, and does nothing twice", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      yield* surface("put")
      const wanted = { suite: "put", server: "put", name: "other", mappings }
      const first = yield* send("PUT", "/v1/action-tool-maps", wanted)
      expect(first).toMatchObject({ status: 201, body: { version: 1, change: "created" } })
      const rows = sql`select (select json_agg(m order by id) from action_tool_maps m) as maps,
        (select json_agg(m order by id) from action_tool_mappings m) as mappings,
        (select count(*) from audit_entries) as entries`
      const before = yield* rows
      const again = yield* send("PUT", "/v1/action-tool-maps", wanted)
      expect(again).toMatchObject({ status: 200, body: { ...first.body, change: "unchanged" } })
      expect(yield* rows).toEqual(before)
      const emptied = yield* send("PUT", "/v1/action-tool-maps", { ...wanted, mappings: [] })
      expect(emptied).toMatchObject({ status: 200, body: { version: 2, mappings: [], change: "updated" } })
      const unknown = yield* send("PUT", "/v1/action-tool-maps", { ...wanted, server: "nowhere" })
      expect(unknown).toMatchObject({ status: 404 })
    })
  )

  it.effect("a key that is restricted to some suites sees the maps of those only", () =>
    Effect.gen(function* () {
      const { api_keys } = yield* client()
      const mine = yield* surface("mine")
      const theirs = yield* surface("theirs")
      const { key } = yield* api_keys.create({ payload: { name: "restricted", suite_ids: [mine.suite.id] } })
      const { action_tool_maps: maps } = yield* client(key)
      const { items } = yield* maps.list({ urlParams: { limit: 100 } })
      expect(items.map(({ name }) => name)).toEqual(["mine"])
      expect((yield* Effect.flip(maps.get({ path: { id: theirs.map.id } })))._tag).toBe("NotFound")
      expect((yield* Effect.flip(maps.delete({ path: { id: theirs.map.id } })))._tag).toBe("NotFound")
    })
  )
})
