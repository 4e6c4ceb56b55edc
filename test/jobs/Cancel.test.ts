import { readdirSync } from "node:fs"
import { expect, it, layer } from "@effect/vitest"
import { Effect } from "effect"
import { childService } from "../support/ChildService.ts"
import { eventually } from "../support/Eventually.ts"
import { gate } from "../support/Gate.ts"
import { example, exampleEnded, mappedSuite, messages, recorded } from "../support/Recorded.ts"
import { traces } from "../support/Remains.ts"
import { TestServer } from "../support/TestServer.ts"
import { call, type Target } from "../support/Uploading.ts"

const filesOf = (scene: Parameters<typeof traces>[0]) =>
  Effect.map(traces(scene), ({ objects }) => objects.filter((key) => key.includes("/examples/")))

const cancel = (target: Target, id: string) => call(target, "POST", `/v1/examples/${id}/cancel`)
const retry = (target: Target, id: string) => call(target, "POST", `/v1/examples/${id}/retry`)

it.scopedLive(
  "an example that is cancelled while it is written and tried again at once is the second attempt's alone",
  () =>
    Effect.gen(function* () {
      const service = yield* childService({ environment: { LOG_LEVEL: "WARNING" } })
      const scene = { ...service, database_url: service.database.app }
      const { suite_id } = yield* mappedSuite(service)
      const session_id = yield* recorded(service, suite_id)
      const closed = yield* gate(service.database, { noted: "write" })
      const id = yield* example(service, session_id)
      yield* closed.reached
      expect(yield* filesOf(scene)).toHaveLength(2)
      expect((yield* cancel(service, id)).json).toMatchObject({ status: "CANCELLED" })
      expect((yield* retry(service, id)).json).toMatchObject({ status: "PENDING", attempts: 2 })
      expect(yield* eventually(filesOf(scene), (files) => files.length === 4)).toHaveLength(4)
      yield* closed.pass
      expect(yield* exampleEnded(service, id)).toMatchObject({ status: "COMPLETED", attempts: 2 })
      const left = yield* eventually(filesOf(scene), (files) => files.length === 2)
      expect(left.map((key) => key.split("/").slice(-2))).toEqual([
        ["attempt-2", "messages.jsonl"],
        ["attempt-2", "tools.json"]
      ])
      expect(yield* messages(service, id)).toContain("create_customer")
      expect((yield* call(service, "DELETE", `/v1/examples/${id}`)).status).toBe(204)
      expect(yield* eventually(filesOf(scene), (files) => files.length === 0)).toEqual([])
    }),
  120_000
)

layer(TestServer.layer(), { excludeTestServices: true })("under load", (it) => {
  it.effect("what is cancelled stays so and leaves nothing, what is tried again is made once", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      const session_id = yield* recorded(target, suite_id)
      const treat = (at: number) =>
        Effect.gen(function* () {
          const id = yield* example(target, session_id)
          if (at % 3 === 0) return { id, wanted: "COMPLETED" }
          const cancelled = (yield* cancel(target, id)).status
          // One that was faster is COMPLETED, and says so.
          if (cancelled === 409) return { id, wanted: "COMPLETED" }
          expect(cancelled).toBe(200)
          if (at % 3 === 1) return { id, wanted: "CANCELLED" }
          expect((yield* retry(target, id)).json).toMatchObject({ status: "PENDING", attempts: 2 })
          return { id, wanted: "COMPLETED" }
        })
      const treated = yield* Effect.all(
        Array.from({ length: 60 }, (_, at) => treat(at)),
        { concurrency: 12 }
      )
      for (const { id, wanted } of treated) {
        expect(yield* exampleEnded(target, id)).toMatchObject({ status: wanted, error_code: null })
        if (wanted === "COMPLETED") expect(yield* messages(target, id)).toContain("create_customer")
        else expect((yield* call(target, "GET", `/v1/examples/${id}/messages`)).status).toBe(409)
      }
      const completed = treated.filter(({ wanted }) => wanted === "COMPLETED")
      expect(completed.length).toBeGreaterThanOrEqual(40)
      const unfinished = Effect.orDie(
        target.sql`select 1 from cluster_messages where entity_type = 'Workflow/Example' and not processed`
      )
      expect(yield* eventually(unfinished, (open) => open.length === 0)).toEqual([])
      const files = readdirSync(`${target.data_dir}/objects`, { recursive: true, withFileTypes: true }).filter(
        (entry) => entry.isFile() && entry.parentPath.includes("/examples/")
      )
      expect(files).toHaveLength(2 * completed.length)
    })
  )
})
