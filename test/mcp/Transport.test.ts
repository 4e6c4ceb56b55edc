import { readdirSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import {
  Client as StatelessClient,
  StreamableHTTPClientTransport as StatelessTransport
} from "@modelcontextprotocol/client"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { CallToolRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import { Server as StatelessServer } from "@modelcontextprotocol/server"
import { Effect } from "effect"
import { conformanceServer, somebody } from "../support/ConformanceServer.ts"
import { sessionFixture } from "../support/conformance/SessionFixture.ts"
import { eventually } from "../support/Eventually.ts"
import {
  begin,
  call,
  end,
  eventsOf,
  initialize,
  open,
  post,
  type Sent,
  type SseEvent,
  send,
  statelessCall
} from "../support/McpWire.ts"

const me = { name: "test", version: "1" }

const people = { ann: somebody(), bob: somebody() }

/** A server whose callers say who they are. */
const served = (options: Parameters<typeof conformanceServer>[0] = {}) =>
  conformanceServer({
    principal: ({ headers }) => people[headers.get("x-caller") === "bob" ? "bob" : "ann"],
    ...options
  })

const bob = { headers: { "x-caller": "bob" } }

const at = <A>(run: () => Promise<A>) => Effect.promise(run)

const inSession = (url: string) =>
  Effect.acquireRelease(
    at(async () => {
      const client = new Client(me)
      const transport = new StreamableHTTPClientTransport(new URL(url))
      await client.connect(transport)
      return { client, transport }
    }),
    ({ client }) => at(() => client.close())
  )

const stateless = (url: string, mode: "auto" | "legacy" = "auto", supportedProtocolVersions?: Array<string>) =>
  Effect.acquireRelease(
    at(async () => {
      const client = new StatelessClient(me, {
        versionNegotiation: { mode },
        ...(supportedProtocolVersions === undefined ? {} : { supportedProtocolVersions })
      })
      await client.connect(new StatelessTransport(new URL(url)))
      return client
    }),
    (client) => at(() => client.close())
  )

/** Servers of both eras with one tool, which ends when it is given up or let go. */
const holding = () => {
  const begun = Promise.withResolvers<void>()
  const aborted = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const held = async (signal: AbortSignal) => {
    begun.resolve()
    const given = new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()))
    await Promise.race([released.promise, given])
    if (signal.aborted) aborted.resolve()
    return { content: [{ type: "text" as const, text: signal.aborted ? "given up" : "held" }] }
  }
  return {
    begun: at(() => begun.promise),
    aborted: at(() => aborted.promise),
    release: Effect.sync(() => released.resolve()),
    servers: {
      sessionServer: () => {
        const server = new Server(me, { capabilities: { tools: {} } })
        server.setRequestHandler(CallToolRequestSchema, (_, { signal }) => held(signal))
        return server
      },
      statelessServer: () => {
        const server = new StatelessServer(me, { capabilities: { tools: {} } })
        server.setRequestHandler("tools/call", (_, { mcpReq: { signal } }) => held(signal))
        return server
      }
    }
  }
}

/** The stream again, once the server has noticed that the last one was cut. */
const reopened = (url: string, sent: Sent) =>
  eventually(
    at(() => open(url, sent)),
    ({ ok }) => ok
  )

const textOf = (result: unknown) => JSON.stringify(result)

const status = (response: Promise<Response>) =>
  response.then(async (answer) => {
    await answer.body?.cancel()
    return answer.status
  })

const codeOf = async (response: Promise<Response>) => {
  const answer = await response
  const { error } = (await answer.json()) as { error: { code: number } }
  return [answer.status, error.code]
}

