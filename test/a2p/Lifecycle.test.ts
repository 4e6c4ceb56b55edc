import { TaskState } from "@a2a-js/sdk"
import { ServerCallContext } from "@a2a-js/sdk/server"
import { expect, layer } from "@effect/vitest"
import { Effect, Exit, Fiber, Layer, Scope } from "effect"
import { Caller } from "../../src/a2p/Caller.ts"
import { RequestHandler } from "../../src/a2p/RequestHandler.ts"
import { TaskRuns } from "../../src/a2p/TaskRuns.ts"
import * as OnUpload from "../../src/example/OnUpload.ts"
import { asOwner } from "../support/AsOwner.ts"
import { eventually } from "../support/Eventually.ts"
import { organization } from "../support/Organizations.ts"
import { bareSuite, inputs } from "../support/Recorded.ts"
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
  text,
  url
} from "./Calls.ts"
import { node } from "./Nodes.ts"

const question = (more: Parameters<typeof asking>[3] = {}) => asking("check_access", { scope: "a2p:use" }, [], more)

const somebody = Effect.map(organization(), (owner) => ({ ...owner, principal: person(owner) }))

/** A server of files: it answers a path with what is said there, and never ends `/slow`. */
const files = Effect.gen(function* () {
  const slow = { asked: 0, left: 0 }
  const server = yield* Effect.acquireRelease(
    Effect.sync(() =>
      Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        idleTimeout: 0,
        fetch: (request) => {
          const { pathname } = new URL(request.url)
          if (pathname === "/input_events.jsonl") return new Response(inputs)
          if (pathname === "/notes.txt") return new Response("a note")
          if (pathname !== "/slow.jsonl") return new Response("no such file", { status: 404 })
          slow.asked += 1
          return new Response(
            new ReadableStream({
              start: (controller) => controller.enqueue(new TextEncoder().encode(inputs)),
              cancel: () => {
                slow.left += 1
              }
            })
          )
        }
      })
    ),
    (listening) => Effect.promise(() => listening.stop(true))
  )
  return { address: `http://127.0.0.1:${server.port}`, slow }
})

/** A lock of the database's, which the end of a task waits for while somebody has it. */
const key = 77_000_002

/** Until the scope ends, no task is completed but after `open`. */
const gated = Effect.gen(function* () {
  const { sql } = yield* TestServer
  yield* Effect.acquireRelease(
    asOwner(
      `create function wait_here() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock(${key}); return new; end $$`,
      `create trigger wait_here before update on a2p_tasks for each row
        when (new.state = 'TASK_STATE_COMPLETED') execute function wait_here()`
    ),
    () => asOwner("drop trigger wait_here on a2p_tasks", "drop function wait_here")
  )
  const [taken, opened] = [yield* Effect.makeLatch(false), yield* Effect.makeLatch(false)]
  const holding = sql`select pg_advisory_xact_lock(${key})`.pipe(
    Effect.zipRight(taken.open),
    Effect.zipRight(opened.await),
    sql.withTransaction,
    Effect.orDie
  )
  const holder = yield* Effect.forkScoped(holding)
  yield* taken.await
  return { open: Effect.zipRight(opened.open, Fiber.await(holder)) }
})

