import type { StreamResponse } from "@a2a-js/sdk"
import type { A2ARequestHandler } from "@a2a-js/sdk/server"
import { expect, layer } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { RequestHandler } from "../../src/a2p/RequestHandler.ts"
import { eventually } from "../support/Eventually.ts"
import { organization } from "../support/Organizations.ts"
import { ended, lexical, mappedSuite, recorded } from "../support/Recorded.ts"
import { TestServer } from "../support/TestServer.ts"
import { call } from "../support/Uploading.ts"
import { all, answerOf, asking, context, line, listing, person, refusal, saidOf, sent, stateOf } from "./Calls.ts"
import { node } from "./Nodes.ts"

/** A person, and a request of theirs that takes a job. */
const long = Effect.gen(function* () {
  const target = yield* TestServer
  const somebody = yield* organization()
  const owner = { ...target, api_key: somebody.api_key }
  const { suite_id } = yield* mappedSuite(owner)
  const session_ids = [yield* recorded(owner, suite_id)]
  const request = asking("create_examples", { session_ids, model_id: lexical }, [], { at_once: true })
  return { owner, principal: person(somebody), request }
})

/** The next events of a stream, as lines. */
const next = async (events: AsyncIterator<StreamResponse>, count: number) => {
  const lines: Array<string> = []
  while (lines.length < count) {
    const { done, value } = await events.next()
    lines.push(done === true ? "the end" : line(value))
  }
  return lines
}

const read = (handler: A2ARequestHandler, id: string, principal: Parameters<typeof context>[0]) =>
  Effect.promise(() => handler.getTask({ tenant: "", id }, context(principal)))

/** The runs that have not ended, once there are none. */
const running = Effect.flatMap(TestServer, ({ sql }) =>
  eventually(
    Effect.orDie(sql`select 1 from cluster_messages where entity_type = 'Workflow/Task' and not processed`),
    (found) => found.length === 0
  )
)

