import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { conformanceServer } from "../support/ConformanceServer.ts"
import { Conformance, outcome, type Revision, revisions, scenarios } from "../support/conformance/Suite.ts"
import { withKey } from "../support/McpProxy.ts"
import { TestServer } from "../support/TestServer.ts"

/** Every message of a scenario is checked against the protocol's schema besides: that alone proves no scenario. */
const ofItsOwn = (id: string) => !id.startsWith("wire-schema")

for (const revision of revisions) {
  const url = Effect.map(conformanceServer(), (server) => server.url)
  layer(Conformance.required(url, revision))(`MCP's own conformance suite, revision ${revision}`, (it) => {
    it.effect.each(scenarios(revision))("passes: %s", (scenario) =>
      Effect.gen(function* () {
        const { passed, failed, untried } = yield* outcome(scenario)
        expect([...failed, ...untried]).toEqual([])
        expect(passed.filter(ofItsOwn)).not.toEqual([])
      })
    )
  })
}

/** The scenarios that ask for nothing but what every server has. */
const withoutFixture: Readonly<Record<Revision, ReadonlyArray<string>>> = {
  "2025-11-25": [
    "server-initialize",
    "server-session-lifecycle",
    "ping",
    "tools-list",
    "server-sse-multiple-streams",
    "resources-list",
    "prompts-list",
    "dns-rebinding-protection"
  ],
  "2026-07-28": [
    "server-stateless",
    "tools-list",
    "server-sse-multiple-streams",
    "resources-list",
    "sep-2164-resource-not-found",
    "prompts-list",
    "dns-rebinding-protection",
    "caching",
    "http-header-validation",
    "input-required-result-unsupported-methods"
  ]
}

/** What the suite can only try with tools of its own making. */
const needsAToolOfItsOwn = [
  "sep-2575-server-rejects-undeclared-capability",
  "sep-2575-missing-capability-http-400",
  "sep-2575-http-server-no-independent-requests-on-stream",
  "sep-2575-server-no-log-without-loglevel"
]

layer(TestServer.layer())("the service itself", (it) => {
  const url = Effect.map(Effect.flatMap(TestServer, withKey), (base_url) => `${base_url}/mcp`)
  for (const revision of revisions) {
    it.layer(Conformance.required(url, revision))(`revision ${revision}`, (it) => {
      it.effect.each(withoutFixture[revision])("passes: %s", (scenario) =>
        Effect.gen(function* () {
          const { passed, failed, untried } = yield* outcome(scenario)
          expect(failed).toEqual([])
          expect(untried).toEqual(scenario === "server-stateless" ? needsAToolOfItsOwn : [])
          expect(passed.filter(ofItsOwn)).not.toEqual([])
        })
      )
    })
  }
})
