import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { asOwner } from "../support/AsOwner.ts"
import { bareSuite, exampleEnded, inputs, lexical, mappedSuite, messages, recorded } from "../support/Recorded.ts"
import { TestServer } from "../support/TestServer.ts"
import { call, formOf, send, type Target } from "../support/Uploading.ts"

const offline = "01980000-0000-7000-8000-000000000002"

const wants = (target: Target, suite_id: string, on_upload: unknown) =>
  call(target, "PATCH", `/v1/suites/${suite_id}`, { on_upload })

const examplesOf = (target: Target, filter: Readonly<Record<string, string>>) =>
  Effect.map(
    call(target, "GET", `/v1/examples?${new URLSearchParams(filter)}`),
    ({ json }): ReadonlyArray<{ readonly id: string; readonly status: string }> => Object(json["items"])
  )

const body = () => formOf([["input_events.jsonl", inputs, "input_events.jsonl"]])

layer(TestServer.layer(), { excludeTestServices: true })("a suite with on_upload", (it) => {
  it.effect("has an example of a session as soon as it has the session", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id, map_id } = yield* mappedSuite(target)
      const { status, json } = yield* wants(target, suite_id, { model_id: lexical })
      expect([status, json["on_upload"]]).toEqual([200, { model_id: lexical }])
      const session_id = yield* recorded(target, suite_id)
      const [example, ...more] = yield* examplesOf(target, { session_id })
      expect([example?.id, more]).toEqual([expect.any(String), []])
      expect(yield* exampleEnded(target, example?.id ?? "")).toMatchObject({
        status: "COMPLETED",
        action_tool_map_id: map_id,
        model: "BUILTIN/lexical",
        job_id: null
      })
      expect(yield* messages(target, example?.id ?? "")).toContain("create_customer")
      const audited = yield* Effect.orDie(
        target.sql`select actor from audit_entries where resource = ${`example/${example?.id}`}`
      )
      expect(audited).toEqual([{ actor: "system" }])
      expect((yield* wants(target, suite_id, null)).json["on_upload"]).toBeNull()
      expect(yield* examplesOf(target, { session_id: yield* recorded(target, suite_id) })).toEqual([])
    })
  )

  it.effect("makes one example of an upload that is sent again", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      yield* wants(target, suite_id, { model_id: lexical })
      const sent = {
        query: { suite_id },
        headers: { "idempotency-key": crypto.randomUUID() }
      }
      const answers = yield* Effect.all(
        [1, 2, 3].map(() => send(target, { ...sent, body: body() })),
        { concurrency: "unbounded" }
      )
      expect(new Set(answers.map(({ json }) => json["id"])).size).toBe(1)
      expect(yield* examplesOf(target, { suite_id })).toHaveLength(1)
    })
  )

  it.effect("tells on the example what is missing for it", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const mapless = yield* bareSuite(target)
      const { suite_id } = yield* mappedSuite(target)
      for (const [suite, model_id, reason] of [
        [mapless, lexical, "no action–tool map"],
        [suite_id, offline, "recognises no actions"]
      ] as const) {
        yield* wants(target, suite, { model_id })
        const [example] = yield* examplesOf(target, { session_id: yield* recorded(target, suite) })
        expect(example).toMatchObject({
          status: "FAILED",
          error_code: "on_upload",
          error_message: expect.stringContaining(reason)
        })
      }
    })
  )

  it.effect("has neither session nor example where one of them cannot be written", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { suite_id } = yield* mappedSuite(target)
      yield* wants(target, suite_id, { model_id: lexical })
      yield* asOwner(
        "create function deny() returns trigger language plpgsql as 'begin raise exception ''no example''; end'",
        "create trigger deny before insert on examples for each row execute function deny()"
      )
      const { status } = yield* send(target, { query: { suite_id }, body: body() }).pipe(
        Effect.ensuring(asOwner("drop trigger deny on examples", "drop function deny"))
      )
      expect(status).toBe(500)
      const { json } = yield* call(target, "GET", `/v1/sessions?suite_id=${suite_id}`)
      expect(json["items"]).toEqual([])
      expect(yield* examplesOf(target, { suite_id })).toEqual([])
    })
  )

  it.effect("cannot name a model that is not there", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const suite_id = yield* bareSuite(target)
      const { status, json } = yield* wants(target, suite_id, { model_id: Bun.randomUUIDv7() })
      expect([status, json["code"]]).toEqual([404, "not_found"])
    })
  )
})
