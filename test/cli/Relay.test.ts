import { describe, expect, it } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js"
import { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { CallToolRequestSchema } from "@modelcontextprotocol/sdk/types.js"
import type { Transport } from "@modelcontextprotocol/server"
import { Effect } from "effect"
import { relay } from "../../src/cli/mcp/Relay.ts"
import { conformanceServer } from "../support/ConformanceServer.ts"
import { eventually } from "../support/Eventually.ts"

const me = { name: "test", version: "1" }

/** A service whose sessions can be made to end, as by a restart, with a tool that answers when it is let. */
const service = Effect.gen(function* () {
  const released = Promise.withResolvers<void>()
  let calls = 0
  let aborted = 0
  const sessionServer = () => {
    const server = new Server(me, { capabilities: { tools: {} } })
    server.setRequestHandler(CallToolRequestSchema, async ({ params }, { signal }) => {
      calls += 1
      if (params.name === "hold") {
        await Promise.race([released.promise, new Promise((resolve) => signal.addEventListener("abort", resolve))])
        if (signal.aborted) aborted += 1
      }
      return { content: [{ type: "text", text: params.name }] }
    })
    return server
  }
  const { url, transport, sessions } = yield* conformanceServer({ sessionServer })
  return {
    url,
    sessions,
    /** Ends all sessions: their ids are known no more. */
    forget: Effect.promise(transport.close),
    release: Effect.sync(() => released.resolve()),
    calls: () => calls,
    aborted: () => aborted
  }
})

/** The official client, with the relay between it and the service. */
const relayed = (url: string) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const [near, far] = InMemoryTransport.createLinkedPair()
      const told: Array<string> = []
      // Both SDKs' transports are one interface; their types differ in what neither end uses here.
      const client = far as unknown as Transport
      const relaying = relay({ client, url: new URL(url), headers: {}, report: (problem) => told.push(problem) })
      await relaying.start()
      const caller = new Client(me)
      await caller.connect(near)
      const call = (name: string, options: { readonly signal?: AbortSignal } = {}) =>
        caller.callTool({ name, arguments: {} }, undefined, options).then(({ content }) => JSON.stringify(content))
      return { caller, call, told, close: relaying.close }
    }),
    ({ caller, close }) => Effect.promise(() => close().then(() => caller.close()))
  )

const failure = (promise: Promise<unknown>) =>
  Effect.map(Effect.flip(Effect.tryPromise(() => promise)), ({ error }) => String(error))

describe("the relay of tracepipe mcp", () => {
  it.scoped("begins one new session for all requests that find theirs ended, and answers each", () =>
    Effect.gen(function* () {
      const { url, sessions, forget } = yield* service
      const { call, told } = yield* relayed(url)
      yield* forget
      expect(sessions()).toBe(0)
      const names = ["a", "b", "c", "d"]
      const answers = yield* Effect.promise(() => Promise.all(names.map((name) => call(name))))
      expect(answers).toEqual(names.map((text) => JSON.stringify([{ type: "text", text }])))
      expect(sessions()).toBe(1)
      expect(told).toEqual([])
    })
  )

  it.scoped("tells a call that was lost with its session, and goes on", () =>
    Effect.gen(function* () {
      const { url, forget, calls } = yield* service
      const { call } = yield* relayed(url)
      const lost = call("hold").catch(String)
      yield* eventually(Effect.sync(calls), (count) => count === 1)
      yield* forget
      expect(yield* Effect.promise(() => call("next"))).toContain("next")
      expect(yield* Effect.promise(() => lost)).toMatch(/try again/)
    })
  )

  it.scoped("hands on that a call is cancelled, and the session goes on", () =>
    Effect.gen(function* () {
      const { url, calls, aborted } = yield* service
      const { call } = yield* relayed(url)
      const abort = new AbortController()
      const cancelled = call("hold", { signal: abort.signal }).catch(String)
      yield* eventually(Effect.sync(calls), (count) => count === 1)
      abort.abort("no longer wanted")
      expect(yield* Effect.promise(() => cancelled)).toContain("no longer wanted")
      yield* eventually(Effect.sync(aborted), (count) => count === 1)
      expect(yield* Effect.promise(() => call("next"))).toContain("next")
    })
  )

  it.scoped("tries again with the next request when a session could not be begun anew", () =>
    Effect.gen(function* () {
      const { url, forget } = yield* service
      const refusing = { next: false }
      const proxy = yield* Effect.acquireRelease(
        Effect.sync(() =>
          Bun.serve({
            hostname: "127.0.0.1",
            port: 0,
            idleTimeout: 0,
            fetch: async (request) => {
              const body = request.method === "POST" ? await request.text() : undefined
              if (refusing.next && body?.includes('"initialize"'))
                return Response.json({ detail: "the service is shutting down" }, { status: 503 })
              return fetch(url, {
                method: request.method,
                headers: request.headers,
                signal: request.signal,
                ...(body === undefined ? {} : { body })
              })
            }
          })
        ),
        (server) => Effect.promise(() => server.stop(true))
      )
      const { call } = yield* relayed(`http://127.0.0.1:${proxy.port}/mcp`)
      yield* forget
      refusing.next = true
      expect(yield* failure(call("a"))).toContain("the service is shutting down")
      refusing.next = false
      expect(yield* Effect.promise(() => call("b"))).toContain("b")
    })
  )
})