describe("official clients", () => {
  it.scoped.each(["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])("agree on %s in a session", (version) =>
    Effect.gen(function* () {
      const { url, sessions } = yield* served()
      const client = yield* stateless(url, "legacy", [version])
      expect(client.getNegotiatedProtocolVersion()).toBe(version)
      expect(sessions()).toBe(1)
      expect((yield* at(() => client.listTools())).tools.length).toBeGreaterThan(5)
      expect(textOf(yield* at(() => client.callTool({ name: "test_simple_text", arguments: {} })))).toContain("simple")
    })
  )

  it.scoped("of the session era call a tool, and end their session", () =>
    Effect.gen(function* () {
      const { url, sessions } = yield* served()
      const { client, transport } = yield* inSession(url)
      expect(textOf(yield* at(() => client.callTool({ name: "test_simple_text" })))).toContain("simple")
      const id = transport.sessionId ?? ""
      yield* at(() => transport.terminateSession())
      expect(sessions()).toBe(0)
      expect(yield* at(() => status(send(url, call("test_simple_text"), { session: id })))).toBe(404)
    })
  )

  it.scoped("of 2026-07-28 need no session", () =>
    Effect.gen(function* () {
      const { url, sessions } = yield* served()
      const client = yield* stateless(url)
      expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28")
      expect(textOf(yield* at(() => client.callTool({ name: "test_simple_text", arguments: {} })))).toContain("simple")
      expect(sessions()).toBe(0)
    })
  )
})

describe("a session", () => {
  it.scoped("is to others what does not exist", () =>
    Effect.gen(function* () {
      const { url, sessions } = yield* served()
      const session = yield* at(() => begin(url))
      const unknown = "x".repeat(session.length)
      const seen = (response: Promise<Response>) =>
        at(async () => {
          const answer = await response
          return { status: answer.status, body: await answer.text() }
        })
      for (const ask of [
        (id: string) => send(url, call("test_simple_text"), { session: id, ...bob }),
        (id: string) => open(url, { session: id, ...bob }),
        (id: string) => end(url, { session: id, ...bob })
      ]) {
        const foreign = yield* seen(ask(session))
        expect(foreign.status).toBe(404)
        expect(foreign).toEqual(yield* seen(ask(unknown)))
      }
      expect(sessions()).toBe(1)
      expect(yield* at(() => status(send(url, call("test_simple_text"), { session })))).toBe(200)
    })
  )

  it.scoped("replays what was missed, to who names the last event seen", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url } = yield* served(hold.servers)
      const session = yield* at(() => begin(url))
      const cut = new AbortController()
      const stream = eventsOf(yield* at(() => send(url, call("hold"), { session, signal: cut.signal })))
      const first: SseEvent = (yield* at(() => stream.next())).value
      expect(first).toEqual({ id: expect.any(String), data: "" })
      yield* hold.begun
      cut.abort()
      yield* hold.release
      const last = { "last-event-id": first.id ?? "" }
      const resumed = eventsOf(yield* reopened(url, { session, headers: last }))
      const { value } = yield* at(() => resumed.next())
      expect(JSON.parse(value.data)).toEqual({
        jsonrpc: "2.0",
        id: 1,
        result: { content: [{ type: "text", text: "held" }] }
      })
      expect(value.id).not.toBe(first.id)

      const other = yield* at(() => begin(url))
      const elsewhere = yield* at(() => open(url, { session: other, headers: last }))
      expect(yield* at(() => status(end(url, { session: other })))).toBe(200)
      expect(yield* at(() => elsewhere.text())).not.toContain("held")
    })
  )

  it.scoped("has one stream for what belongs to no request, which opens at once", () =>
    Effect.gen(function* () {
      const { url } = yield* served()
      const session = yield* at(() => begin(url))
      const cut = new AbortController()
      expect((yield* at(() => open(url, { session, signal: cut.signal }))).status).toBe(200)
      expect(yield* at(() => status(open(url, { session })))).toBe(409)
      cut.abort()
      expect((yield* reopened(url, { session })).status).toBe(200)
    })
  )
})

describe("a call", () => {
  it.scoped("of a session is given up when it is cancelled", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url } = yield* served(hold.servers)
      const { client } = yield* inSession(url)
      const cancel = new AbortController()
      const called = client.callTool({ name: "hold" }, undefined, { signal: cancel.signal }).catch(() => "cancelled")
      yield* hold.begun
      cancel.abort()
      yield* hold.aborted
      expect(yield* at(() => called)).toBe("cancelled")
    })
  )

  it.scoped("of a session is given up when the session ends", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url } = yield* served(hold.servers)
      const session = yield* at(() => begin(url))
      const called = yield* at(() => send(url, call("hold"), { session }))
      yield* hold.begun
      expect(yield* at(() => status(end(url, { session })))).toBe(200)
      yield* hold.aborted
      expect(yield* at(() => called.text())).not.toContain("result")
    })
  )

  it.scoped("without a session is given up when it is cancelled", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url } = yield* served(hold.servers)
      const client = yield* stateless(url)
      const cancel = new AbortController()
      const called = client
        .callTool({ name: "hold", arguments: {} }, { signal: cancel.signal })
        .catch(() => "cancelled")
      yield* hold.begun
      cancel.abort()
      yield* hold.aborted
      expect(yield* at(() => called)).toBe("cancelled")
    })
  )

  it.scoped("without a session is given up when its connection is lost", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url } = yield* served(hold.servers)
      const cut = new AbortController()
      const called = send(url, ...statelessCall("hold", { signal: cut.signal })).catch(() => "lost")
      yield* hold.begun
      cut.abort()
      yield* hold.aborted
      expect(yield* at(() => called)).toBe("lost")
    })
  )
})

