import { rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { client, TestServer } from "../support/TestServer.ts"

const main = new URL("../../src/main.ts", import.meta.url).pathname

/** `tracepipe suites apply` on a file of this content, in a process of its own. */
const applied = (surface: unknown) =>
  Effect.gen(function* () {
    const { base_url, api_key } = yield* TestServer
    const file = join(tmpdir(), `tracepipe-surface-${Bun.randomUUIDv7()}.json`)
    yield* Effect.acquireRelease(
      Effect.promise(() => writeFile(file, typeof surface === "string" ? surface : JSON.stringify(surface))),
      () => Effect.promise(() => rm(file, { force: true }))
    )
    return yield* Effect.promise(async () => {
      const env = { ...process.env, TRACEPIPE_URL: base_url, TRACEPIPE_API_KEY: api_key }
      const child = Bun.spawn([process.execPath, main, "suites", "apply", file], {
        env,
        stdout: "pipe",
        stderr: "pipe"
      })
      const [stdout, stderr, code] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.exited
      ])
      return {
        code,
        stderr,
        lines: stdout
          .trim()
          .split("\n")
          .map((line) => line.split(/ {2,}/))
      }
    })
  }).pipe(Effect.scoped)

const text = { type: "string" }
const surface = {
  suite: {
    name: "Gmail",
    actions: [{ name: "send_email", parameters: [{ name: "to", type: "STRING", required: true }] }, { name: "archive" }]
  },
  servers: [
    {
      name: "gmail-mcp",
      url: "https://gmail-mcp.example/mcp",
      tools: [{ name: "send", input_schema: { type: "object", properties: { to: text } } }]
    }
  ],
  maps: [
    {
      name: "gmail",
      server: "gmail-mcp",
      mappings: [{ action: "send_email", tool: "send", parameters: [{ action_parameter: "to", tool_parameter: "to" }] }]
    }
  ]
}

layer(TestServer.layer())("tracepipe suites apply", (it) => {
  it.effect("makes what the file says, and nothing the second time", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      expect(yield* applied(surface)).toEqual({
        code: 0,
        stderr: "",
        lines: [
          ["created", "suite", "Gmail", "2 actions"],
          ["created", "server", "gmail-mcp", "1 tool"],
          ["created", "map", "gmail", "version 1, 1 mapping"]
        ]
      })
      const entries = sql`select count(*) from audit_entries`
      const before = yield* entries
      const again = yield* applied(surface)
      expect(again.lines.map(([change]) => change)).toEqual(["unchanged", "unchanged", "unchanged"])
      expect(yield* entries).toEqual(before)
    })
  )

  it.effect("renames what a map of the file uses: both sides first get the new, and lose the old last", () =>
    Effect.gen(function* () {
      const { suites, actions } = yield* client()
      const [server] = surface.servers
      const renamed = {
        suite: {
          name: "Gmail",
          actions: [{ name: "send", parameters: [{ name: "recipient", type: "STRING" }] }]
        },
        servers: [
          { ...server, tools: [{ name: "send", input_schema: { type: "object", properties: { rcpt: text } } }] }
        ],
        maps: [
          {
            name: "gmail",
            server: "gmail-mcp",
            mappings: [
              { action: "send", tool: "send", parameters: [{ action_parameter: "recipient", tool_parameter: "rcpt" }] }
            ]
          }
        ]
      }
      const { code, lines } = yield* applied(renamed)
      expect(code).toBe(0)
      expect(lines).toEqual([
        ["updated", "suite", "Gmail", "1 action"],
        ["updated", "server", "gmail-mcp", "1 tool"],
        ["updated", "map", "gmail", "version 2, 1 mapping"]
      ])
      const { items } = yield* suites.list({ urlParams: { limit: 20 } })
      const left = yield* actions.list({ path: { suite_id: items[0]!.id }, urlParams: { limit: 20 } })
      expect(left.items.map(({ name }) => name)).toEqual(["send"])
    })
  )

  it.effect("what a map outside of the file needs stays: the map is named", () =>
    Effect.gen(function* () {
      const { code, stderr } = yield* applied({ suite: { name: "Gmail", actions: [] } })
      expect(code).toBe(1)
      expect(stderr).toContain('is needed by the action–tool map "gmail"')
    })
  )

  it.effect.each([
    ["{", "JSON"],
    [{ suite: { name: "" } }, "suite.actions: is missing"],
    [{ ...surface, servers: [{ name: "x", url: "https://a:b@x.example", tools: [] }] }, "servers.0.url"]
  ] as const)("a file that is no surface is refused before anything is sent: %j", ([wrong, reason]) =>
    Effect.gen(function* () {
      const { code, stderr } = yield* applied(wrong)
      expect(code).toBe(1)
      expect(stderr).toContain(reason)
    })
  )
})
