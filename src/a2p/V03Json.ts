import {
  type Artifact,
  type Message,
  type Part,
  roleToJSON,
  type SendMessageRequest,
  SendMessageRequest as SendMessageRequestJson,
  type StreamResponse,
  type Task,
  type TaskPushNotificationConfig,
  TaskState,
  type TaskStatus,
  taskStateToJSON
} from "@a2a-js/sdk"
import { isObject, type JsonObject } from "./Json.ts"
import { decoded, malformed, pushConfig03, sending03Rest } from "./Shapes.ts"

/*
 * What clients of A2A 0.3 send and get by its REST binding: the JSON of its protocol buffers, which
 * differs from both its JSON-RPC binding and version 1.0. The library speaks it by Express alone.
 */

/** Without the fields that are empty, as protocol buffers leave them out. */
const present = (fields: JsonObject): JsonObject =>
  Object.fromEntries(
    Object.entries(fields).filter(
      ([, value]) =>
        value !== undefined && value !== "" && value !== false && !(Array.isArray(value) && value.length === 0)
    )
  )

const ofPart = ({ content, mediaType }: Part): JsonObject => {
  switch (content?.$case) {
    case "text":
      return { text: content.value }
    case "raw":
      return { file: present({ fileWithBytes: Buffer.from(content.value).toString("base64"), mimeType: mediaType }) }
    case "url":
      return { file: present({ fileWithUri: content.value, mimeType: mediaType }) }
    case "data":
      return { data: { data: isObject(content.value) ? content.value : { value: content.value } } }
    default:
      return {}
  }
}

const ofMessage = ({ messageId, contextId, taskId, role, parts, metadata, extensions }: Message): JsonObject =>
  present({ messageId, contextId, taskId, role: roleToJSON(role), content: parts.map(ofPart), metadata, extensions })

const ofState = (state: TaskState): string =>
  state === TaskState.TASK_STATE_CANCELED ? "TASK_STATE_CANCELLED" : taskStateToJSON(state)

const ofStatus = ({ state, message, timestamp }: TaskStatus): JsonObject =>
  present({ state: ofState(state), message: message && ofMessage(message), timestamp })

const ofArtifact = ({ artifactId, name, description, parts, metadata, extensions }: Artifact): JsonObject =>
  present({ artifactId, name, description, parts: parts.map(ofPart), metadata, extensions })

/** A task, in the JSON of 0.3's REST binding. */
export const ofTask = ({ id, contextId, status, artifacts, history, metadata }: Task): JsonObject =>
  present({
    id,
    contextId,
    status: status && ofStatus(status),
    artifacts: artifacts.map(ofArtifact),
    history: history.map(ofMessage),
    metadata
  })

/** The states after which nothing more comes by this stream. */
const final: ReadonlySet<TaskState> = new Set([
  TaskState.TASK_STATE_COMPLETED,
  TaskState.TASK_STATE_FAILED,
  TaskState.TASK_STATE_CANCELED,
  TaskState.TASK_STATE_REJECTED,
  TaskState.TASK_STATE_INPUT_REQUIRED
])

/** An event of a stream, likewise. */
export const ofEvent = ({ payload }: StreamResponse): JsonObject => {
  switch (payload?.$case) {
    case "task":
      return { task: ofTask(payload.value) }
    case "message":
      return { message: ofMessage(payload.value) }
    case "statusUpdate": {
      const { taskId, contextId, status, metadata } = payload.value
      const isFinal = status !== undefined && final.has(status.state)
      return {
        statusUpdate: present({ taskId, contextId, status: status && ofStatus(status), final: isFinal, metadata })
      }
    }
    case "artifactUpdate": {
      const { artifact, ...rest } = payload.value
      return { artifactUpdate: present({ ...rest, artifact: artifact && ofArtifact(artifact) }) }
    }
    default:
      return {}
  }
}

/** The answer to a message, likewise. */
export const ofAnswer = (answer: Message | Task): JsonObject =>
  "messageId" in answer ? { message: ofMessage(answer) } : { task: ofTask(answer) }

/** A push configuration, likewise. */
export const ofPushConfig = ({ id, taskId, url, token, authentication }: TaskPushNotificationConfig): JsonObject => ({
  name: `tasks/${taskId}/pushNotificationConfigs/${id}`,
  pushNotificationConfig: present({
    id,
    url,
    token,
    authentication:
      authentication &&
      present({
        schemes: authentication.scheme === "" ? [] : [authentication.scheme],
        credentials: authentication.credentials
      })
  })
})

const objectIn = (value: unknown, field: string): JsonObject => {
  if (isObject(value)) return value
  throw malformed(field, "is no object")
}

const toPart = (value: unknown, at: number): JsonObject => {
  const part = objectIn(value, `message.content[${at}]`)
  const { file, data } = part
  if (isObject(data)) return { data: data["data"] }
  if (!isObject(file)) return { text: part["text"] }
  const { fileWithBytes, fileWithUri, mimeType, name } = file
  return { raw: fileWithBytes, url: fileWithUri, mediaType: mimeType, filename: name }
}

const toMessage = (value: unknown): JsonObject => {
  const { content, ...message } = objectIn(value, "message")
  return { ...message, parts: Array.isArray(content) ? content.map(toPart) : [] }
}

/** A push configuration, or what stands for one inside of another object. */
const toPushConfig = (value: unknown, taskId: string, field: string): JsonObject => {
  pushConfig03(value, field)
  const { id, url, token, authentication } = objectIn(value, field)
  const schemes = isObject(authentication) ? authentication["schemes"] : undefined
  return {
    id,
    url,
    token,
    taskId,
    authentication: isObject(authentication)
      ? { scheme: Array.isArray(schemes) ? schemes[0] : undefined, credentials: authentication["credentials"] }
      : undefined
  }
}

const toConfiguration = (value: unknown): JsonObject | undefined => {
  if (!isObject(value)) return undefined
  const { acceptedOutputModes, pushNotification, historyLength, blocking } = value
  return {
    acceptedOutputModes,
    historyLength,
    returnImmediately: blocking !== true,
    taskPushNotificationConfig:
      pushNotification === undefined ? undefined : toPushConfig(pushNotification, "", "configuration.pushNotification")
  }
}

/** The request of `message:send` and `message:stream`. */
export const toSendRequest = (value: unknown): SendMessageRequest => {
  const { message, request, configuration, metadata } = objectIn(value, "the body")
  sending03Rest(value, "")
  return decoded(SendMessageRequestJson.fromJSON, {
    message: toMessage(message ?? request),
    configuration: toConfiguration(configuration),
    metadata
  })
}

/** The configuration that is to be made for a task: named with it, or alone. */
export const toPushRequest = (value: unknown, taskId: string): JsonObject => {
  const body = objectIn(value, "the body")
  const config = isObject(body["config"]) ? body["config"] : body
  return toPushConfig(config["pushNotificationConfig"], taskId, "pushNotificationConfig")
}