describe("a message", () => {
  it.scoped("is bounded, is JSON and says so, in both eras", () =>
    Effect.gen(function* () {
      const { url } = yield* served({ max_request_bytes: 2000 })
      const session = yield* at(() => begin(url))
      const large = "x".repeat(2001)
      const drop = new ReadableStream({
        start: (controller) => {
          for (let count = 0; count < 3; count++) controller.enqueue(new TextEncoder().encode("x".repeat(1000)))
          controller.close()
        }
      })
      const [message, modern] = statelessCall("test_simple_text")
      const typed = (sent: typeof modern | { session: string }) => ({
        ...sent,
        headers: { ...("headers" in sent ? sent.headers : {}), "content-type": "text/plain" }
      })
      for (const sent of [{ session }, modern]) {
        expect(yield* at(() => codeOf(post(url, large, sent)))).toEqual([413, -32000])
        expect(yield* at(() => codeOf(post(url, "{", sent)))).toEqual([400, -32700])
        expect(yield* at(() => codeOf(send(url, message, typed(sent))))).toEqual([415, -32000])
        expect(yield* at(() => codeOf(post(url, "not JSON", typed(sent))))).toEqual([415, -32000])
      }
      for (const junk of ["null", "5", '"text"', "{}", '{"jsonrpc":"2.0"}', '[{"id":1}]'])
        expect([junk, yield* at(() => status(post(url, junk, { session })))]).toEqual([junk, 400])
      expect(yield* at(() => codeOf(post(url, drop, { session })))).toEqual([413, -32000])
      expect(yield* at(() => status(send(url, call("test_simple_text"), { session })))).toBe(200)
    })
  )

  it.scoped("of a foreign page, or to a name that was bound anew, is refused", () =>
    Effect.gen(function* () {
      const { url } = yield* served()
      const own = new URL(url)
      const tried = (headers: Record<string, string>) => at(() => status(send(url, initialize(), { headers })))
      expect(yield* tried({ origin: "https://evil.example" })).toBe(403)
      expect(yield* tried({ origin: "null" })).toBe(403)
      expect(yield* tried({ host: "evil.example" })).toBe(403)
      expect(yield* tried({ host: `evil.example:${own.port}`, origin: own.origin })).toBe(403)
      expect(yield* tried({ host: `localhost.evil.example:${own.port}` })).toBe(403)
      expect(yield* tried({ origin: own.origin })).toBe(200)
      expect(yield* tried({ origin: "http://localhost:3000", host: `[::1]:${own.port}` })).toBe(200)
    })
  )
})

