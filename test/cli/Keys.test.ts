import { expect, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import * as KeyFormat from "../../src/identity/KeyFormat.ts"
import { testDatabase } from "../support/TestDatabase.ts"
import { client, request, TestServer } from "../support/TestServer.ts"
import { run, serve } from "./Tracepipe.ts"

const keys = (...args: ReadonlyArray<string>) =>
  Effect.flatMap(TestServer, ({ base_url, api_key }) =>
    run(["keys", ...args], { TRACEPIPE_URL: base_url, TRACEPIPE_API_KEY: api_key })
  )

const status = (api_key: string) => Effect.map(request("/v1/suites", { api_key }), (response) => response.status)

layer(TestServer.layer())("tracepipe keys", (it) => {
  it.effect("a key is made, works as far as it was said to, is listed and revoked", () =>
    Effect.gen(function* () {
      const { suites } = yield* client()
      const suite = yield* suites.create({
        payload: { name: "Coffee shop", description: "", version: "", base_url: null }
      })
      const made = yield* keys(
        "create",
        ...["--name", "for CI", "--scope", "suites:read", "--scope", "sessions:write"],
        ...["--suite", "Coffee shop", "--expires-in", "30 d"]
      )
      expect(made).toMatchObject({ code: 0, stdout: expect.stringMatching(/^tp_live_[0-9A-Za-z]{28}\n$/) })
      const key = made.stdout.trim()
      expect(yield* status(key)).toBe(200)

      const listed = yield* keys("list")
      const row = listed.stdout.split("\n").find((line) => line.endsWith("for CI"))
      const [id = "", , state, expires = "", , scopes, allowed] = row?.split(/ {2,}/) ?? []
      expect({ state, scopes, allowed }).toEqual({
        state: "valid",
        scopes: "suites:read,sessions:write",
        allowed: suite.id
      })
      const days = (Date.parse(expires) - Date.now()) / 86_400_000
      expect(days).toBeGreaterThan(29.9)
      expect(days).toBeLessThan(30)

      expect(yield* keys("revoke", id)).toEqual({ code: 0, stdout: `revoked ${id}\n`, stderr: "" })
      expect(yield* status(key)).toBe(401)
      expect((yield* keys("list")).stdout).toMatch(new RegExp(`${id}.*revoked`))
    })
  )

  it.effect.each([
    [["create", "--name", "x", "--expires-in", "30 moons"], "--expires-in: expected a time span such as 30 d"],
    [["create", "--name", "x", "--scope", "sessions"], "--scope: expected one of *, "],
    [["create", "--name", "x", "--suite", "nowhere"], 'no suite is named "nowhere"'],
    [["revoke", "x"], "expected a key's id"],
    [["revoke", "01a1fd02-88d0-73cb-9798-39aa1d449156"], "there is no API key 01a1fd02-88d0-73cb-9798-39aa1d449156"],
    [["list", "--api-key", "tp_live_wrong"], "this is not an API key of this service"],
    [["list", "--url", "localhost:8000"], "--url (or TRACEPIPE_URL): expected an address"]
  ] as const)("%j fails with one line that says why", ([args, reason]) =>
    Effect.gen(function* () {
      const { code, stdout, stderr } = yield* keys(...args)
      expect({ code, stdout, lines: stderr.trimEnd().split("\n").length }).toEqual({ code: 1, stdout: "", lines: 1 })
      expect(stderr).toContain(reason)
    })
  )

  it.effect("without a key, or a service, it says what to set", () =>
    Effect.gen(function* () {
      const { base_url } = yield* TestServer
      const keyless = yield* run(["keys", "list", "--url", base_url])
      expect(keyless).toMatchObject({ code: 1, stderr: expect.stringContaining("TRACEPIPE_API_KEY") })
      const alone = yield* run(["keys", "list", "--url", "http://127.0.0.1:1", "--api-key", KeyFormat.make()])
      expect(alone).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/^tracepipe: nothing answers at http:\/\/127\.0\.0\.1:1 .*TRACEPIPE_URL.*\n$/)
      })
    })
  )
})

it.effect("`keys generate` prints a key that BOOTSTRAP_API_KEY can be, another each time", () =>
  Effect.gen(function* () {
    const [one, other] = yield* Effect.all([run(["keys", "generate"]), run(["keys", "generate"])])
    expect(KeyFormat.isWellFormed(one.stdout.trim())).toBe(true)
    expect(one.stdout).not.toBe(other.stdout)
  })
)

it.scoped("`keys recover` makes a key straight in the database, for an organization that exists", () =>
  Effect.gen(function* () {
    const { app, owner } = yield* testDatabase
    const environment = { DATABASE_URL: app, DATABASE_MIGRATION_URL: owner }
    const early = yield* run(["keys", "recover"], environment)
    expect(early).toEqual({
      code: 1,
      stdout: "",
      stderr: "tracepipe: there is no organization default with an owner\n"
    })
    const { base_url } = yield* serve(environment)
    const recovered = yield* run(["keys", "recover"], environment)
    expect(recovered.code).toBe(0)
    const listed = yield* run(["keys", "list", "--url", base_url, "--api-key", recovered.stdout.trim()])
    expect(listed.stdout).toContain("recovered key")
  })
)
