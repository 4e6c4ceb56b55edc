import {
  Artifact,
  Message,
  type Part,
  Role,
  type Task as SdkTask,
  type TaskState as SdkTaskState,
  StreamResponse,
  TaskStatus,
  taskStateToJSON
} from "@a2a-js/sdk"
import { DateTime } from "effect"
import type { Task, TaskState } from "../domain/a2p/Task.ts"

/** A value in the JSON form of A2A 1.0, as rows keep it. */
export type Json = Readonly<Record<string, unknown>>

/** What the codecs write is an object; their type says less. */
const json = (value: unknown): Json => Object(value)

const part = (content: NonNullable<Part["content"]>, mediaType: string): Part => ({
  content,
  mediaType,
  filename: "",
  metadata: undefined
})

/** Something said to people. */
export const textPart = (text: string): Part => part({ $case: "text", value: text }, "text/plain")

/** Something told to programs. */
export const dataPart = (data: Json): Part => part({ $case: "data", value: data }, "application/json")

/** Where a message or an event belongs. */
interface Place {
  readonly id: string
  readonly context_id: string
}

/** What the platform says about a task. */
export const agentMessage = ({ id, context_id }: Place, parts: ReadonlyArray<Part>, message_id: string): Json =>
  json(
    Message.toJSON({
      messageId: message_id,
      contextId: context_id,
      taskId: id,
      role: Role.ROLE_AGENT,
      parts: [...parts],
      metadata: undefined,
      extensions: [],
      referenceTaskIds: []
    })
  )

/** The name of a state in JSON; UNRECOGNIZED where it is none. */
export const stateName = (state: SdkTaskState): string => taskStateToJSON(state)

interface Status {
  readonly state: TaskState
  readonly status_message: Json | null
  readonly status_at: Date
}

const status = ({ state, status_message, status_at }: Status) =>
  TaskStatus.fromJSON({ state, message: status_message ?? undefined, timestamp: status_at.toISOString() })

/** The event that a task is in another state, or is further on in it. */
export const statusEvent = ({ id, context_id }: Place, now: Status): Json =>
  json(
    StreamResponse.toJSON({
      payload: {
        $case: "statusUpdate",
        value: { taskId: id, contextId: context_id, status: status(now), metadata: undefined }
      }
    })
  )

/** The event that a task has made something, which is whole. */
export const artifactEvent = ({ id, context_id }: Place, artifact: Artifact): Json =>
  json(
    StreamResponse.toJSON({
      payload: {
        $case: "artifactUpdate",
        value: { taskId: id, contextId: context_id, artifact, append: false, lastChunk: true, metadata: undefined }
      }
    })
  )

/** The event that there is a task: all of it, as it is then. */
export const taskEvent = (task: Task): Json =>
  json(StreamResponse.toJSON({ payload: { $case: "task", value: taskOf(task) } }))

/** An event of a row, as the SDK has it. */
export const eventOf = (event: Json): StreamResponse => StreamResponse.fromJSON(event)

/** An artifact, as rows keep it. */
export const artifactJson = (artifact: Artifact): Json => json(Artifact.toJSON(artifact))

/** A message, as rows keep it. */
export const messageJson = (message: Message): Json => json(Message.toJSON(message))

/** A message of a row, as the SDK has it. */
export const messageOf = (message: Json): Message => Message.fromJSON(message)

/** What of a task an answer is to hold. */
interface Shown {
  /** So many of its newest messages at most; undefined: all. */
  readonly history_length?: number | undefined
  /** Default true. */
  readonly artifacts?: boolean
}

/** A task as clients see it. */
export const taskOf = (task: Task, { history_length, artifacts = true }: Shown = {}): SdkTask => ({
  id: task.id,
  contextId: task.context_id,
  status: status({ ...task, status_at: DateTime.toDate(task.status_at) }),
  artifacts: artifacts ? task.artifacts.map((artifact) => Artifact.fromJSON(artifact)) : [],
  history: (history_length === undefined
    ? task.history
    : task.history.slice(Math.max(0, task.history.length - history_length))
  ).map(messageOf),
  metadata: task.skill === null ? undefined : { skill: task.skill }
})