describe("sessions", () => {
  const small = { max_sessions: 4, sessions_per_principal: 2 }

  it.scoped("of one caller are bounded: the idlest makes room", () =>
    Effect.gen(function* () {
      const { url, sessions } = yield* served(small)
      const first = yield* at(() => begin(url))
      const second = yield* at(() => begin(url))
      yield* at(() => status(send(url, call("test_simple_text"), { session: first })))
      const third = yield* at(() => begin(url))
      expect(sessions()).toBe(2)
      const ping = (session: string) => at(() => status(send(url, { id: 9, method: "ping" }, { session })))
      expect([yield* ping(first), yield* ping(second), yield* ping(third)]).toEqual([200, 404, 200])
    })
  )

  it.scoped("that work are not ended for new ones", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url } = yield* served({ ...small, ...hold.servers, sessions_per_principal: 1 })
      const session = yield* at(() => begin(url))
      const called = at(() => send(url, call("hold"), { session }))
      yield* called
      yield* hold.begun
      const full = yield* at(() => send(url, initialize()))
      expect([full.status, full.headers.get("retry-after")]).toEqual([503, "60"])
      // A message that is refused as a whole takes nothing from the call that runs.
      expect(
        yield* at(() => status(send(url, { id: 2, method: "ping" }, { session, headers: { accept: "a/b" } })))
      ).toBe(406)
      expect(yield* at(() => status(send(url, initialize())))).toBe(503)
      yield* hold.release
      const begun = yield* eventually(
        at(() => status(send(url, initialize()))),
        (answer) => answer === 200
      )
      expect(begun).toBe(200)
    })
  )

  it.scoped("of all callers are bounded, however many begin at once", () =>
    Effect.gen(function* () {
      const { url, sessions } = yield* served({ ...small, sessions_per_principal: 100 })
      const all = yield* at(() => Promise.all(Array.from({ length: 20 }, () => status(send(url, initialize())))))
      expect(all.filter((answer) => answer === 200).length).toBeGreaterThanOrEqual(4)
      expect(sessions()).toBe(4)
      // Who has most gives one up for who has none.
      expect(yield* at(() => status(send(url, initialize(), bob)))).toBe(200)
      expect(sessions()).toBe(4)
    })
  )

  it.scoped("end when they were idle for too long, and not while they are used", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url, sessions, transport } = yield* served({ ...hold.servers, session_ttl_ms: 0 })
      const working = yield* at(() => begin(url))
      const called = yield* at(() => send(url, call("hold"), { session: working }))
      yield* hold.begun
      const listening = yield* at(() => begin(url))
      const cut = new AbortController()
      const stream = yield* at(() => open(url, { session: listening, signal: cut.signal }))
      expect(stream.status).toBe(200)
      yield* at(() => begin(url))
      expect(sessions()).toBe(3)
      yield* at(transport.sweep)
      expect(sessions()).toBe(2)
      cut.abort()
      yield* hold.release
      yield* at(() => called.text())
      const left = yield* eventually(Effect.map(at(transport.sweep), sessions), (count) => count === 0)
      expect(left).toBe(0)
    })
  )

  it.scoped("are idle once their stream was closed from this side", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url, sessions, transport } = yield* served({ ...hold.servers, session_ttl_ms: 0 })
      const session = yield* at(() => begin(url))
      const cut = new AbortController()
      const first: SseEvent = (yield* at(async () =>
        eventsOf(await send(url, call("hold"), { session, signal: cut.signal })).next()
      )).value
      yield* hold.begun
      cut.abort()
      // The stream of the one call: it is closed with the answer.
      const resumed = yield* reopened(url, { session, headers: { "last-event-id": first.id ?? "" } })
      expect(resumed.status).toBe(200)
      yield* hold.release
      expect(yield* at(() => resumed.text())).toContain("held")
      const left = yield* eventually(Effect.map(at(transport.sweep), sessions), (count) => count === 0)
      expect(left).toBe(0)
    })
  )

  it.scoped("that were opened and left take no more than their bound: memory and connections are given back", () =>
    Effect.gen(function* () {
      const made: Array<WeakRef<Server>> = []
      const bound = 20
      const { url, sessions } = yield* served({
        sessions_per_principal: bound,
        sessionServer: () => {
          const server = sessionFixture()
          made.push(new WeakRef(server))
          return server
        }
      })
      const connections = () => readdirSync("/proc/self/fd").length
      const before = connections()
      yield* at(async () => {
        for (let count = 0; count < 300; count++) {
          const session = await begin(url)
          if (count % 10 !== 0) continue
          const cut = new AbortController()
          await open(url, { session, signal: cut.signal })
          cut.abort()
        }
      })
      expect(made.length).toBe(300)
      expect(sessions()).toBe(bound)
      const alive = Effect.sync(() => {
        Bun.gc(true)
        return made.filter((server) => server.deref() !== undefined).length
      })
      expect(yield* eventually(alive, (count) => count <= 2 * bound)).toBeLessThanOrEqual(2 * bound)
      const open_now = yield* eventually(Effect.sync(connections), (count) => count <= before + 10)
      expect(open_now).toBeLessThanOrEqual(before + 10)
    })
  )

  it.scoped("end with the process", () =>
    Effect.gen(function* () {
      const hold = holding()
      const { url, sessions, transport } = yield* served(hold.servers)
      const session = yield* at(() => begin(url))
      const stream = yield* at(() => open(url, { session }))
      const called = yield* at(() => send(url, call("hold"), { session }))
      yield* hold.begun
      yield* at(transport.close)
      yield* hold.aborted
      expect(sessions()).toBe(0)
      expect(yield* at(() => Promise.all([stream.text(), called.text()]))).not.toContain("result")
    })
  )
})

