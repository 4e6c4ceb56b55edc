import { expect, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { organization } from "../support/Organizations.ts"
import { client, TestServer } from "../support/TestServer.ts"

type Fields = Readonly<Record<string, string>>

const accept = "application/json, text/event-stream"

const initialize = {
  jsonrpc: "2.0",
  id: 1,
  method: "initialize",
  params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1.0.0" } }
}

/** Asks `/mcp` as whom the fields name. A stream is left after its head, or what it holds when it ends. */
const ask = (method: "POST" | "GET" | "DELETE", fields: Fields, message?: unknown) =>
  Effect.flatMap(TestServer, ({ base_url }) =>
    Effect.promise(async () => {
      const abort = new AbortController()
      const response = await fetch(`${base_url}/mcp`, {
        method,
        headers: { accept, ...fields, ...(message === undefined ? {} : { "content-type": "application/json" }) },
        signal: abort.signal,
        ...(message === undefined ? {} : { body: JSON.stringify(message) })
      })
      const { status, headers } = response
      const isOpen = method === "GET" && status === 200
      const text = isOpen ? "" : await response.text()
      if (isOpen) abort.abort()
      return { status, text, session: headers.get("mcp-session-id"), event: /^id: (.+)$/m.exec(text)?.[1] ?? "" }
    })
  )

/** The first's session, and everybody who is somebody else. */
class Strangers extends Context.Tag("test/Strangers")<
  Strangers,
  {
    readonly owner: Fields
    readonly session: string
    readonly event: string
    readonly others: Readonly<Record<string, Fields>>
  }
>() {
  static readonly layer = Layer.effect(
    Strangers,
    Effect.gen(function* () {
      const { api_key } = yield* TestServer
      const { agents } = yield* client()
      const agent = (name: string) =>
        Effect.map(
          agents.create({ payload: { name, description: "", record: false, scopes: ["suites:read"] } }),
          ({ client_id, client_secret }) => ({ "mcp-client-id": client_id, "api-key": client_secret })
        )
      const owner = yield* agent("first")
      const begun = yield* ask("POST", owner, initialize)
      return {
        owner,
        session: begun.session ?? "",
        event: begun.event,
        others: {
          "a second agent of the organization": yield* agent("second"),
          "a person of the organization": { "x-api-key": api_key },
          "another organization": { "x-api-key": (yield* organization()).api_key }
        }
      }
    })
  ).pipe(Layer.provideMerge(TestServer.layer()))
}

const list = { jsonrpc: "2.0", id: 2, method: "tools/list" }

const requests = {
  "a request": (fields: Fields) => ask("POST", fields, list),
  "a call": (fields: Fields) =>
    ask("POST", fields, { ...list, method: "tools/call", params: { name: "list_suites", arguments: {} } }),
  "the end of a call": (fields: Fields) =>
    ask("POST", fields, { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 2 } }),
  "an answer": (fields: Fields) => ask("POST", fields, { jsonrpc: "2.0", id: 2, result: {} }),
  "many at once": (fields: Fields) => ask("POST", fields, [list, { ...list, id: 3 }]),
  "another beginning": (fields: Fields) => ask("POST", fields, initialize),
  "its stream": (fields: Fields) => ask("GET", fields),
  "what was missed": (fields: Fields, event: string) => ask("GET", { ...fields, "last-event-id": event }),
  "its end": (fields: Fields) => ask("DELETE", fields)
}

layer(Strangers.layer)("somebody else's MCP session", (it) => {
  for (const who of ["a second agent of the organization", "a person of the organization", "another organization"]) {
    for (const [what, request] of Object.entries(requests)) {
      it.effect(`${what}, asked for by ${who}, is answered as for one that does not exist`, () =>
        Effect.gen(function* () {
          const { owner, session, event, others } = yield* Strangers
          expect([session.length, event.length > 0]).toEqual([32, true])
          const fields = others[who] ?? {}
          const foreign = yield* request({ ...fields, "mcp-session-id": session }, event)
          const missing = yield* request({ ...fields, "mcp-session-id": "x".repeat(32) }, event)
          expect(foreign).toEqual(missing)
          expect(foreign.status).toBe(404)
          // It is as it was.
          expect((yield* ask("POST", { ...owner, "mcp-session-id": session }, list)).text).toContain('"list_suites"')
        })
      )
    }
  }

  it.effect("its owner may do all of that, and ends it", () =>
    Effect.gen(function* () {
      const { owner, session } = yield* Strangers
      const own = { ...owner, "mcp-session-id": session }
      // Of the first answer nothing may be left: what a session keeps is bounded.
      const { event } = yield* ask("POST", own, list)
      const statuses = yield* Effect.forEach(Object.entries(requests), ([what, request]) =>
        Effect.map(request(own, event), ({ status }) => [what, status] as const)
      )
      expect(Object.fromEntries(statuses)).toEqual({
        "a request": 200,
        "a call": 200,
        "the end of a call": 202,
        "an answer": 202,
        // This version has no batches.
        "many at once": 400,
        // A session begins once.
        "another beginning": 400,
        "its stream": 200,
        "what was missed": 200,
        "its end": 200
      })
      expect((yield* ask("POST", own, list)).status).toBe(404)
    })
  )
})
