import { describe, expect, it } from "@effect/vitest"
import {
  Client as StatelessClient,
  StreamableHTTPClientTransport as StatelessTransport
} from "@modelcontextprotocol/client"
import { Deferred, Effect } from "effect"
import { CurrentPrincipal } from "../../src/domain/Principal.ts"
import { RequestInfo } from "../../src/domain/RequestInfo.ts"
import { sessionServers } from "../../src/mcp/SessionServer.ts"
import { statelessServers } from "../../src/mcp/StatelessServer.ts"
import type { Surface, ToolDescription } from "../../src/mcp/Surface.ts"
import { conformanceServer, somebody } from "../support/ConformanceServer.ts"
import { call, eventsOf, initialize, send } from "../support/McpWire.ts"

const tool = (name: string): ToolDescription => ({
  name,
  title: name,
  description: name,
  inputSchema: { type: "object" },
  outputSchema: { type: "object" },
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false }
})

const said = (text: string) => ({ content: [{ type: "text" as const, text }], structuredContent: { text } })

const link = { type: "resource_link", uri: "test://more", name: "more", description: "All of it" } as const

/** A surface that tells what becomes of its calls. */
const watchedSurface = Effect.gen(function* () {
  const begun = yield* Deferred.make<void>()
  const interrupted = yield* Deferred.make<void>()
  const surface: Surface = {
    info: { name: "test", title: "Test", version: "1" },
    instructions: "for a test",
    tools: [tool("who"), tool("slow"), tool("steps"), tool("linked"), tool("broken")],
    callTool: (name, _, progress) => {
      switch (name) {
        case "who":
          return Effect.map(Effect.all([CurrentPrincipal, RequestInfo]), ([{ user_id }, { request_id }]) =>
            said(`${user_id} ${request_id === "internal"}`)
          )
        case "slow":
          return Deferred.succeed(begun, undefined).pipe(
            Effect.zipRight(Effect.never),
            Effect.onInterrupt(() => Deferred.succeed(interrupted, undefined))
          )
        case "steps":
          return Effect.as(
            Effect.forEach([1, 2, 3], (step) => progress({ progress: step, total: 3, message: `step ${step}` })),
            said("done")
          )
        case "linked":
          return Effect.succeed({ content: [{ type: "text", text: "more:" }, link] })
        case "broken":
          return Effect.die(new Error("the password is hunter2"))
        default:
          return Effect.fail({ _tag: "Refused", code: -32602, message: `there is no tool ${name}` } as const)
      }
    },
    templates: [],
    listResources: () => Effect.succeed({ items: [] }),
    readResource: (uri) => Effect.fail({ _tag: "Refused", code: -32002, message: `there is no ${uri}` } as const),
    prompts: [],
    getPrompt: (name) => Effect.fail({ _tag: "Refused", code: -32602, message: `there is no prompt ${name}` } as const),
    complete: (_, { value }) => Effect.succeed(Array.from({ length: 101 }, (_, index) => `${value}${index}`))
  }
  return { surface, begun: Deferred.await(begun), interrupted: Deferred.await(interrupted) }
})

const at = <A>(run: () => Promise<A>) => Effect.promise(run)

/** The surface behind a server. */
const served = Effect.gen(function* () {
  const watched = yield* watchedSurface
  const runtime = yield* Effect.runtime<never>()
  const caller = somebody()
  const { url } = yield* conformanceServer({
    principal: () => caller,
    sessionServer: sessionServers(watched.surface, runtime),
    statelessServer: statelessServers(watched.surface, runtime)
  })
  return { ...watched, caller, url }
})

/** The same, and a client of the era before it. */
const connected = (mode: "auto" | "legacy") =>
  Effect.gen(function* () {
    const { url, ...watched } = yield* served
    const client = new StatelessClient({ name: "test", version: "1" }, { versionNegotiation: { mode } })
    yield* at(() => client.connect(new StatelessTransport(new URL(url))))
    yield* Effect.addFinalizer(() => at(() => client.close()))
    return { ...watched, client }
  })

const failed = (run: () => Promise<unknown>) =>
  at(() =>
    run().then(
      () => undefined,
      (error: unknown) => error
    )
  )

