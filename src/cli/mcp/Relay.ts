import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server"

type RequestId = string | number

interface Options {
  /** Where the client's messages come from, and what they are answered on. */
  readonly client: Transport
  /** The service's MCP endpoint. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  /** Told what the client cannot be told. */
  readonly report: (problem: string) => void
}

interface Pending {
  readonly message: JSONRPCMessage
  readonly abort: AbortController
}

const isRequest = (message: JSONRPCMessage): message is Extract<JSONRPCMessage, { method: string; id: RequestId }> =>
  "method" in message && "id" in message && message.id !== undefined

const isAnswer = (message: JSONRPCMessage): message is Exclude<JSONRPCMessage, { method: string }> =>
  !("method" in message)

/** The version that a stateless message names; a message of a session names none. */
const isStateless = (message: JSONRPCMessage): boolean =>
  "params" in message && message.params?._meta?.["io.modelcontextprotocol/protocolVersion"] !== undefined

const statusOf = (error: unknown): number | undefined => {
  const data: unknown = error instanceof Error && "data" in error ? error.data : undefined
  return typeof data === "object" && data !== null && "status" in data && typeof data.status === "number"
    ? data.status
    : undefined
}

const detailOf = (text: string): string => {
  try {
    const problem: unknown = JSON.parse(text.slice(text.indexOf("{")))
    return typeof problem === "object" && problem !== null && "detail" in problem ? String(problem.detail) : text
  } catch {
    return text
  }
}

/** Why a message did not arrive, in words for who reads the client's window. */
const reasonOf = (error: unknown, { origin }: URL): string => {
  const said = error instanceof Error ? error.message : String(error)
  switch (statusOf(error)) {
    case undefined:
      return /unauthorized/i.test(said)
        ? unauthorized(origin)
        : `nothing answers at ${origin} (${said}): is the service running, and is --url right?`
    case 401:
      return unauthorized(origin)
    default:
      return detailOf(said)
  }
}

const unauthorized = (origin: string) =>
  `${origin} does not know this API key: give one with --api-key or TRACEPIPE_API_KEY`

/**
 * Hands on messages between an MCP client on standard input and output and the service's MCP endpoint, in
 * whichever version the client speaks. A session that the service has ended is begun anew, and a request that
 * cannot be handed on is answered with an error that says why: no request waits for ever.
 */
export const relay = ({ client, url, headers, report }: Options) => {
  const pending = new Map<RequestId, Pending>()
  let initialize: JSONRPCMessage | undefined
  let service = connect()

  function connect() {
    const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } })
    transport.onmessage = (message) => void arrived(message)
    transport.onerror = () => undefined
    void transport.start()
    return transport
  }

  const toClient = (message: JSONRPCMessage) =>
    client.send(message).catch((error: unknown) => report(`the client takes no answers: ${String(error)}`))

  const arrived = async (message: JSONRPCMessage) => {
    if (isAnswer(message) && message.id !== undefined) {
      const asked = pending.get(message.id)?.message
      pending.delete(message.id)
      if (asked !== undefined && asked === initialize && "result" in message)
        service.setProtocolVersion(String(message.result["protocolVersion"]))
    }
    await toClient(message)
  }

  const refuse = (id: RequestId, message: string) => {
    if (pending.delete(id)) void toClient({ jsonrpc: "2.0", id, error: { code: -32000, message } })
  }

  /** Begins the session anew as the client began it; the client knows nothing of it. */
  const renew = async () => {
    if (initialize === undefined || !isRequest(initialize)) return
    await service.close()
    service = connect()
    const fresh = service
    const id = `again-${crypto.randomUUID()}`
    const version = new Promise<string>((resolve, reject) => {
      fresh.onmessage = (message) => {
        if (!isAnswer(message) || message.id !== id) return
        if ("result" in message) resolve(String(message.result["protocolVersion"]))
        else reject(new Error(message.error.message))
      }
    })
    await fresh.send({ ...initialize, id })
    fresh.setProtocolVersion(await version)
    fresh.onmessage = (message) => void arrived(message)
    await fresh.send({ jsonrpc: "2.0", method: "notifications/initialized" })
  }

  const send = (message: JSONRPCMessage) => {
    const request = isRequest(message) ? pending.get(message.id) : undefined
    return service.send(
      message,
      request === undefined
        ? {}
        : {
            requestSignal: request.abort.signal,
            onRequestStreamEnd: () => {
              if (isRequest(message)) refuse(message.id, "the service ended the answer before it was whole; try again")
            }
          }
    )
  }

  /** True when the message is one that only stops another, which was done. */
  const isCancelled = (message: JSONRPCMessage): boolean => {
    if (!("method" in message) || message.method !== "notifications/cancelled") return false
    const id = message.params?.["requestId"]
    const request = typeof id === "string" || typeof id === "number" ? pending.get(id) : undefined
    if (request === undefined || !isStateless(request.message)) return false
    pending.delete(id as RequestId)
    request.abort.abort()
    return true
  }

  const handOn = async (message: JSONRPCMessage) => {
    if (isCancelled(message)) return
    if (isRequest(message)) {
      pending.set(message.id, { message, abort: new AbortController() })
      if (message.method === "initialize") initialize = message
    }
    try {
      await send(message).catch(async (error: unknown) => {
        if (statusOf(error) !== 404 || initialize === undefined || message === initialize) throw error
        await renew()
        await send(message)
      })
    } catch (error) {
      const reason = reasonOf(error, url)
      if (isRequest(message)) refuse(message.id, reason)
      else report(reason)
    }
  }

  const closed = new Promise<void>((resolve) => {
    client.onclose = () => resolve()
  })
  client.onmessage = (message) => void handOn(message)
  client.onerror = (error) => report(error.message)

  return {
    start: () => client.start(),
    /** Resolves when the client has gone. */
    closed,
    close: async () => {
      await service.terminateSession().catch(() => undefined)
      await service.close()
    }
  } as const
}
