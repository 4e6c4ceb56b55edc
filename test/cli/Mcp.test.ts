import { expect, it, layer } from "@effect/vitest"
import { Client } from "@modelcontextprotocol/client"
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio"
import { Client as SessionClient } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport as SessionStdio } from "@modelcontextprotocol/sdk/client/stdio.js"
import { Effect } from "effect"
import { configOf } from "../../src/cli/mcp/ClientConfig.ts"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { childService, main } from "../support/ChildService.ts"
import { callEach } from "../support/EachTool.ts"
import { begin, send, call as toolCall } from "../support/McpWire.ts"
import { client as api, TestServer } from "../support/TestServer.ts"
import { run } from "./Tracepipe.ts"

const info = { name: "test", version: "1.0.0" }

const command = (environment: Readonly<Record<string, string>>) => ({
  command: process.execPath,
  args: [main, "mcp"],
  env: { PATH: process.env["PATH"] ?? "", ...environment },
  stderr: "ignore" as const
})

/** A client of 2026-07-28 over standard input and output. */
const stateless = (environment: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new Client(info, { versionNegotiation: { mode: { pin: "2026-07-28" } } })
      await client.connect(new StdioClientTransport(command(environment)))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

/** A client of 2025-11-25. */
const inSession = (environment: Readonly<Record<string, string>>) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const client = new SessionClient(info)
      await client.connect(new SessionStdio(command(environment)))
      return client
    }),
    (client) => Effect.promise(() => client.close())
  )

layer(TestServer.layer())("tracepipe mcp", (it) => {
  const environment = Effect.map(TestServer, ({ base_url, api_key }) => ({
    TRACEPIPE_URL: base_url,
    TRACEPIPE_API_KEY: api_key
  }))

  it.scoped("a client of 2026-07-28 lists and calls every tool", () =>
    Effect.gen(function* () {
      const client = yield* stateless(yield* environment)
      expect(client.getNegotiatedProtocolVersion()).toBe("2026-07-28")
      yield* callEach(client)
    })
  )

  it.scoped("a client of 2025-11-25 lists and calls every tool", () =>
    Effect.gen(function* () {
      yield* callEach(yield* inSession(yield* environment))
    })
  )

  it.scoped("an agent's client id and secret are taken, and its scopes hold", () =>
    Effect.gen(function* () {
      const { agents } = yield* api()
      const made = yield* agents.create({
        payload: { name: "over stdio", description: "", record: false, scopes: ["suites:read"] }
      })
      const client = yield* inSession({
        ...(yield* environment),
        TRACEPIPE_API_KEY: made.client_secret,
        MCP_CLIENT_ID: made.client_id
      })
      const suites = yield* Effect.promise(() => client.callTool({ name: "list_suites", arguments: {} }))
      expect(suites.isError ?? false).toBe(false)
      const sessions = yield* Effect.promise(() => client.callTool({ name: "list_sessions", arguments: {} }))
      expect(JSON.stringify(sessions.content)).toContain("sessions:read")
    })
  )

  it.scoped("a key that nobody knows, and a service that is away, are told to the client, which does not wait", () =>
    Effect.gen(function* () {
      const { TRACEPIPE_URL } = yield* environment
      const refused = (url: string) =>
        Effect.flip(
          Effect.tryPromise(() =>
            new SessionClient(info).connect(
              new SessionStdio(command({ TRACEPIPE_URL: url, TRACEPIPE_API_KEY: KeyFormat.make() }))
            )
          )
        )
      expect(String((yield* refused(TRACEPIPE_URL)).error)).toContain("does not know this API key")
      expect(String((yield* refused("http://127.0.0.1:1")).error)).toContain("nothing answers at http://127.0.0.1:1")
    })
  )
})

it.scopedLive("a session goes on when the service was started again, and its client knows nothing of it", () =>
  Effect.gen(function* () {
    const service = yield* childService({})
    const client = yield* inSession({ TRACEPIPE_URL: service.base_url, TRACEPIPE_API_KEY: service.api_key })
    const call = Effect.promise(() => client.callTool({ name: "list_suites", arguments: {} }))
    expect((yield* call).structuredContent).toMatchObject({ items: [] })
    const headers = { "x-api-key": service.api_key }
    const url = `${service.base_url}/mcp`
    const session = yield* Effect.promise(() => begin(url, { headers }))
    yield* service.end("SIGKILL")
    const away = yield* Effect.flip(Effect.tryPromise(() => client.callTool({ name: "list_suites", arguments: {} })))
    expect(String(away.error)).toContain("nothing answers at")
    yield* service.start
    // Who is no relay is told that the session is over.
    const over = yield* Effect.promise(() => send(url, toolCall("list_suites"), { session, headers }))
    expect([over.status, yield* Effect.promise(() => over.text())]).toEqual([404, expect.stringContaining("-32001")])
    expect((yield* call).structuredContent).toMatchObject({ items: [] })
  })
)

it.effect("the configuration is on stdout, and nothing else; where it goes on stderr", () =>
  Effect.gen(function* () {
    const { code, stdout, stderr } = yield* run(["connect", "--print-config", "claude-desktop", "--api-key", "tp_x"])
    expect(code, stderr).toBe(0)
    const { tracepipe } = JSON.parse(stdout).mcpServers
    expect(tracepipe).toMatchObject({ env: { TRACEPIPE_API_KEY: "tp_x" } })
    expect(tracepipe.args.slice(-3)).toEqual(["mcp", "--url", "http://127.0.0.1:8000"])
    expect(stderr).toContain("put this into claude_desktop_config.json")
  })
)

it.each(["claude-code", "cursor", "vscode"] as const)(
  "the configuration for %s stands in a file that is shared: it holds no key",
  (client) => {
    const { json, hint = "" } = configOf(client, {
      url: "https://tracepipe.example",
      api_key: "tp_x",
      program: ["bun"]
    })
    const text = JSON.stringify(json)
    expect(text).toContain('"url":"https://tracepipe.example/mcp"')
    expect(text).toMatch(/"Authorization":"Bearer \$\{[^}]+\}"/)
    expect(text + hint).not.toContain("tp_x")
  }
)
