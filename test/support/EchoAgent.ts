import { type StreamResponse, TaskState } from "@a2a-js/sdk"
import {
  AgentEvent,
  type AgentExecutor,
  DefaultRequestHandler,
  type ExecutionEventBus,
  InMemoryPushNotificationStore,
  InMemoryTaskStore,
  type RequestContext
} from "@a2a-js/sdk/server"
import { Effect, Runtime } from "effect"
import * as A2p from "../../src/a2p/A2p.ts"
import { agentCard } from "../../src/a2p/AgentCards.ts"
import { Caller } from "../../src/a2p/Caller.ts"
import { Forbidden } from "../../src/domain/Errors.ts"
import { OrganizationId, UserId } from "../../src/domain/Ids.ts"
import { Principal } from "../../src/domain/Principal.ts"
import { describe } from "../../src/domain/Problem.ts"
import { Settings } from "../../src/platform/Settings.ts"

const echo = [
  {
    id: "echo",
    name: "Echo",
    description: "Says the same",
    tags: ["test"],
    examples: ["hello"],
    inputSchema: { type: "object" },
    outputSchema: { type: "object" }
  }
]

const textOf = ({ userMessage }: RequestContext) =>
  userMessage.parts.map(({ content }) => (content?.$case === "text" ? content.value : "")).join(" ")

/** Test only: says what it is told, and nothing for `wait` until it is cancelled. */
class EchoExecutor implements AgentExecutor {
  private readonly waiting = new Map<string, () => void>()

  execute = async (asked: RequestContext, bus: ExecutionEventBus) => {
    const { taskId, contextId, userMessage } = asked
    const status = (state: TaskState) => ({ state, message: undefined, timestamp: new Date().toISOString() })
    bus.publish(
      AgentEvent.task({
        id: taskId,
        contextId,
        status: status(TaskState.TASK_STATE_WORKING),
        artifacts: [],
        history: [userMessage],
        metadata: undefined
      })
    )
    const text = textOf(asked)
    if (text === "wait") await new Promise<void>((resolve) => this.waiting.set(taskId, resolve))
    else
      bus.publish(
        AgentEvent.artifactUpdate({
          taskId,
          contextId,
          append: false,
          lastChunk: true,
          metadata: undefined,
          artifact: {
            artifactId: "answer",
            name: "answer",
            description: "",
            parts: userMessage.parts,
            metadata: undefined,
            extensions: []
          }
        })
      )
    const state = text === "wait" ? TaskState.TASK_STATE_CANCELED : TaskState.TASK_STATE_COMPLETED
    bus.publish(AgentEvent.statusUpdate({ taskId, contextId, status: status(state), metadata: undefined }))
    bus.finished()
  }

  cancelTask = async (taskId: string, _bus: ExecutionEventBus) => {
    this.waiting.get(taskId)?.()
  }
}

const breaking = async function* (): AsyncGenerator<StreamResponse, void, undefined> {
  const status = { state: TaskState.TASK_STATE_WORKING, message: undefined, timestamp: undefined }
  const value = { id: "broken", contextId: "broken", status, artifacts: [], history: [], metadata: undefined }
  yield { payload: { $case: "task", value } }
  throw new Error("what nobody is to read")
}

const principal = Principal.make({
  org_id: OrganizationId.make(Bun.randomUUIDv7()),
  user_id: UserId.make(Bun.randomUUIDv7()),
  agent_id: null,
  role: "owner",
  scopes: ["*"],
  suite_ids: null,
  key_id: null,
  auth_method: "api_key"
})

/**
 * Test only: the bindings over the library's own handler and an executor of a few lines, on a port of
 * their own. `streams` counts those whose reader went away; the tasks `broken` (a stream: after its first
 * event) and `forbidden` fail.
 */
export const echoAgent = (environment: Readonly<Record<string, string>> = {}) =>
  Effect.gen(function* () {
    const values = yield* Settings
    const streams = { left: 0 }
    const library = new DefaultRequestHandler(
      agentCard(values, echo, { extended: false }),
      new InMemoryTaskStore(),
      new EchoExecutor(),
      undefined,
      new InMemoryPushNotificationStore(),
      undefined
    )
    const counted: DefaultRequestHandler = Object.assign(Object.create(library), {
      getTask: async (...given: Parameters<typeof library.getTask>) => {
        if (given[0].id === "broken") throw new Error("what nobody is to read")
        if (given[0].id === "forbidden") throw new Forbidden({ detail: "not for you" })
        return library.getTask(...given)
      },
      resubscribe: (...[params, context]: Parameters<typeof library.resubscribe>) => {
        const { user } = context
        const left = () => {
          streams.left += 1
        }
        if (user instanceof Caller) user.signal?.addEventListener("abort", left, { once: true })
        if (params.id === "broken") return breaking()
        return library.resubscribe(params, context)
      }
    })
    const protocol = yield* A2p.make(counted, echo)
    const runtime = yield* Effect.runtime<never>()
    const server = yield* Effect.acquireRelease(
      Effect.sync(() =>
        Bun.serve({
          port: 0,
          hostname: "127.0.0.1",
          idleTimeout: 0,
          fetch: (request) => {
            const info = { request_id: "test", ip: null }
            const early = protocol.beforehand?.({ request, info }) ?? Effect.succeed(undefined)
            return early.pipe(
              Effect.flatMap((answer) =>
                answer === undefined
                  ? protocol.handle({
                      request,
                      principal,
                      info,
                      charge: () => Effect.void,
                      hold: () => () => undefined
                    })
                  : Effect.succeed(answer)
              ),
              Effect.catchAll((error) =>
                Effect.succeed(Response.json({ detail: String(error) }, { status: describe(error)?.status ?? 500 }))
              ),
              Runtime.runPromise(runtime)
            )
          }
        })
      ),
      (listening) => Effect.promise(() => listening.stop(true))
    )
    return { base_url: `http://127.0.0.1:${server.port}`, streams }
  }).pipe(Effect.provide(Settings.layer({ PUBLIC_URL: "http://agent.test", ...environment })))
