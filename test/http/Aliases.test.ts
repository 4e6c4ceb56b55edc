import { describe, expect, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { resolve } from "../../src/http/aliases.ts"
import { request, TestServer } from "../support/TestServer.ts"
import { call, chat, download, send } from "../support/Uploading.ts"

describe("an alias", () => {
  it.each([
    ["/api/v1/suites", "/v1/suites"],
    ["/api/v1/suites/1?q=a", "/v1/suites/1?q=a"],
    ["/api/v1/health", "/health"],
    ["/api/v1/ready", "/ready"],
    ["/api/v1/live", "/live"],
    ["/api/v1/openapi.json", "/openapi.json"],
    ["/v1/upstreams", "/v1/mcp/servers"],
    ["/v1/upstreams/1/tools", "/v1/mcp/servers/1/tools"],
    ["/v1/mcp-servers", "/v1/mcp/servers"],
    ["/v1/mcp-servers/1", "/v1/mcp/servers/1"],
    ["/api/v1/upstreams", "/v1/mcp/servers"],
    ["/api/v1/mcp-servers/1", "/v1/mcp/servers/1"],
    ["/auth/me", "/v1/users/me"],
    ["/auth/api-keys", "/v1/api-keys"],
    ["/auth/api-keys/1?x=1", "/v1/api-keys/1?x=1"],
    ["/v1/sessions/1/files/a.jsonl", "/v1/sessions/1/files/content?path=a.jsonl"],
    ["/v1/sessions/1/files/shots/a%20b.png", "/v1/sessions/1/files/content?path=shots%2Fa%20b.png"],
    ["/v1/sessions/1/files/a?redirect=1", "/v1/sessions/1/files/content?path=a&redirect=1"],
    ["/api/v1/sessions/1/files/a%26b", "/v1/sessions/1/files/content?path=a%26b"]
  ])("%s stands for %s", (alias, path) => {
    expect(resolve(alias)).toBe(path)
  })

  it.each([
    "/",
    "/v1/suites",
    "/v1/suites?q=/api/v1/",
    "/v1/upstreamsomething",
    "/auth/me/too",
    "/auth/api-keyring",
    "/v1/sessions/1/files",
    "/v1/sessions/1/files/content?path=a",
    "/v1/sessions/1/files/%zz",
    "/v1/api/v1/suites"
  ])("%s is none", (path) => {
    expect(resolve(path)).toBe(path)
  })

  it.each([
    ["/v1/suites/", "/v1/suites"],
    ["/v1/suites///?q=1", "/v1/suites?q=1"],
    ["/api/v1/ready/", "/ready"],
    ["/auth/me/", "/v1/users/me"],
    ["///", "/"]
  ])("trailing slashes are accepted: %s", (path, plain) => {
    expect(resolve(path)).toBe(plain)
  })
})

layer(TestServer.layer())("over HTTP an alias", (it) => {
  it.effect("answers what it stands for, with the same rules", () =>
    Effect.gen(function* () {
      const read = (path: string, api_key?: null) =>
        Effect.flatMap(request(path, api_key === null ? { api_key } : {}), (response) =>
          Effect.promise(async () => ({ status: response.status, body: await response.json() }))
        )
      for (const [alias, path] of [
        ["/api/v1/suites/", "/v1/suites"],
        ["/auth/me", "/v1/users/me"],
        ["/auth/api-keys", "/v1/api-keys"],
        ["/v1/upstreams", "/v1/mcp/servers"],
        ["/v1/mcp-servers/", "/v1/mcp/servers"],
        ["/api/v1/live", "/live"],
        ["/api/v1/openapi.json", "/openapi.json"]
      ] as const) {
        const answer = yield* read(alias)
        expect(answer.status, alias).toBe(200)
        expect(answer, alias).toEqual(yield* read(path))
      }
      expect(yield* read("/auth/api-keys", null)).toMatchObject({ status: 401, body: { instance: "/v1/api-keys" } })
    })
  )

  it.effect("names a session's file by its path", () =>
    Effect.gen(function* () {
      const server = yield* TestServer
      const suite = yield* call(server, "POST", "/v1/suites", { name: "aliases" })
      const query = { suite_id: String(suite.json["id"]), file_name: "deep/my chat.jsonl" }
      const { json } = yield* send(server, { query, body: chat })
      const response = yield* request(`/v1/sessions/${json["id"]}/files/deep/my%20chat.jsonl`)
      expect(response.status).toBe(200)
      const bytes = Buffer.from(yield* Effect.promise(() => response.arrayBuffer()))
      expect(bytes).toEqual(yield* download(server, json["id"], "deep/my chat.jsonl"))
      expect(bytes.toString()).toBe(chat)
    })
  )
})
