import { layer } from "@effect/vitest"
import { Effect } from "effect"
import { PlatformSurface } from "../../../src/mcp/platform/PlatformSurface.ts"
import { organization } from "../../support/Organizations.ts"
import { TestServer } from "../../support/TestServer.ts"
import { as, call } from "./Calling.ts"

layer(TestServer.layer(), { excludeTestServices: true })("peek", (it) => {
  it.effect("peeks", () =>
    Effect.gen(function* () {
      const surface = yield* PlatformSurface
      for (const t of surface.tools) console.log(t.name, JSON.stringify(t.inputSchema, null, 1))
      console.log(JSON.stringify(surface.tools).length)
      const me = yield* organization()
      for (const [n, i] of [
        ["list_suites", {}],
        ["list_suites", { limit: "x", foo: 1 }],
        ["get_suite", { suite_id: me.org_id }],
        ["get_suite", {}],
        ["create_example", { session_id: "x", range: { from_seq: 5, to_seq: 2 } }],
        ["list_sessions", { format: "x" }],
        ["get_suite", "text"],
        ["list_suites", { cursor: "x" }]
      ] as const)
        console.log(JSON.stringify(yield* as(me)(call(n, i))))
    })
  )
})
