import {
  type AgentCard,
  type CancelTaskRequest,
  type DeleteTaskPushNotificationConfigRequest,
  Extensions,
  type GetTaskPushNotificationConfigRequest,
  type GetTaskRequest,
  HTTP_EXTENSION_HEADER,
  type ListTaskPushNotificationConfigsRequest,
  type ListTasksRequest,
  type SendMessageRequest,
  type StreamResponse,
  type SubscribeToTaskRequest,
  type TaskPushNotificationConfig
} from "@a2a-js/sdk"
import { LEGACY_HTTP_EXTENSION_HEADER } from "@a2a-js/sdk/compat/v0_3"
import { type A2ARequestHandler, ServerCallContext } from "@a2a-js/sdk/server"
import { Effect, Runtime } from "effect"
import type { Admitted } from "../platform/Protocols.ts"
import { Caller } from "./Caller.ts"
import { assertSendable } from "./Checks.ts"
import { type Fault, faultOf } from "./Faults.ts"
import { type Events, endingWith } from "./Streams.ts"
import type { Version } from "./Versions.ts"

const extensionsOf = ({ headers }: Request) =>
  Extensions.parseServiceParameter(
    headers.get(HTTP_EXTENSION_HEADER) ?? headers.get(LEGACY_HTTP_EXTENSION_HEADER) ?? ""
  )

/** Who answers: the handler, and the cards of what it does. */
export interface Answering {
  readonly handler: A2ARequestHandler
  readonly card: AgentCard
  readonly extended_card: AgentCard
}

/**
 * One request on its way through the handler: in between, so that each of the library's transports sees
 * the same checks, the same end of a stream when the caller goes, and no error but those of A2A.
 */
export class Call implements A2ARequestHandler {
  readonly context: ServerCallContext
  /** What the request failed with, if it did. */
  fault: Fault | undefined
  /** True once something is asked of the handler: what fails before is of the request's form. */
  reached = false
  private readonly handler: A2ARequestHandler
  private readonly answering: Answering
  private readonly admitted: Admitted
  private readonly hungUp = new AbortController()
  private readonly signal: AbortSignal

  constructor(answering: Answering, admitted: Admitted, version: Version) {
    const { request, principal, info, hold } = admitted
    this.answering = answering
    this.handler = answering.handler
    this.admitted = admitted
    this.signal = AbortSignal.any([request.signal, this.hungUp.signal])
    this.context = new ServerCallContext({
      user: new Caller(principal, info, this.signal, hold),
      requestedVersion: version,
      requestedExtensions: extensionsOf(request)
    })
  }

  /** Nobody reads the answer any more. */
  readonly hangUp = () => this.hungUp.abort()

  /** What is told of a failure; the rest is for the log. */
  told(rejected: unknown): Error {
    const fault = faultOf(rejected)
    this.fault = fault
    return fault.kind === "a2a"
      ? fault.error
      : new Error(`the service failed; the request id is ${this.admitted.info.request_id}`)
  }

  private async guarded<A>(run: () => Promise<A>): Promise<A> {
    this.reached = true
    try {
      return await run()
    } catch (error) {
      throw this.told(error)
    }
  }

  private streamed(run: () => Events<StreamResponse>): Events<StreamResponse> {
    this.reached = true
    return endingWith(this.signal, run, (error) => this.told(error))
  }

  getAgentCard = () => Promise.resolve(this.answering.card)
  getAuthenticatedExtendedAgentCard = () => Promise.resolve(this.answering.extended_card)
  sendMessage = (params: SendMessageRequest, context: ServerCallContext) =>
    this.guarded(async () => {
      assertSendable(params)
      return this.handler.sendMessage(params, context)
    })
  sendMessageStream = (params: SendMessageRequest, context: ServerCallContext) =>
    this.streamed(() => {
      assertSendable(params)
      return this.handler.sendMessageStream(params, context)
    })
  resubscribe = (params: SubscribeToTaskRequest, context: ServerCallContext) =>
    this.streamed(() => this.handler.resubscribe(params, context))
  getTask = (params: GetTaskRequest, context: ServerCallContext) =>
    this.guarded(() => this.handler.getTask(params, context))
  listTasks = (params: ListTasksRequest, context: ServerCallContext) =>
    this.guarded(() => this.handler.listTasks(params, context))
  cancelTask = (params: CancelTaskRequest, context: ServerCallContext) =>
    this.guarded(() => this.handler.cancelTask(params, context))
  createTaskPushNotificationConfig = (params: TaskPushNotificationConfig, context: ServerCallContext) =>
    this.guarded(() => this.handler.createTaskPushNotificationConfig(params, context))
  getTaskPushNotificationConfig = (params: GetTaskPushNotificationConfigRequest, context: ServerCallContext) =>
    this.guarded(() => this.handler.getTaskPushNotificationConfig(params, context))
  listTaskPushNotificationConfigs = (params: ListTaskPushNotificationConfigsRequest, context: ServerCallContext) =>
    this.guarded(() => this.handler.listTaskPushNotificationConfigs(params, context))
  deleteTaskPushNotificationConfig = (params: DeleteTaskPushNotificationConfigRequest, context: ServerCallContext) =>
    this.guarded(() => this.handler.deleteTaskPushNotificationConfig(params, context))
}

/** Logs what a stream fails with in its midst: its answer has begun, and its reader is told no more than that. */
export const loggedLate = (call: Call) =>
  Effect.map(Effect.runtime<never>(), (runtime) => () => {
    const { fault } = call
    if (fault === undefined || fault.kind === "a2a") return
    Runtime.runFork(runtime)(Effect.logError("a stream by A2P failed", fault.error))
  })
