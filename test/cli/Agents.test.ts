import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { client, TestServer } from "../support/TestServer.ts"
import { run } from "./Tracepipe.ts"

const agents = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(TestServer, ({ base_url, api_key }) =>
    run(["agents", ...args], { TRACEPIPE_URL: base_url, TRACEPIPE_API_KEY: api_key })
  )

const credentials = (stdout: string) => {
  const [, id, secret = ""] = /^MCP_CLIENT_ID=(agent_\w{22})\nAPI_KEY=(tp_agent_\w{28})\n$/.exec(stdout) ?? []
  return { id, secret }
}

layer(TestServer.layer())("tracepipe agents", (it) => {
  it.effect("an agent is made, listed, and gets another secret", () =>
    Effect.gen(function* () {
      const made = yield* agents("create", "--name", "crawler", "--scope", "sessions:write", "--scope", "suites:read")
      expect(made.code, made.stderr).toBe(0)
      const first = credentials(made.stdout)
      expect(KeyFormat.isWellFormed(first.secret, "agent")).toBe(true)

      const listed = yield* agents("list")
      const row = listed.stdout.split("\n").find((line) => line.endsWith("crawler"))
      const [id = "", client_id, ...rest] = row?.split(/ {2,}/) ?? []
      expect([client_id, ...rest]).toEqual([first.id, "active", "never", "sessions:write,suites:read", "crawler"])

      const rotated = yield* agents("rotate-secret", id, "--overlap", "1 h")
      expect(rotated.code, rotated.stderr).toBe(0)
      expect(rotated.stderr).toContain("the old one is taken until 20")
      const second = credentials(rotated.stdout)
      expect(second.id).toBe(first.id)
      expect(second.secret).not.toBe(first.secret)
      expect((yield* agents("rotate-secret", id, "--overlap", "0 s")).stderr).toContain("the old one has ended")
      const { agents: api } = yield* client()
      expect((yield* api.list({ urlParams: { limit: 1, q: "crawler" } })).items[0]).toMatchObject({
        id,
        record: false,
        previous_secret_until: null
      })
    })
  )

  it.effect.each([
    [["create", "--name", "x", "--scope", "*"], "--scope: expected one of a2p:use, "],
    [["rotate-secret", "x"], "expected an agent's id"],
    [["rotate-secret", "01a1fd02-88d0-73cb-9798-39aa1d449156"], "there is no agent 01a1fd02"],
    [["rotate-secret", "01a1fd02-88d0-73cb-9798-39aa1d449156", "--overlap", "8 d"], "expected at most 7 d"],
    [["rotate-secret", "01a1fd02-88d0-73cb-9798-39aa1d449156", "--overlap", "soon"], "such as 1 h, got soon"]
  ] as const)("%j fails with one line that says why", ([args, reason]) =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* agents(...args)
      expect({ code, stdout, lines: stderr.trimEnd().split("\n").length }).toEqual({ code: 1, stdout: "", lines: 1 })
      expect(stderr).toContain(reason)
    })
  )
})
