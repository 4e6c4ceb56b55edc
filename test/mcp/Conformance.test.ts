import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { conformanceServer } from "../support/ConformanceServer.ts"
import { Conformance, outcome, revisions, scenarios } from "../support/conformance/Suite.ts"

/** Every message of a scenario is checked against the protocol's schema besides: that alone proves no scenario. */
const ofItsOwn = (id: string) => !id.startsWith("wire-schema")

for (const revision of revisions) {
  const url = Effect.map(conformanceServer(), (server) => server.url)
  layer(Conformance.required(url, revision))(`MCP's own conformance suite, revision ${revision}`, (it) => {
    it.effect.each(scenarios(revision))("passes: %s", (scenario) =>
      Effect.gen(function* () {
        const { passed, failed } = yield* outcome(scenario)
        expect(failed).toEqual([])
        expect(passed.filter(ofItsOwn)).not.toEqual([])
      })
    )
  })
}
