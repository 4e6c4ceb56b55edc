import { expect, layer } from "@effect/vitest"
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import { Client as SessionClient } from "@modelcontextprotocol/sdk/client/index.js"
import { StreamableHTTPClientTransport as SessionTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js"
import { Effect } from "effect"
import { callEach } from "../support/EachTool.ts"
import { TestServer } from "../support/TestServer.ts"

const info = { name: "test", version: "1.0.0" }

const endpoint = Effect.map(TestServer, ({ base_url, api_key }) => ({
  url: new URL(`${base_url}/mcp`),
  options: { requestInit: { headers: { authorization: `Bearer ${api_key}` } } }
}))

const closing = (client: { readonly close: () => Promise<void> }) => Effect.promise(() => client.close())

layer(TestServer.layer())("the official clients over HTTP", (it) => {
  it.scoped("of 2026-07-28 list and call every tool, read, and get a prompt", () =>
    Effect.gen(function* () {
      const { url, options } = yield* endpoint
      const client = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const made = new Client(info, { versionNegotiation: { mode: { pin: "2026-07-28" } } })
          await made.connect(new StreamableHTTPClientTransport(url, options))
          return made
        }),
        closing
      )
      yield* callEach(client)
      const { prompts } = yield* Effect.promise(() => client.listPrompts())
      expect(prompts.map(({ name }) => name)).toEqual(["few_shot"])
      const shot = yield* Effect.promise(() => client.getPrompt({ name: "few_shot", arguments: { action: "order" } }))
      expect(JSON.stringify(shot.messages)).toContain("no example")
      const { resourceTemplates } = yield* Effect.promise(() => client.listResourceTemplates())
      expect(resourceTemplates.map(({ uriTemplate }) => uriTemplate)).toEqual([
        "tracepipe://sessions/{id}",
        "tracepipe://examples/{id}/messages"
      ])
    })
  )

  it.scoped("of the session era list and call every tool", () =>
    Effect.gen(function* () {
      const { url, options } = yield* endpoint
      const client = yield* Effect.acquireRelease(
        Effect.promise(async () => {
          const made = new SessionClient(info)
          await made.connect(new SessionTransport(url, options))
          return made
        }),
        closing
      )
      yield* callEach(client)
      const { resources } = yield* Effect.promise(() => client.listResources())
      expect(resources).toEqual([])
    })
  )
})