for (const { era, mode, notFound } of [
  { era: "of the session era", mode: "legacy", notFound: "-32002" },
  { era: "of 2026-07-28", mode: "auto", notFound: "there is no test://other" }
] as const)
  describe(`a surface, to clients ${era}`, () => {
    it.scoped("knows who calls, and for which request", () =>
      Effect.gen(function* () {
        const { client, caller } = yield* connected(mode)
        const { structuredContent } = yield* at(() => client.callTool({ name: "who", arguments: {} }))
        expect(structuredContent).toEqual({ text: `${caller.user_id} false` })
        const { tools } = yield* at(() => client.listTools())
        expect(tools.map(({ name }) => name)).toEqual(["who", "slow", "steps", "linked", "broken"])
        expect(client.getInstructions()).toBe("for a test")
      })
    )

    it.scoped("is interrupted in its work when the call is cancelled", () =>
      Effect.gen(function* () {
        const { client, begun, interrupted } = yield* connected(mode)
        const cancel = new AbortController()
        const called = client
          .callTool({ name: "slow", arguments: {} }, { signal: cancel.signal })
          .catch(() => "cancelled")
        yield* begun
        cancel.abort()
        yield* interrupted
        expect(yield* at(() => called)).toBe("cancelled")
      })
    )

    it.scoped("tells how far it is, to who asked for it", () =>
      Effect.gen(function* () {
        const { client } = yield* connected(mode)
        const seen: Array<unknown> = []
        const answer = yield* at(() =>
          client.callTool({ name: "steps", arguments: {} }, { onprogress: (progress) => seen.push(progress) })
        )
        expect(answer.structuredContent).toEqual({ text: "done" })
        expect(seen).toEqual([1, 2, 3].map((step) => ({ progress: step, total: 3, message: `step ${step}` })))
        expect((yield* at(() => client.callTool({ name: "steps", arguments: {} }))).structuredContent).toEqual({
          text: "done"
        })
      })
    )

    it.scoped("refuses with the protocol's codes, and tells nothing of a fault but where it was logged", () =>
      Effect.gen(function* () {
        const { client } = yield* connected(mode)
        expect(yield* failed(() => client.callTool({ name: "other", arguments: {} }))).toMatchObject({ code: -32602 })
        expect(yield* failed(() => client.getPrompt({ name: "other" }))).toMatchObject({ code: -32602 })
        expect(yield* failed(() => client.readResource({ uri: "test://other" }))).toMatchObject({
          // This client's own code for both eras'.
          code: -32602,
          message: expect.stringContaining(notFound),
          data: { uri: "test://other" }
        })
        const fault = yield* failed(() => client.callTool({ name: "broken", arguments: {} }))
        expect(fault).toMatchObject({ code: -32603, message: expect.stringContaining("logged under the request id") })
        expect(JSON.stringify(fault)).not.toContain("hunter2")
      })
    )

    it.scoped("completes with a hundred values at most", () =>
      Effect.gen(function* () {
        const { client } = yield* connected(mode)
        const { completion } = yield* at(() =>
          client.complete({ ref: { type: "ref/prompt", name: "any" }, argument: { name: "of", value: "a" } })
        )
        expect(completion.values.length).toBe(100)
        expect(completion.hasMore).toBe(true)
      })
    )
  })

/** What a tool answers to a client that asked for a version of the protocol. */
const answerIn = (url: string, version: string) =>
  at(async () => {
    const begun = await send(url, initialize(version))
    await begun.text()
    const session = begun.headers.get("mcp-session-id") ?? ""
    // Clients of before 2025-06-18 name no version in their header fields.
    const response = await send(url, call("linked"), { headers: { "mcp-session-id": session } })
    for await (const { data } of eventsOf(response)) if (data !== "") return JSON.parse(data)
  })

describe("links to resources in what a tool answers", () => {
  it.scoped("are text to clients whose version of the protocol knows none", () =>
    Effect.gen(function* () {
      const { url } = yield* served
      const text = (text: string) => ({ type: "text", text })
      for (const version of ["2024-11-05", "2025-03-26"]) {
        expect((yield* answerIn(url, version)).result.content, version).toEqual([
          text("more:"),
          text("more: test://more (All of it)")
        ])
      }
      for (const version of ["2025-06-18", "2025-11-25", "unheard-of"]) {
        expect((yield* answerIn(url, version)).result.content, version).toEqual([text("more:"), link])
      }
    })
  )
})
