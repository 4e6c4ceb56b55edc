import { type Message, type Part, type StreamResponse, type Task, TaskState } from "@a2a-js/sdk"
import type { Client } from "@a2a-js/sdk/client"
import { expect, layer } from "@effect/vitest"
import { Effect } from "effect"
import { skills } from "../../src/a2p/Skills.ts"
import { a2aClient, data, file, message, ways } from "../support/A2aClient.ts"
import { organization } from "../support/Organizations.ts"
import { inputs, lexical, mappedSuite, recorded } from "../support/Recorded.ts"
import { TestServer } from "../support/TestServer.ts"

const taskOf = (answer: Message | Task): Task => {
  if ("status" in answer) return answer
  throw new Error(`no task: ${JSON.stringify(answer)}`)
}

/** The data of a task's answer. */
const answerOf = (task: Task) => {
  const content = task.artifacts[0]?.parts[0]?.content
  return { state: task.status?.state, skill: task.metadata?.["skill"], data: content?.value }
}

/** A stream's events put together, as a client does. */
const followed = (events: ReadonlyArray<StreamResponse>) => {
  const artifacts = events.flatMap(({ payload }) =>
    payload?.$case === "artifactUpdate" ? [payload.value.artifact] : []
  )
  const last = events.at(-1)?.payload
  return {
    first: events[0]?.payload?.$case,
    data: artifacts[0]?.parts[0]?.content?.value,
    state: last?.$case === "statusUpdate" ? last.value.status?.state : undefined
  }
}

/** Somebody with a suite that has a session, and the client of one way in. */
const world = (way: (typeof ways)[number]) =>
  Effect.gen(function* () {
    const server = yield* TestServer
    const { api_key } = yield* organization()
    const target = { ...server, api_key }
    const { suite_id } = yield* mappedSuite(target)
    const session_id = yield* recorded(target, suite_id)
    return { target, suite_id, session_id, client: yield* a2aClient(server.base_url, way, api_key) }
  })

type World = Effect.Effect.Success<ReturnType<typeof world>>

interface Trip {
  readonly input: (world: World) => object
  readonly files?: ReadonlyArray<Part>
  readonly expected: (world: World) => unknown
}

/** Every skill: what is asked of it, and what is answered. */
const trips: Readonly<Record<string, Trip>> = {
  ingest_session: {
    input: ({ suite_id }) => ({ suite_id, format: "tracepipe.browser/v1" }),
    files: [file(inputs, "input_events.jsonl", "application/x-ndjson")],
    expected: () => ({ session_id: expect.any(String), status: "READY", file_count: 1, size_bytes: inputs.length })
  },
  create_examples: {
    input: ({ session_id }) => ({ session_ids: [session_id], model_id: lexical }),
    expected: () => ({ completed: 1, failed: 0, example_ids: [expect.any(String)] })
  },
  find_examples: {
    input: ({ suite_id }) => ({ suite_id, q: "customer" }),
    expected: () => ({ items: expect.any(Array) })
  },
  find_tools: {
    input: () => ({ q: "customer" }),
    expected: () => ({ items: [expect.objectContaining({ name: "create_customer" })] })
  },
  check_access: {
    input: () => ({ scope: "examples:write" }),
    expected: () => ({ allowed: true, role: "owner" })
  }
}

const sent = (client: Client, parts: Array<Part>) =>
  Effect.map(
    Effect.promise(() => client.sendMessage(message(parts))),
    taskOf
  )

layer(TestServer.layer(), { excludeTestServices: true })("by A2P", (it) => {
  for (const way of ways)
    it.effect(`${way.binding} ${way.version}: every skill is done and streamed`, () =>
      Effect.gen(function* () {
        const here = yield* world(way)
        const { client } = here
        expect(skills.map(({ id }) => id).toSorted()).toEqual(Object.keys(trips).toSorted())
        const trip = ([skill, { input, files = [], expected }]: readonly [string, Trip]) =>
          Effect.gen(function* () {
            const parts = [data({ skill, input: input(here) }), ...files]
            const [task, events] = yield* Effect.all(
              [sent(client, parts), Effect.promise(() => Array.fromAsync(client.sendMessageStream(message(parts))))],
              { concurrency: 2 }
            )
            expect(answerOf(task)).toEqual({
              state: TaskState.TASK_STATE_COMPLETED,
              skill,
              data: expect.objectContaining(expected(here))
            })
            expect(followed(events)).toEqual({
              first: "task",
              data: expect.anything(),
              state: TaskState.TASK_STATE_COMPLETED
            })
          })
        yield* Effect.forEach(Object.entries(trips), trip, { concurrency: 5, discard: true })
      })
    )

  for (const way of ways)
    it.effect(`${way.binding} ${way.version}: a task is followed, canceled, and found again`, () =>
      Effect.gen(function* () {
        const { client, session_id } = yield* world(way)
        const parts = [data({ skill: "create_examples", input: { session_ids: [session_id], model_id: lexical } })]
        const { id } = taskOf(
          yield* Effect.promise(() => client.sendMessage(message(parts, { returnImmediately: true })))
        )
        const events = yield* Effect.promise(() => Array.fromAsync(client.resubscribeTask({ tenant: "", id })))
        expect(events[0]?.payload).toMatchObject({ $case: "task", value: { id } })
        const ended = yield* Effect.promise(() => client.getTask({ tenant: "", id }))
        expect(answerOf(ended).data).toMatchObject({ completed: 1 })
        const again = yield* Effect.promise(() =>
          client.cancelTask({ tenant: "", id, metadata: undefined }).catch((error: Error) => error)
        )
        expect(again).toMatchObject({ name: "TaskNotCancelableError" })
        const other = taskOf(
          yield* Effect.promise(() => client.sendMessage(message(parts, { returnImmediately: true })))
        )
        const canceled = yield* Effect.promise(() =>
          client.cancelTask({ tenant: "", id: other.id, metadata: undefined })
        )
        expect(canceled.status?.state).toBe(TaskState.TASK_STATE_CANCELED)
        const wrong = yield* sent(client, [data({ skill: "check_access", input: { scope: "no scope" } })])
        expect(wrong.status?.state).toBe(TaskState.TASK_STATE_REJECTED)
        expect(JSON.stringify(wrong.status?.message)).toContain("input")
        if (way.version === "0.3") return
        const { tasks } = yield* Effect.promise(() =>
          client.listTasks({
            tenant: "",
            contextId: "",
            status: TaskState.TASK_STATE_CANCELED,
            pageToken: "",
            statusTimestampAfter: undefined
          })
        )
        expect(tasks.map((task) => task.id)).toEqual([other.id])
      })
    )
})
