import type { A2ARequestHandler, ServerCallContext } from "@a2a-js/sdk/server"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { RequestHandler } from "../../src/a2p/RequestHandler.ts"
import type { Principal } from "../../src/domain/Principal.ts"
import { elsewhere, member, organization, rowsOf } from "../support/Organizations.ts"
import { TestServer } from "../support/TestServer.ts"
import { agent, all, asking, context, listing, message, person, refusal, sent, stateOf, text } from "./Calls.ts"

const question = (more: Parameters<typeof asking>[3] = {}) => asking("check_access", { scope: "a2p:use" }, [], more)

type Id = { readonly id: string; readonly context_id: string }

const config = (taskId: string) => ({
  tenant: "",
  id: "mine",
  taskId,
  url: "https://receiver.example/push",
  token: "",
  authentication: undefined
})

/**
 * Every method of the handler that names a task, as somebody would call it; a new one that is missing
 * here does not compile.
 */
const naming: Readonly<
  Record<
    Exclude<keyof A2ARequestHandler, "getAgentCard" | "getAuthenticatedExtendedAgentCard" | "listTasks">,
    (handler: A2ARequestHandler, id: string, call: ServerCallContext) => Promise<unknown>
  >
> = {
  sendMessage: (handler, taskId, call) => handler.sendMessage(message([text("more")], { taskId }), call),
  sendMessageStream: (handler, taskId, call) =>
    all(handler.sendMessageStream(message([text("more")], { taskId }), call)),
  getTask: (handler, id, call) => handler.getTask({ tenant: "", id }, call),
  cancelTask: (handler, id, call) => handler.cancelTask({ tenant: "", id, metadata: undefined }, call),
  resubscribe: (handler, id, call) => all(handler.resubscribe({ tenant: "", id }, call)),
  createTaskPushNotificationConfig: (handler, id, call) => handler.createTaskPushNotificationConfig(config(id), call),
  getTaskPushNotificationConfig: (handler, taskId, call) =>
    handler.getTaskPushNotificationConfig({ tenant: "", taskId, id: "mine" }, call),
  listTaskPushNotificationConfigs: (handler, taskId, call) =>
    handler.listTaskPushNotificationConfigs({ tenant: "", taskId, pageSize: 10, pageToken: "" }, call),
  deleteTaskPushNotificationConfig: (handler, taskId, call) =>
    handler.deleteTaskPushNotificationConfig({ tenant: "", taskId, id: "mine" }, call)
}