// It answers, and runs no jobs: what happens to a long task happens elsewhere.
layer(TestServer.layer({ ROLE: "api", A2P_MAX_STREAMS: "3" }), { excludeTestServices: true })("a stream", (it) => {
  it.scoped("tells what another node does, to each who follows it, in the same order", () =>
    Effect.gen(function* () {
      const here = yield* RequestHandler
      const { principal, request, owner } = yield* long
      const sending = here.sendMessageStream(request, context(principal))
      const first = yield* Effect.promise(() => next(sending, 1))
      expect(first).toEqual(["task TASK_STATE_SUBMITTED"])
      const { id } = yield* sent(principal, request)
      const following = here.resubscribe({ tenant: "", id }, context(principal))
      const leaving = here.resubscribe({ tenant: "", id }, context(principal))
      expect(yield* Effect.promise(() => next(following, 1))).toEqual(["task TASK_STATE_SUBMITTED"])
      expect(yield* Effect.promise(() => next(leaving, 1))).toEqual(["task TASK_STATE_SUBMITTED"])
      expect(yield* Effect.promise(() => leaving.return())).toEqual({ done: true, value: undefined })

      const there = yield* node()
      const rest = yield* Effect.promise(() => Promise.all([all(sending), all(following)]))
      expect(rest[0]).toEqual(rest[1])
      const lines = rest[0].map(line)
      expect(lines[0]).toBe("TASK_STATE_WORKING")
      expect(lines.slice(-2)).toEqual(["artifact create_examples", "TASK_STATE_COMPLETED"])
      const task = yield* read(there, id, principal)
      expect(answerOf(task)).toMatchObject({ completed: 1, failed: 0 })
      expect(yield* read(here, id, principal)).toEqual(task)
      expect((yield* ended(owner, `/v1/jobs/${answerOf(task)["job_id"]}`))["status"]).toBe("COMPLETED")
      const late = here.resubscribe({ tenant: "", id }, context(principal))
      expect(yield* refusal(late.next())).toContain("UnsupportedOperationError")
    })
  )

  it.scoped("ends with the cancellation, wherever that is asked for, and the job with it", () =>
    Effect.gen(function* () {
      const here = yield* RequestHandler
      // It carries out tasks, and nobody makes the examples that they wait for.
      const there = yield* node({ WORKER_KINDS: "other" })
      const { principal, request, owner } = yield* long
      const sending = here.sendMessageStream(request, context(principal))
      expect(yield* Effect.promise(() => next(sending, 3))).toEqual([
        "task TASK_STATE_SUBMITTED",
        "TASK_STATE_WORKING",
        "TASK_STATE_WORKING"
      ])
      const { id } = yield* sent(principal, request)
      expect(saidOf(yield* read(here, id, principal))).toBe("0 of 1 sessions gone through, 0 examples made")
      const jobs = yield* Effect.orDie(
        owner.sql<{ job_id: string }>`select job_id from a2p_tasks where id = ${id} and job_id is not null`
      )
      expect(jobs).toHaveLength(1)
      const canceling = { tenant: "", id, metadata: undefined }
      const canceled = yield* Effect.promise(() => there.cancelTask(canceling, context(principal)))
      expect(stateOf(canceled)).toBe("TASK_STATE_CANCELED")
      expect((yield* Effect.promise(() => all(sending))).map(line)).toEqual(["TASK_STATE_CANCELED"])
      const { json } = yield* call(owner, "GET", `/v1/jobs/${jobs[0]?.job_id}`)
      expect(json["status"]).toBe("CANCELLED")
      expect(yield* refusal(here.cancelTask(canceling, context(principal)))).toContain("TaskNotCancelableError")
      // The run notices, and adds nothing.
      expect(yield* running).toEqual([])
      expect(stateOf(yield* read(here, id, principal))).toBe("TASK_STATE_CANCELED")
      const entries = yield* Effect.orDie(
        owner.sql`select action from audit_entries where resource = ${`a2p_task/${id}`} order by at`
      )
      expect(entries).toEqual([{ action: "a2p_task.create" }, { action: "a2p_task.cancel" }])
    })
  )

  it.scoped("ends when who follows it may not any more, and the task with it", () =>
    Effect.gen(function* () {
      const here = yield* RequestHandler
      const { principal, request, owner } = yield* long
      const { id } = yield* sent(principal, request)
      const following = here.resubscribe({ tenant: "", id }, context(principal))
      expect(yield* Effect.promise(() => next(following, 1))).toEqual(["task TASK_STATE_SUBMITTED"])
      const blocking = { ...request, configuration: undefined }
      const waiting = yield* Effect.fork(refusal(here.sendMessage(blocking, context(principal))))
      yield* Effect.yieldNow()
      const { sql } = owner
      yield* Effect.orDie(sql`update memberships set role = 'viewer' where org_id = ${principal.org_id}`)
      expect(yield* Effect.promise(() => all(following))).toEqual([])
      expect(yield* Fiber.join(waiting)).toContain("Unauthorized: the caller may not act any more")
      yield* node({ WORKER_KINDS: "other" })
      const state = Effect.orDie(
        sql<{ state: string }>`select state, status_message::text as said from a2p_tasks where id = ${id}`
      )
      const found = yield* eventually(state, ([row]) => row?.state === "TASK_STATE_FAILED")
      expect(found).toEqual([
        { state: "TASK_STATE_FAILED", said: expect.stringContaining("who asked for this may not do so any more") }
      ])
      expect(yield* Effect.orDie(sql`select 1 from jobs where org_id = ${principal.org_id}`)).toEqual([])
      expect(yield* running).toEqual([])
    })
  )

  it.scoped("is left with the job that was begun for it, also where nobody had noted that", () =>
    Effect.gen(function* () {
      const here = yield* RequestHandler
      yield* node({ WORKER_KINDS: "other" })
      const { principal, request, owner } = yield* long
      const { sql } = owner
      const { id } = yield* sent(principal, request)
      const job = Effect.orDie(sql`select job_id from a2p_tasks where id = ${id} and job_id is not null`)
      expect(yield* eventually(job, (found) => found.length > 0)).toHaveLength(1)
      // As it is between the begin of the job and the note of it.
      yield* Effect.orDie(sql`update a2p_tasks set job_id = null where id = ${id}`)
      yield* Effect.promise(() => here.cancelTask({ tenant: "", id, metadata: undefined }, context(principal)))
      const jobs = yield* Effect.orDie(sql`select status from jobs where org_id = ${principal.org_id}`)
      expect(jobs).toEqual([{ status: "CANCELLED" }])
      // So it is with one whose owner has left meanwhile.
      const other = yield* long
      yield* sent(other.principal, other.request)
      const { org_id } = other.principal
      const begun = Effect.orDie(sql`select 1 from a2p_tasks where org_id = ${org_id} and job_id is not null`)
      expect(yield* eventually(begun, (found) => found.length > 0)).toHaveLength(1)
      yield* Effect.orDie(sql`delete from memberships where org_id = ${org_id}`)
      const both = Effect.orDie(
        sql<{
          state: string
        }>`select t.state, j.status from a2p_tasks t join jobs j on j.id = t.job_id where t.org_id = ${org_id}`
      )
      const left = yield* eventually(both, ([row]) => Object(row)["status"] === "CANCELLED")
      expect(left).toEqual([{ state: "TASK_STATE_FAILED", status: "CANCELLED" }])
      expect(yield* running).toEqual([])
    })
  )

  it.effect("is one of a bounded number, and gives its place back when it is left", () =>
    Effect.gen(function* () {
      const here = yield* RequestHandler
      const { principal, request } = yield* long
      const { id } = yield* sent(principal, request)
      const gone = new AbortController()
      const open = () => here.resubscribe({ tenant: "", id }, context(principal))
      const streams = [open(), open(), here.resubscribe({ tenant: "", id }, context(principal, gone.signal))] as const
      for (const stream of streams) yield* Effect.promise(() => stream.next())
      expect(yield* refusal(open().next())).toContain("RateLimited: at most 3 streams")
      const blocking = asking("check_access", { scope: "a2p:use" })
      expect(yield* refusal(here.sendMessage(blocking, context(principal)))).toContain("RateLimited: at most 3 streams")
      // What is not waited for needs no place, and what is refused makes no task.
      const { tasks } = yield* Effect.promise(() => here.listTasks(listing(), context(principal)))
      expect(tasks.map((task) => task.id)).toEqual([id])
      expect((yield* sent(principal, request)).id).toBe(id)
      // It waits for an event that does not come, and ends all the same.
      const waiting = streams[0].next()
      yield* Effect.promise(() => streams[0].return())
      expect(yield* Effect.promise(() => waiting)).toEqual({ done: true, value: undefined })
      const again = open()
      expect(yield* Effect.promise(() => next(again, 1))).toEqual(["task TASK_STATE_SUBMITTED"])
      expect(yield* refusal(open().next())).toContain("RateLimited")
      const hanging = streams[2].next()
      gone.abort()
      expect(yield* Effect.promise(() => hanging)).toEqual({ done: true, value: undefined })
      const free = Effect.gen(function* () {
        const stream = open()
        const told = yield* refusal(stream.next())
        yield* Effect.promise(() => stream.return())
        return told
      })
      expect(yield* eventually(free, (told) => told === "answered")).toBe("answered")
      yield* Effect.promise(() => Promise.all([streams[1].return(), again.return()]))
    })
  )
})