layer(TestServer.layer({ A2P_MAX_OPEN_TASKS: "2" }), { excludeTestServices: true })("a task's life", (it) => {
  it.effect("is the same for the same message, and another for another", () =>
    Effect.gen(function* () {
      const { principal, org_id } = yield* somebody
      const handler = yield* RequestHandler
      const request = question()
      const at_once = yield* Effect.promise(() =>
        Promise.all(Array.from({ length: 5 }, () => handler.sendMessage(request, context(principal))))
      )
      expect(new Set(at_once.map((task) => ("id" in task ? task.id : ""))).size).toBe(1)
      const { sql } = yield* TestServer
      const entries = yield* Effect.orDie(
        sql`select 1 from audit_entries where org_id = ${org_id} and action = 'a2p_task.create'`
      )
      expect(entries).toHaveLength(1)
      const { messageId = "" } = request.message ?? {}
      expect(
        yield* refusal(
          handler.sendMessage(asking("check_access", { scope: "*" }, [], { messageId }), context(principal))
        )
      ).toContain("RequestMalformedError: message.messageId")
      const elsewhere = yield* sent(principal, question({ messageId, contextId: "another" }))
      expect(elsewhere.contextId).toBe("another")
      const others = yield* sent((yield* somebody).principal, request)
      expect(new Set([at_once[0], elsewhere, others].map((task) => Object(task)["id"])).size).toBe(3)
    })
  )

  it.effect("takes no message once it has ended, and none of another context", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const handler = yield* RequestHandler
      const task = yield* sent(principal, question())
      const ask = (more: object) =>
        refusal(handler.sendMessage(message([text("and?")], { taskId: task.id, ...more }), context(principal)))
      expect(yield* ask({})).toContain("UnsupportedOperationError")
      expect(yield* ask({ contextId: task.contextId })).toContain("UnsupportedOperationError")
      expect(yield* ask({ contextId: "another" })).toContain("RequestMalformedError: message.contextId")
      expect(yield* ask({ taskId: "no id" })).toContain("TaskNotFoundError")
      const canceling = { tenant: "", id: task.id, metadata: undefined }
      expect(yield* refusal(handler.cancelTask(canceling, context(principal)))).toContain("TaskNotCancelableError")
    })
  )

  it.scoped("is given where its events go only by a message that it takes", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { principal, org_id } = yield* somebody
      const handler = yield* RequestHandler
      const { id: taskId } = yield* sent(principal, question())
      const { configuration, ...request } = message([text("and?")], { taskId })
      const config = {
        tenant: "",
        id: "mine",
        taskId: "",
        url: `${(yield* files).address}/push`,
        token: "token",
        authentication: undefined
      }
      const more = {
        ...request,
        configuration: configuration && { ...configuration, taskPushNotificationConfig: config }
      }
      const configs = Effect.orDie(
        sql`select config_id from a2p_push_configs where org_id = ${org_id} and task_id = ${taskId}`
      )
      expect(yield* refusal(handler.sendMessage(more, context(principal)))).toContain("UnsupportedOperationError")
      expect(yield* configs).toEqual([])
      yield* Effect.orDie(
        sql`update a2p_tasks set state = 'TASK_STATE_INPUT_REQUIRED', input = '{"scope":"*"}' where id = ${taskId}`
      )
      expect(stateOf(yield* sent(principal, more))).toBe("TASK_STATE_COMPLETED")
      expect(yield* configs).toEqual([{ config_id: "mine" }])
    })
  )

  it.effect("is listed newest first, page by page, by context, state and time", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const handler = yield* RequestHandler
      const list = (more: Parameters<typeof listing>[0] = {}) =>
        Effect.promise(() => handler.listTasks(listing(more), context(principal)))
      const ids: Array<string> = []
      for (const contextId of ["a", "b", "a", "b", "a"])
        ids.unshift((yield* sent(principal, question({ contextId }))).id)
      const rejected = (yield* sent(principal, message([text("hello")]))).id
      ids.unshift(rejected)
      const found: Array<string> = []
      let pageToken = ""
      for (const size of [2, 2, 2]) {
        const page = yield* list({ pageSize: 2, pageToken })
        expect([page.tasks.length, page.pageSize, page.totalSize]).toEqual([size, 2, 6])
        found.push(...page.tasks.map(({ id }) => id))
        pageToken = page.nextPageToken
      }
      expect([found, pageToken]).toEqual([ids, ""])
      const named = ({ tasks }: { readonly tasks: ReadonlyArray<{ readonly id: string }> }) => tasks.map(({ id }) => id)
      expect(named(yield* list({ contextId: "b" }))).toEqual([ids[2], ids[4]])
      expect(named(yield* list({ status: TaskState.TASK_STATE_REJECTED }))).toEqual([rejected])
      const all = yield* list({ includeArtifacts: true, historyLength: 0 })
      expect(all.tasks.map(({ history }) => history.length)).toEqual([0, 0, 0, 0, 0, 0])
      expect(all.tasks.map(({ artifacts }) => artifacts.length)).toEqual([0, 1, 1, 1, 1, 1])
      expect((yield* list()).tasks.map(({ artifacts }) => artifacts.length)).toEqual([0, 0, 0, 0, 0, 0])
      const since = all.tasks[2]?.status?.timestamp
      expect(named(yield* list({ statusTimestampAfter: since }))).toEqual(ids.slice(0, 3))
      const ask = (more: object) => refusal(handler.listTasks(listing(more), context(principal)))
      expect(yield* ask({ pageSize: 0 })).toContain("RequestMalformedError: pageSize")
      expect(yield* ask({ pageSize: 101 })).toContain("RequestMalformedError: pageSize")
      expect(yield* ask({ pageToken: "mine" })).toContain("RequestMalformedError: cursor")
      expect(yield* ask({ statusTimestampAfter: "yesterday" })).toContain("RequestMalformedError: statusTimestampAfter")
      expect(yield* ask({ status: 99 })).toContain("RequestMalformedError: status")
    })
  )

  it.effect("is listed on a page with no more than some megabytes of others", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { principal, org_id } = yield* somebody
      const handler = yield* RequestHandler
      const ids: Array<string> = []
      for (let count = 0; count < 4; count++) ids.unshift((yield* sent(principal, question())).id)
      yield* Effect.orDie(
        sql`update a2p_tasks set artifacts = jsonb_set(artifacts, '{0,description}', to_jsonb(repeat('x', 3000000)))
          where org_id = ${org_id}`
      )
      const list = (more: Parameters<typeof listing>[0]) =>
        Effect.promise(() => handler.listTasks(listing({ pageSize: 3, ...more }), context(principal)))
      const first = yield* list({ includeArtifacts: true })
      const second = yield* list({ includeArtifacts: true, pageToken: first.nextPageToken })
      expect([first, second].map(({ tasks }) => tasks.map(({ id }) => id))).toEqual([ids.slice(0, 2), ids.slice(2)])
      expect([first.totalSize, second.nextPageToken]).toEqual([4, ""])
      const small = yield* list({})
      expect(small.tasks.map(({ id }) => id)).toEqual(ids.slice(0, 3))
      expect(small.nextPageToken).not.toBe("")
    })
  )

  it.effect("keeps of a large message no more than it needs", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { principal, org_id } = yield* somebody
      const handler = yield* RequestHandler
      const large = "x".repeat(100_000)
      const parts = [
        data({ skill: "check_access", input: { scope: "*" } }),
        text(large),
        url("https://files.example/a")
      ]
      const refused = message([data({ skill: "make_coffee", input: { large } })])
      const asked = message(parts.slice(0, 2))
      const done = yield* sent(principal, asked)
      expect(stateOf(done)).toBe("TASK_STATE_COMPLETED")
      expect(done.history[0]?.parts.map(({ content }) => content?.$case)).toEqual(["data", "data"])
      expect(done.history[0]?.parts[1]?.content?.value).toMatchObject({ left_out: 1 })
      expect(stateOf(yield* sent(principal, refused))).toBe("TASK_STATE_REJECTED")
      const files = yield* sent(principal, message(parts))
      expect(files.history[0]?.parts[1]?.content).toEqual({ $case: "url", value: "https://files.example/a" })
      const rows = yield* Effect.orDie(
        sql`select t.input, max(octet_length(e.event::text)) < 10000 as is_small, octet_length(t.history::text) < 10000 as is_brief
          from a2p_tasks t join a2p_task_events e on e.task_id = t.id where t.org_id = ${org_id} group by t.id`
      )
      expect(rows).toEqual(Array.from({ length: 3 }, () => ({ input: null, is_small: true, is_brief: true })))
      // The whole of it is what a message is known by.
      expect((yield* sent(principal, asked)).id).toBe(done.id)
      const { messageId = "" } = asked.message ?? {}
      const other = message([...parts.slice(0, 1), text(`${large}y`)], { messageId })
      expect(yield* refusal(handler.sendMessage(other, context(principal)))).toContain("message.messageId")
    })
  )

  it.effect("tells of its history as much as is wanted", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const handler = yield* RequestHandler
      const { id } = yield* sent(principal, question())
      const length = (historyLength?: number) =>
        Effect.promise(() => handler.getTask({ tenant: "", id, historyLength }, context(principal))).pipe(
          Effect.map(({ history }) => history.length)
        )
      expect([yield* length(), yield* length(0), yield* length(1), yield* length(5)]).toEqual([1, 0, 1, 1])
      expect((yield* sent(principal, question({ history: 0 }))).history).toEqual([])
      expect(yield* refusal(handler.getTask({ tenant: "", id, historyLength: -1 }, context(principal)))).toContain(
        "RequestMalformedError: historyLength"
      )
    })
  )

  it.scoped("reads a bundle from where it is", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { principal, api_key } = yield* somebody
      const { address } = yield* files
      const owner = { ...target, api_key }
      const suite_id = yield* bareSuite(owner)
      const asked = [url(`${address}/input_events.jsonl`), url(`${address}/notes.txt`, "notes/first.txt")]
      const task = yield* sent(principal, asking("ingest_session", { suite_id }, asked))
      expect([stateOf(task), saidOf(task)]).toEqual(["TASK_STATE_COMPLETED", ""])
      expect(answerOf(task)).toMatchObject({ status: "READY", format: "tracepipe.browser/v1", file_count: 2 })
      const { json } = yield* call(owner, "GET", `/v1/sessions/${answerOf(task)["session_id"]}/files`)
      expect(Object(json["items"]).map(({ path }: { readonly path: string }) => path)).toEqual([
        "input_events.jsonl",
        "notes/first.txt"
      ])
      const missing = yield* sent(
        principal,
        asking("ingest_session", { suite_id }, [url(`${address}/nothing?key=secret`)])
      )
      expect([stateOf(missing), saidOf(missing)]).toEqual(["TASK_STATE_FAILED", `${address}/nothing answers 404`])
      const inside = yield* sent(
        principal,
        asking("ingest_session", { suite_id }, [url("http://169.254.169.254/latest")])
      )
      expect(stateOf(inside)).toBe("TASK_STATE_REJECTED")
      expect(saidOf(inside)).toContain("files.0.url: http://169.254.169.254")
      const file = yield* sent(principal, asking("ingest_session", { suite_id }, [url("file:///etc/passwd")]))
      expect([stateOf(file), saidOf(file)]).toEqual([
        "TASK_STATE_REJECTED",
        "files.0.url: must be an http or https URL"
      ])
      const mixed = [bytes(inputs, "input_events.jsonl"), url(`${address}/notes.txt`)]
      const both = yield* sent(principal, asking("ingest_session", { suite_id }, mixed))
      expect([stateOf(both), errorsOf(both).map(({ path }) => path)]).toEqual(["TASK_STATE_REJECTED", ["files"]])
    })
  )

  it.scoped("ends where it is when it is canceled, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { principal, api_key } = yield* somebody
      const { address, slow } = yield* files
      const owner = { ...target, api_key }
      const suite_id = yield* bareSuite(owner)
      const handler = yield* RequestHandler
      const waiting = handler.sendMessage(
        asking("ingest_session", { suite_id }, [url(`${address}/slow.jsonl`)]),
        context(principal)
      )
      const open = Effect.promise(() => handler.listTasks(listing(), context(principal)))
      const reading = yield* eventually(
        open,
        ({ tasks }) => stateOf(tasks[0] ?? { status: undefined }) === "TASK_STATE_WORKING" && slow.asked > 0
      )
      const id = reading.tasks[0]?.id ?? ""
      yield* Effect.promise(() => handler.cancelTask({ tenant: "", id, metadata: undefined }, context(principal)))
      expect(stateOf(Object(yield* Effect.promise(() => waiting)))).toBe("TASK_STATE_CANCELED")
      expect(
        yield* eventually(
          Effect.sync(() => slow.left),
          (left) => left > 0
        )
      ).toBe(slow.asked)
      const { json } = yield* call(owner, "GET", "/v1/sessions")
      expect(json["items"]).toEqual([])
      const events = yield* Effect.orDie(
        owner.sql`select event->'statusUpdate'->'status'->>'state' as state from a2p_task_events
          where task_id = ${id} and event ? 'statusUpdate' order by seq`
      )
      expect(events).toEqual([{ state: "TASK_STATE_WORKING" }, { state: "TASK_STATE_CANCELED" }])
    })
  )

  it.scoped("is one of a bounded number that are open", () =>
    Effect.gen(function* () {
      const target = yield* TestServer
      const { principal, api_key } = yield* somebody
      const { address } = yield* files
      const suite_id = yield* bareSuite({ ...target, api_key })
      const handler = yield* RequestHandler
      const slow = () => asking("ingest_session", { suite_id }, [url(`${address}/slow.jsonl`)], { at_once: true })
      const outcomes = yield* Effect.all(
        Array.from({ length: 5 }, () => refusal(handler.sendMessage(slow(), context(principal)))),
        { concurrency: "unbounded" }
      )
      expect(outcomes.filter((told) => told === "answered")).toHaveLength(2)
      expect(outcomes.find((told) => told !== "answered")).toContain("RateLimited: at most 2 tasks may be open")
      const { tasks } = yield* Effect.promise(() => handler.listTasks(listing(), context(principal)))
      for (const { id } of tasks) {
        yield* Effect.promise(() => handler.cancelTask({ tenant: "", id, metadata: undefined }, context(principal)))
      }
      expect(stateOf(yield* sent(principal, question()))).toBe("TASK_STATE_COMPLETED")
    })
  )

  it.effect("does not end with a moment in which the database was busy", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      yield* asOwner(
        "create sequence refusals",
        `create function refuse_here() returns trigger language plpgsql security definer as $$
          begin
            if nextval('refusals') <= 2 then raise exception 'deadlock detected' using errcode = '40P01'; end if;
            return new;
          end $$`,
        `create trigger refuse_here before update on a2p_tasks for each row
          when (new.state = 'TASK_STATE_COMPLETED') execute function refuse_here()`
      )
      expect(stateOf(yield* sent(principal, question()))).toBe("TASK_STATE_COMPLETED")
      yield* asOwner("drop trigger refuse_here on a2p_tasks", "drop function refuse_here", "drop sequence refusals")
    })
  )

  it.scoped("is waited for by a shutdown while it runs, also after its request was answered", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const handler = yield* RequestHandler
      const { open } = yield* gated
      let held = 0
      const hold = () => {
        held += 1
        return () => {
          held -= 1
        }
      }
      const user = new Caller(principal, { request_id: "test", ip: null }, undefined, hold)
      const asked = new ServerCallContext({ user, requestedVersion: "1.0" })
      const answer = yield* Effect.promise(() => handler.sendMessage(question({ at_once: true }), asked))
      const { id } = Object(answer)
      expect([stateOf(Object(answer)), held]).toEqual(["TASK_STATE_WORKING", 1])
      const events = handler.resubscribe({ tenant: "", id }, asked)
      yield* Effect.promise(() => events.next())
      expect(held).toBe(2)
      yield* open
      expect((yield* Effect.promise(() => all(events))).map(line).at(-1)).toBe("TASK_STATE_COMPLETED")
      const released = Effect.sync(() => held)
      expect(yield* eventually(released, (count) => count === 0)).toBe(0)
    })
  )

  it.scoped("ends with the process that is stopped while it runs, and says so", () =>
    Effect.gen(function* () {
      const { principal } = yield* somebody
      const here = yield* RequestHandler
      const { open } = yield* gated
      const process = yield* Scope.make()
      const there = yield* Scope.extend(node({ ROLE: "api" }), process)
      const asked = question({ at_once: true })
      const { id } = Object(yield* Effect.promise(() => there.sendMessage(asked, context(principal))))
      yield* Scope.close(process, Exit.void)
      const task = yield* Effect.promise(() => here.getTask({ tenant: "", id }, context(principal)))
      expect([stateOf(task), saidOf(task)]).toEqual(["TASK_STATE_FAILED", expect.stringContaining("send it again")])
      yield* open
    })
  )

  it.effect("ends when its process is gone, and is forgotten when that is long ago", () =>
    Effect.gen(function* () {
      const { sql } = yield* TestServer
      const { principal } = yield* somebody
      const handler = yield* RequestHandler
      const [left, old, recent] = [
        (yield* sent(principal, question())).id,
        (yield* sent(principal, question())).id,
        (yield* sent(principal, question())).id
      ]
      // As a process leaves it that is killed while it runs a skill.
      yield* Effect.orDie(
        sql`update a2p_tasks set state = 'TASK_STATE_WORKING', lease_until = now() - interval '1 second' where id = ${left}`
      )
      yield* Effect.orDie(sql`update a2p_tasks set status_at = now() - interval '31 days' where id = ${old}`)
      const runs = yield* Effect.provide(TaskRuns, Layer.provide(TaskRuns.Default, OnUpload.layer))
      expect(yield* runs.sweep()).toEqual({ stopped: 1, removed: 1 })
      const read = (id: string) => Effect.promise(() => handler.getTask({ tenant: "", id }, context(principal)))
      const ended = yield* read(left)
      expect([stateOf(ended), saidOf(ended)]).toEqual(["TASK_STATE_FAILED", expect.stringContaining("send it again")])
      expect(stateOf(yield* read(recent))).toBe("TASK_STATE_COMPLETED")
      expect(yield* refusal(handler.getTask({ tenant: "", id: old }, context(principal)))).toContain(
        "TaskNotFoundError"
      )
      expect(yield* Effect.orDie(sql`select 1 from a2p_task_events where task_id = ${old}`)).toEqual([])
      expect(yield* runs.sweep()).toEqual({ stopped: 0, removed: 0 })
    })
  )
})
