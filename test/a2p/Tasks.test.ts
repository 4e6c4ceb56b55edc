import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { RequestHandler } from "../../src/a2p/RequestHandler.ts"
import { eventually } from "../support/Eventually.ts"
import { organization } from "../support/Organizations.ts"
import { bareSuite, ended, inputs, lexical, mappedSuite, recorded } from "../support/Recorded.ts"
import { TestServer } from "../support/TestServer.ts"
import { call } from "../support/Uploading.ts"
import {
  all,
  answerOf,
  asking,
  bytes,
  context,
  data,
  errorsOf,
  line,
  listing,
  message,
  person,
  refusal,
  saidOf,
  sent,
  stateOf,
  text
} from "./Calls.ts"

const somebody = Effect.map(organization(), (owner) => ({ ...owner, principal: person(owner) }))

layer(TestServer.layer(), { excludeTestServices: true })("a task", (it) => {
  it.effect("is the answer to a message that names a skill, and holds what the skill promises", () =>
    Effect.gen(function* () {
      const { principal, user_id, org_id } = yield* somebody
      const task = yield* sent(principal, asking("check_access", { action: "write", resource: "examples" }))
      expect([stateOf(task), task.metadata]).toEqual(["TASK_STATE_COMPLETED", { skill: "check_access" }])
      expect(answerOf(task)).toMatchObject({ allowed: true, role: "owner", org_id, user_id, agent_id: null })
      const limited = person({ org_id, user_id }, { scopes: ["a2p:use"] })
      const refused = yield* sent(limited, asking("check_access", { scope: "examples:write" }))
      expect(answerOf(refused)).toMatchObject({ allowed: false, scopes: ["a2p:use"] })
      expect(answerOf(refused)["reason"]).toContain("examples:write")
    })
  )

  it.effect("is streamed from its begin to its end, each event once and in order", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const handler = yield* RequestHandler
      const request = asking("check_access", { scope: "a2p:use" })
      const events = yield* Effect.promise(() => all(handler.sendMessageStream(request, context(principal))))
      expect(events.map(line)).toEqual([
        "task TASK_STATE_SUBMITTED",
        "TASK_STATE_WORKING",
        "artifact check_access",
        "TASK_STATE_COMPLETED"
      ])
      const again = yield* Effect.promise(() => all(handler.sendMessageStream(request, context(principal))))
      expect(again).toEqual(events)
    })
  )

  it.effect("is rejected with the fields that are wrong", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const wrong = yield* sent(principal, asking("ingest_session", { suite_id: "no id", colour: "red" }))
      expect(stateOf(wrong)).toBe("TASK_STATE_REJECTED")
      expect(
        errorsOf(wrong)
          .map(({ path }) => path)
          .toSorted()
      ).toEqual(["files", "input.colour", "input.suite_id"])
      const free = yield* sent(principal, message([text("please check my access")]))
      expect([stateOf(free), saidOf(free)]).toEqual([
        "TASK_STATE_REJECTED",
        expect.stringContaining("ingest_session, create_examples, ")
      ])
      const unknown = yield* sent(principal, asking("make_coffee", {}))
      expect([stateOf(unknown), errorsOf(unknown)]).toEqual([
        "TASK_STATE_REJECTED",
        [{ path: "skill", message: expect.stringContaining("must be one of") }]
      ])
      const missing = Bun.randomUUIDv7()
      const late = yield* sent(
        principal,
        asking("ingest_session", { suite_id: missing }, [bytes(inputs, "input_events.jsonl")])
      )
      expect([stateOf(late), saidOf(late)]).toEqual(["TASK_STATE_REJECTED", `there is no suite ${missing}`])
    })
  )

  it.effect("is not made of a message that cannot be understood", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const handler = yield* RequestHandler
      const ask = (request: ReturnType<typeof message>) => refusal(handler.sendMessage(request, context(principal)))
      const valid = [data({ skill: "check_access", input: { scope: "*" } })]
      expect(yield* ask({ ...message(valid), message: undefined })).toBe("RequestMalformedError: message: is missing")
      expect(yield* ask(message([]))).toContain("RequestMalformedError: message.parts")
      expect(yield* ask(message(valid, { messageId: "" }))).toContain("RequestMalformedError: message.messageId")
      expect(yield* ask(message(valid, { contextId: "x".repeat(256) }))).toContain(
        "RequestMalformedError: message.contextId"
      )
      expect(yield* ask(message([text("\u0000")]))).toContain("RequestMalformedError: message: ")
      expect(yield* ask(message([data("x".repeat(1024 * 1024))]))).toContain("RequestMalformedError: message: ")
      expect(yield* ask(message(valid, { history: -1 }))).toContain("RequestMalformedError: historyLength")
      const { tasks } = yield* Effect.promise(() => handler.listTasks(listing(), context(principal)))
      expect(tasks).toEqual([])
    })
  )

  it.effect("ingests the bytes of a bundle as an upload does", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { principal, api_key } = yield* somebody
      const owner = { ...target, api_key }
      const suite_id = yield* bareSuite(owner)
      const files = [bytes(inputs, "input_events.jsonl"), bytes("png", "screenshots/0001.txt"), bytes("", "empty.txt")]
      const input = { suite_id, description: "by an agent", metadata: { run: 7 } }
      const task = yield* sent(principal, asking("ingest_session", input, files))
      expect([stateOf(task), saidOf(task)]).toEqual(["TASK_STATE_COMPLETED", ""])
      const answer = answerOf(task)
      expect(answer).toMatchObject({ status: "READY", format: "tracepipe.browser/v1", file_count: 3 })
      const { json } = yield* call(owner, "GET", `/v1/sessions/${answer["session_id"]}`)
      expect(json).toMatchObject({ suite_id, description: "by an agent", metadata: { run: 7 } })
      expect(JSON.stringify(task.history)).not.toContain(Buffer.from(inputs).toString("base64").slice(0, 40))
      expect(task.history[0]?.parts[1]?.content).toMatchObject({ value: { size_bytes: inputs.length } })
    })
  )

  it.effect("makes examples in a job, tells how far it is, and names what was made", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { principal, api_key } = yield* somebody
      const owner = { ...target, api_key }
      const { suite_id } = yield* mappedSuite(owner)
      const session_ids = [yield* recorded(owner, suite_id), yield* recorded(owner, suite_id)]
      const handler = yield* RequestHandler
      const request = asking("create_examples", { session_ids, model_id: lexical })
      const events = yield* Effect.promise(() => all(handler.sendMessageStream(request, context(principal))))
      const lines = events.map(line)
      expect(lines[0]).toBe("task TASK_STATE_SUBMITTED")
      expect(lines.slice(-2)).toEqual(["artifact create_examples", "TASK_STATE_COMPLETED"])
      const task = yield* sent(principal, request)
      expect(answerOf(task)).toMatchObject({ completed: 2, failed: 0, cancelled: 0, skipped: [] })
      const ids = answerOf(task)["example_ids"]
      const { json } = yield* call(owner, "GET", `/v1/examples?job_id=${answerOf(task)["job_id"]}`)
      expect(ids).toEqual(Object(json["items"]).map(({ id }: { readonly id: string }) => id))
    })
  )

  it.effect("answers at once where that is wished, and goes on", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { principal, api_key } = yield* somebody
      const owner = { ...target, api_key }
      const { suite_id } = yield* mappedSuite(owner)
      const session_ids = [yield* recorded(owner, suite_id)]
      const handler = yield* RequestHandler
      const task = yield* sent(
        principal,
        asking("create_examples", { session_ids, model_id: lexical }, [], { at_once: true })
      )
      expect(stateOf(task)).toBe("TASK_STATE_SUBMITTED")
      const read = Effect.promise(() => handler.getTask({ tenant: "", id: task.id }, context(principal)))
      const done = yield* eventually(read, (found) => stateOf(found) === "TASK_STATE_COMPLETED")
      expect(answerOf(done)).toMatchObject({ completed: 1 })
      expect((yield* ended(owner, `/v1/jobs/${answerOf(done)["job_id"]}`))["status"]).toBe("COMPLETED")
    })
  )
})
