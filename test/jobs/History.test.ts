import { SqlClient } from "@effect/sql"
import { describe, expect, layer } from "@effect/vitest"
import { Duration, Effect, Layer } from "effect"
import { ClusterHistory } from "../../src/platform/ClusterHistory.ts"
import { eventually } from "../support/Eventually.ts"
import { example, exampleEnded, mappedSuite, messages, recorded } from "../support/Recorded.ts"
import { request, TestServer } from "../support/TestServer.ts"
import { call } from "../support/Uploading.ts"

/** Forgets everything that has ended by now; answers how many workflows. */
const forget = Effect.gen(function* () {
  const { sql } = yield* TestServer
  const history = ClusterHistory.Default.pipe(Layer.provide(Layer.succeed(SqlClient.SqlClient, sql)))
  return yield* Effect.provide(
    Effect.flatMap(ClusterHistory, (one) => one.forget(Duration.zero)),
    history
  )
})

const rows = Effect.gen(function* () {
  const { sql } = yield* TestServer
  const [found] = yield* sql<{ messages: number; replies: number; orphans: number }>`
    select (select count(*)::int from cluster_messages where entity_type like 'Workflow/%') as messages,
      (select count(*)::int from cluster_replies) as replies,
      (select count(*)::int from cluster_replies r
        where not exists (select from cluster_messages m where m.request_id = r.request_id)) as orphans`
  return found
}).pipe(Effect.orDie)

const measures = Effect.flatMap(request("/metrics"), (response) => Effect.promise(() => response.text()))

describe("the history of workflows", () => {
  layer(TestServer.layer(), { excludeTestServices: true })("that have ended", (it) => {
    it.effect("is forgotten, and nothing else: examples stay, and new ones are made", () =>
      Effect.gen(function* () {
        const target = yield* TestServer
        const { suite_id } = yield* mappedSuite(target)
        const session_id = yield* recorded(target, suite_id)
        const ids = yield* Effect.forEach([1, 2, 3], () => example(target, session_id))
        for (const id of ids) expect(yield* exampleEnded(target, id)).toMatchObject({ status: "COMPLETED" })
        yield* eventually(
          Effect.orDie(target.sql`select 1 from cluster_messages where tag = 'run' and not processed
            and entity_type like 'Workflow/%'`),
          (open) => open.length === 0
        )
        expect((yield* rows)?.messages).toBeGreaterThan(0)
        expect(yield* forget).toBe(3)
        expect(yield* rows).toEqual({ messages: 0, replies: 0, orphans: 0 })
        expect(yield* forget).toBe(0)
        for (const id of ids) expect(yield* messages(target, id)).toContain("create_customer")
        expect(yield* exampleEnded(target, yield* example(target, session_id))).toMatchObject({ status: "COMPLETED" })
      })
    )

    it.effect("is looked at every ten minutes, by one runner", () =>
      Effect.gen(function* () {
        const { sql } = yield* TestServer
        const turns = Effect.orDie(
          sql<{ wait_s: number }>`select (deliver_at / 1000 - extract(epoch from now()))::float8 as wait_s
            from cluster_messages where entity_type = 'ClusterCron/forget-history' and not processed`
        )
        const [turn, ...more] = yield* eventually(turns, (found) => found.length > 0)
        expect(more).toEqual([])
        expect(turn?.wait_s).toBeGreaterThan(0)
        expect(turn?.wait_s).toBeLessThanOrEqual(600)
      })
    )

    it.effect("is measured: how long each stage took, and the whole", () =>
      Effect.gen(function* () {
        const target = yield* TestServer
        const { suite_id } = yield* mappedSuite(target)
        const text = yield* measures
        const count = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? 0)
        const done = count('tracepipe_job_duration_seconds_count{kind="Example",status="COMPLETED"}')
        const id = yield* example(target, yield* recorded(target, suite_id))
        expect(yield* exampleEnded(target, id)).toMatchObject({ status: "COMPLETED" })
        const after = yield* eventually(measures, (found) =>
          found.includes(`tracepipe_job_duration_seconds_count{kind="Example",status="COMPLETED"} ${done + 1}`)
        )
        expect(after).toContain(`tracepipe_job_duration_seconds_count{kind="Example",status="COMPLETED"} ${done + 1}`)
        for (const stage of ["load", "classify", "write", "record"]) {
          expect(after).toContain(`tracepipe_job_stage_duration_seconds_count{kind="Example",stage="${stage}"}`)
        }
      })
    )
  })

  layer(TestServer.layer({ ROLE: "api" }), { excludeTestServices: true })("that have not begun", (it) => {
    it.effect("is kept, and measured", () =>
      Effect.gen(function* () {
        const target = yield* TestServer
        const { suite_id } = yield* mappedSuite(target)
        const session_id = yield* recorded(target, suite_id)
        const ids = yield* Effect.forEach([1, 2], () => example(target, session_id))
        expect(yield* forget).toBe(0)
        expect(yield* rows).toEqual({ messages: 2, replies: 0, orphans: 0 })
        const depth = 'tracepipe_job_queue_depth{kind="Example"} 2'
        const text = yield* eventually(measures, (found) => found.includes(depth))
        expect(text).toContain(depth)
        const age = Number(/^tracepipe_job_queue_oldest_seconds\{kind="Example"\} ([\d.]+)$/m.exec(text)?.[1])
        expect(age).toBeGreaterThan(0)
        expect(age).toBeLessThan(60)
        for (const id of ids) {
          expect((yield* call(target, "GET", `/v1/examples/${id}`)).json).toMatchObject({ status: "PENDING" })
        }
      })
    )
  })
})