describe("a request of a session", () => {
  it.scoped("that is cancelled is interrupted, and its stream ends with an error", () =>
    Effect.gen(function* () {
      const held = holding()
      const { url } = yield* served(held.servers)
      const session = yield* at(() => begin(url))
      const response = yield* at(() => send(url, call("hold", 7), { session }))
      yield* held.begun
      const given = { method: "notifications/cancelled", params: { requestId: 7 } }
      expect(yield* at(() => status(send(url, given, { session })))).toBe(202)
      yield* held.aborted
      expect(yield* at(() => response.text())).toContain(
        '"id":7,"error":{"code":-32000,"message":"the request was cancelled"}'
      )
      // The id is free again.
      expect(yield* at(() => status(send(url, call("hold", 7), { session })))).toBe(200)
    })
  )

  it.scoped("has an id of its own while it runs", () =>
    Effect.gen(function* () {
      const held = holding()
      const { url } = yield* served(held.servers)
      const session = yield* at(() => begin(url))
      const response = yield* at(() => send(url, call("hold", 7), { session }))
      yield* held.begun
      expect(yield* at(() => codeOf(send(url, call("hold", 7), { session })))).toEqual([400, -32600])
      yield* held.release
      expect(yield* at(() => response.text())).toContain('"id":7')
    })
  )

  it.scoped("comes in a batch where the version knows them, each counted, at most a hundred", () =>
    Effect.gen(function* () {
      const charged: Array<number> = []
      const { url } = yield* served({
        charge: async (messages) => {
          charged.push(messages)
          if (messages > 50) throw new Error("limited")
        }
      })
      const batch = (length: number) =>
        JSON.stringify(Array.from({ length }, (_, id) => ({ jsonrpc: "2.0", id: id + 1, method: "ping" })))
      const session = yield* at(() => begin(url))
      expect(yield* at(() => codeOf(post(url, batch(2), { session })))).toEqual([400, -32600])
      const older = { headers: { "mcp-protocol-version": "2025-03-26" } }
      const begun = yield* at(() => send(url, initialize("2025-03-26")))
      yield* at(() => begun.text())
      const old = { session: begun.headers.get("mcp-session-id") ?? "", ...older }
      expect(yield* at(() => post(url, batch(3), old).then((answer) => answer.text()))).toContain('"id":3')
      expect(charged).toEqual([2])
      // What the limits refuse runs nothing, and leaves no id behind.
      expect(yield* at(() => status(post(url, batch(60), old)))).toBe(500)
      expect(yield* at(() => status(post(url, batch(3), old)))).toBe(200)
      expect(yield* at(() => codeOf(post(url, batch(101), old)))).toEqual([400, -32600])
    })
  )

  it.scoped("that was answered is replayed to its end; of one that nobody knows there is nothing", () =>
    Effect.gen(function* () {
      const { url } = yield* served()
      const session = yield* at(() => begin(url))
      const text = yield* at(() => send(url, call("test_simple_text", 3), { session }).then((answer) => answer.text()))
      const [, first = ""] = /^id: (.+)$/m.exec(text) ?? []
      const again = yield* at(() => open(url, { session, headers: { "last-event-id": first } }))
      // It ends by itself.
      expect(yield* at(() => again.text())).toContain('"id":3')
      expect(yield* at(() => status(open(url, { session, headers: { "last-event-id": "a~0" } })))).toBe(400)
    })
  )

  it.scoped("keeps a shutdown waiting until it is answered", () =>
    Effect.gen(function* () {
      const held = holding()
      let holds = 0
      const hold = () => {
        holds += 1
        return () => {
          holds -= 1
        }
      }
      const { url } = yield* served({ ...held.servers, hold })
      const session = yield* at(() => begin(url))
      expect(holds).toBe(0)
      const response = yield* at(() => send(url, call("hold"), { session }))
      yield* held.begun
      expect(holds).toBe(1)
      yield* held.release
      yield* at(() => response.text())
      expect(holds).toBe(0)
    })
  )
})

it.scoped("a message that nests too deep is refused before it is read", () =>
  Effect.gen(function* () {
    const { url } = yield* served()
    const deep = `{"jsonrpc":"2.0","id":1,"method":"ping","params":${"[".repeat(101)}${"]".repeat(101)}}`
    expect(yield* at(() => codeOf(post(url, deep)))).toEqual([400, -32600])
  })
)