// No worker: what is long stays open, so that it could be canceled and subscribed to.
layer(TestServer.layer({ ROLE: "api" }), { excludeTestServices: true })("tasks", (it) => {
  const world = Effect.gen(function* () {
    const owner = yield* organization()
    const first = yield* agent(owner.org_id)
    const open = yield* sent(
      first,
      asking("create_examples", { session_ids: [Bun.randomUUIDv7()], model_id: Bun.randomUUIDv7() }, [], {
        at_once: true
      })
    )
    expect(stateOf(open)).toBe("TASK_STATE_SUBMITTED")
    const task: Id = { id: open.id, context_id: open.contextId }
    const strangers: Readonly<Record<string, Principal>> = {
      "another agent of the organization": yield* agent(owner.org_id),
      "the organization's owner": person(owner),
      "another member": person(yield* member(owner.org_id)),
      "an owner of another organization": person(yield* organization())
    }
    return { owner, first, task, strangers }
  })

  for (const [method, ask] of Object.entries(naming)) {
    it.effect(`of others are, for ${method}, as if there were none`, () =>
      Effect.gen(function* () {
        const handler = yield* RequestHandler
        const { owner, task, strangers } = yield* world
        const before = yield* rowsOf(owner.org_id)
        for (const [who, principal] of Object.entries(strangers)) {
          const missing = Bun.randomUUIDv7()
          const other = yield* refusal(ask(handler, task.id, context(principal)))
          const none = yield* refusal(ask(handler, missing, context(principal)))
          expect(other, who).toBe(`TaskNotFoundError: there is no task ${task.id}`)
          expect(none.replace(missing, task.id), who).toBe(other)
        }
        expect(yield* rowsOf(owner.org_id)).toEqual(before)
      })
    )
  }

  it.effect("of others are never listed, and their contexts are others", () =>
    Effect.gen(function* () {
      const handler = yield* RequestHandler
      const { task, strangers, first } = yield* world
      for (const [who, principal] of Object.entries(strangers)) {
        const call = context(principal)
        const before = yield* Effect.promise(() => handler.listTasks(listing(), call))
        expect([before.tasks, before.totalSize], who).toEqual([[], 0])
        const own = yield* sent(principal, question({ contextId: task.context_id }))
        expect(own.contextId).toBe(task.context_id)
        const after = yield* Effect.promise(() => handler.listTasks(listing({ contextId: task.context_id }), call))
        expect(
          after.tasks.map(({ id }) => id),
          who
        ).toEqual([own.id])
      }
      const mine = yield* Effect.promise(() =>
        handler.listTasks(listing({ contextId: task.context_id }), context(first))
      )
      expect(mine.tasks.map(({ id }) => id)).toEqual([task.id])
    })
  )

  it.effect("of a person in one organization are not there in another", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const org_id = yield* elsewhere(owner)
      const task = yield* sent(person(owner), question())
      const handler = yield* RequestHandler
      const ask = (principal: Principal) => refusal(handler.getTask({ tenant: "", id: task.id }, context(principal)))
      expect(yield* ask(person(owner))).toBe("answered")
      expect(yield* ask(person({ ...owner, org_id }))).toContain("TaskNotFoundError")
    })
  )

  it.effect("of an unrestricted key are not shown to one that is restricted to some suites", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const suite_id = Bun.randomUUIDv7()
      const restricted = person(owner, { suite_ids: [suite_id] })
      const wide = yield* sent(person(owner), question())
      const narrow = yield* sent(restricted, question())
      const handler = yield* RequestHandler
      const ask = (principal: Principal, id: string) => refusal(handler.getTask({ tenant: "", id }, context(principal)))
      expect(yield* ask(restricted, wide.id)).toContain("TaskNotFoundError")
      expect(yield* ask(restricted, narrow.id)).toBe("answered")
      expect(yield* ask(person(owner), narrow.id)).toBe("answered")
      expect(yield* ask(person(owner, { suite_ids: [Bun.randomUUIDv7()] }), narrow.id)).toContain("TaskNotFoundError")
    })
  )

  it.effect("of a wider key are not given out by the id of their message", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const request = question()
      const wide = yield* sent(person(owner), request)
      const handler = yield* RequestHandler
      const restricted = context(person(owner, { suite_ids: [Bun.randomUUIDv7()] }))
      const { messageId = "" } = request.message ?? {}
      const other = asking("check_access", { scope: "*" }, [], { messageId })
      const told = "RequestMalformedError: message.messageId: was used before, with other content"
      expect(yield* refusal(handler.sendMessage(request, restricted))).toBe(told)
      expect(yield* refusal(handler.sendMessage(other, restricted))).toBe(told)
      expect((yield* sent(person(owner), request)).id).toBe(wide.id)
    })
  )

  it.effect("show what they came to only to who could have asked for it", () =>
    Effect.gen(function* () {
      const owner = yield* organization()
      const handler = yield* RequestHandler
      const { id } = yield* sent(person(owner), asking("find_examples", { q: "customer" }))
      const read = (principal: Principal) =>
        Effect.promise(async () => {
          const got = await handler.getTask({ tenant: "", id }, context(principal))
          const { tasks } = await handler.listTasks(listing({ includeArtifacts: true }), context(principal))
          return [got.artifacts.length, tasks[0]?.artifacts.length]
        })
      expect(yield* read(person(owner))).toEqual([1, 1])
      const narrow = person(owner, { scopes: ["a2p:use"] })
      expect(yield* read(narrow)).toEqual([0, 0])
      const needed = "Forbidden: the scope examples:read is needed"
      expect(yield* refusal(all(handler.resubscribe({ tenant: "", id }, context(narrow))))).toBe(needed)
      expect(yield* refusal(handler.createTaskPushNotificationConfig(config(id), context(narrow)))).toBe(needed)
    })
  )

  it.effect("need the scope a2p:use for everything, and that of the skill for what it does", () =>
    Effect.gen(function* () {
      const handler = yield* RequestHandler
      const owner = yield* organization()
      const task = yield* sent(person(owner), question())
      const without = context(person(owner, { scopes: ["examples:read", "sessions:read"] }))
      const needed = "Forbidden: the scope a2p:use is needed"
      for (const [method, ask] of Object.entries(naming)) {
        expect(yield* refusal(ask(handler, task.id, without)), method).toBe(needed)
      }
      expect(yield* refusal(handler.listTasks(listing(), without))).toBe(needed)
      const onlyUse = person(owner, { scopes: ["a2p:use"] })
      const before = yield* rowsOf(owner.org_id)
      const asked = asking("find_examples", { q: "customer" })
      expect(yield* refusal(handler.sendMessage(asked, context(onlyUse)))).toBe(
        "Forbidden: the scope examples:read is needed"
      )
      expect(yield* rowsOf(owner.org_id)).toEqual(before)
    })
  )
})
