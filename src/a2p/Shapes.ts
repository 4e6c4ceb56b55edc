import { isLegacyJsonRpcMethod } from "@a2a-js/sdk/compat/v0_3"
import { RequestMalformedError } from "@a2a-js/sdk/errors"
import { isObject } from "./Json.ts"

/** Looks at a value; throws an error that names the field it stands in. */
type Shape = (value: unknown, field: string) => void

/** The error that says what is wrong with a field, in the words of A2A. */
export const malformed = (field: string, text: string) =>
  new RequestMalformedError({ message: `${field} ${text}`, metadata: { [field]: text } })

const text: Shape = (value, field) => {
  if (typeof value !== "string") throw malformed(field, "is no string")
}

const count: Shape = (value, field) => {
  if (typeof value !== "number") throw malformed(field, "is no number")
}

const within = (outer: string, name: string) => (outer === "" ? name : `${outer}.${name}`)

/** An object; of its fields those that are there are looked at, and null is as good as none. */
const object =
  (fields: Readonly<Record<string, Shape>>): Shape =>
  (value, field) => {
    if (!isObject(value)) throw malformed(field === "" ? "the request" : field, "is no object")
    for (const [name, shape] of Object.entries(fields)) {
      const found = value[name]
      if (found !== undefined && found !== null) shape(found, within(field, name))
    }
  }

const list =
  (shape: Shape): Shape =>
  (value, field) => {
    if (!Array.isArray(value)) throw malformed(field, "is no list")
    for (const [at, one] of value.entries()) shape(one, `${field}[${at}]`)
  }

/** An object that has this field. */
const having =
  (name: string, fields: Readonly<Record<string, Shape>>): Shape =>
  (value, field) => {
    object(fields)(value, field)
    if (isObject(value) && (value[name] === undefined || value[name] === null))
      throw malformed(within(field, name), "is missing")
  }

const ofMessage = {
  messageId: text,
  contextId: text,
  taskId: text,
  metadata: object({}),
  extensions: list(text),
  referenceTaskIds: list(text)
}

const part = object({ text, raw: text, url: text, metadata: object({}), filename: text, mediaType: text })

const pushConfig = {
  id: text,
  taskId: text,
  url: text,
  token: text,
  authentication: object({ scheme: text, credentials: text })
}

/** What of a message's configuration both versions share. */
const ofConfiguration = { acceptedOutputModes: list(text), historyLength: count }

/** The request to send a message, of version 1.0. */
export const sending10: Shape = object({
  message: object({ ...ofMessage, parts: list(part) }),
  configuration: object({ ...ofConfiguration, taskPushNotificationConfig: object(pushConfig) }),
  metadata: object({})
})

/** All other requests of version 1.0: what one of them names means the same in each. */
export const asking10: Shape = object({
  ...pushConfig,
  contextId: text,
  pageToken: text,
  pageSize: count,
  historyLength: count,
  statusTimestampAfter: text,
  metadata: object({})
})

/** A push configuration of version 0.3, of both its bindings. */
export const pushConfig03: Shape = having("url", {
  id: text,
  url: text,
  token: text,
  authentication: object({ schemes: list(text), credentials: text })
})

/** What a part is follows from its kind, which the library looks at. */
const part03: Shape = (value, field) => {
  object({ metadata: object({}) })(value, field)
  if (!isObject(value)) return
  if (value["kind"] === "text") return text(value["text"], within(field, "text"))
  if (value["kind"] !== "file") return
  const { file } = value
  object({ mimeType: text, name: text })(file, within(field, "file"))
  if (!isObject(file)) return
  if ("bytes" in file) text(file["bytes"], within(field, "file.bytes"))
  else text(file["uri"], within(field, "file.uri"))
}

const sending03 = object({
  message: object({ ...ofMessage, parts: list(part03) }),
  configuration: object({ ...ofConfiguration, pushNotificationConfig: pushConfig03 }),
  metadata: object({})
})

const asking03 = object({
  id: text,
  taskId: text,
  pushNotificationConfigId: text,
  pushNotificationConfig: pushConfig03,
  historyLength: count,
  metadata: object({})
})

const message03Rest = object({
  ...ofMessage,
  content: list(
    object({
      text,
      file: object({ fileWithBytes: text, fileWithUri: text, mimeType: text, name: text }),
      data: object({}),
      metadata: object({})
    })
  )
})

/** The request to send a message, of version 0.3 by REST: its fields have other names. */
export const sending03Rest: Shape = object({
  message: message03Rest,
  request: message03Rest,
  configuration: object({ ...ofConfiguration, pushNotification: pushConfig03 }),
  metadata: object({})
})

/** Throws where the parameters of a JSON-RPC method are not of the types that the library takes them for. */
export const assertParams = (method: string, params: unknown): void => {
  if (method === "SendMessage" || method === "SendStreamingMessage") sending10(params, "")
  else if (method === "message/send" || method === "message/stream") sending03(params, "")
  else if (params !== undefined) (isLegacyJsonRpcMethod(method) ? asking03 : asking10)(params, "")
}

/** What a codec of the library makes of a value; one that it cannot read is malformed. */
export const decoded = <A>(decode: (value: unknown) => A, value: unknown): A => {
  try {
    return decode(value)
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError)
      throw new RequestMalformedError("the request has not the form that A2A gives it")
    throw error
  }
}
