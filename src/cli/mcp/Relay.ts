import { StreamableHTTPClientTransport } from "@modelcontextprotocol/client"
import type { JSONRPCMessage, Transport } from "@modelcontextprotocol/server"

type RequestId = string | number

type Request = Extract<JSONRPCMessage, { method: string; id: RequestId }>

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
  readonly message: Request
  readonly abort: AbortController
  /** What it was sent on last. */
  sent_on: StreamableHTTPClientTransport
}

/** How long the service may take to end a session, in milliseconds. */
const farewellMs = 2000

const isRequest = (message: JSONRPCMessage): message is Request =>
  "method" in message && "id" in message && message.id !== undefined

const isAnswer = (message: JSONRPCMessage): message is Exclude<JSONRPCMessage, { method: string }> =>
  !("method" in message)

/** The id of the request that a message gives up. */
const cancelledBy = (message: JSONRPCMessage): RequestId | undefined => {
  const id =
    "method" in message && message.method === "notifications/cancelled" ? message.params?.["requestId"] : undefined
  return typeof id === "string" || typeof id === "number" ? id : undefined
}

/** Stateless messages name their version; those of a session name none. */
const isStateless = (message: JSONRPCMessage): boolean =>
  "params" in message && message.params?._meta?.["io.modelcontextprotocol/protocolVersion"] !== undefined

const statusOf = (error: unknown): number | undefined => {
  const data: unknown = error instanceof Error && "data" in error ? error.data : undefined
  return typeof data === "object" && data !== null && "status" in data && typeof data.status === "number"
    ? data.status
    : undefined
}

/** What the service said, out of the error that the transport made of it. */
const detailOf = (text: string): string => {
  try {
    const problem: unknown = JSON.parse(text.slice(text.indexOf("{")))
    return typeof problem === "object" && problem !== null && "detail" in problem ? String(problem.detail) : text
  } catch {
    return text
  }
}

const isAway = (error: unknown): boolean =>
  error instanceof Error &&
  (("code" in error &&
    /^(ConnectionRefused|ECONN|ENOTFOUND|FailedToOpenSocket|EHOST|ETIMEDOUT)/.test(String(error.code))) ||
    /unable to connect|fetch failed|socket connection was closed/i.test(error.message))

/** Why a message did not arrive, in words for who reads the client's window. */
const reasonOf = (error: unknown, { origin }: URL): string => {
  const said = error instanceof Error ? error.message : String(error)
  if (statusOf(error) === 401 || /unauthorized/i.test(said))
    return `${origin} does not know this API key: give one with --api-key or TRACEPIPE_API_KEY`
  return isAway(error)
    ? `nothing answers at ${origin} (${said}): is the service running, and is --url right?`
    : detailOf(said)
}

/**
 * Hands on messages between an MCP client on standard input and output and the service's MCP endpoint, in
 * whichever version the client speaks. A session that the service has ended is begun anew, and a request that
 * cannot be handed on, or whose answer breaks off, is answered with an error that says why: none waits for ever.
 */
export const relay = ({ client, url, headers, report }: Options) => {
  const pending = new Map<RequestId, Pending>()
  let initialize: Request | undefined
  let renewing: Promise<void> | undefined

  const connect = (heard: (message: JSONRPCMessage) => void) => {
    const transport = new StreamableHTTPClientTransport(url, { requestInit: { headers } })
    transport.onmessage = heard
    // What breaks off is told where it was sent.
    transport.onerror = () => undefined
    void transport.start()
    return transport
  }

  const toClient = (message: JSONRPCMessage) => {
    client.send(message).catch((error: unknown) => report(`the client takes no answers: ${String(error)}`))
  }

  const arrived = (message: JSONRPCMessage) => {
    if (isAnswer(message) && message.id !== undefined) {
      const asked = pending.get(message.id)?.message
      pending.delete(message.id)
      if (asked !== undefined && asked === initialize && "result" in message)
        service.setProtocolVersion(String(message.result["protocolVersion"]))
    }
    toClient(message)
  }

  let service = connect(arrived)

  const refuse = (id: RequestId, message: string) => {
    if (pending.delete(id)) toClient({ jsonrpc: "2.0", id, error: { code: -32000, message } })
  }

  /** Begins the session anew as the client began it, which knows nothing of it. */
  const renew = async (first: Request) => {
    const id = `again-${crypto.randomUUID()}`
    const version = Promise.withResolvers<string>()
    const fresh = connect((message) => {
      if (!isAnswer(message) || message.id !== id) return
      if ("result" in message) version.resolve(String(message.result["protocolVersion"]))
      else version.reject(new Error(message.error.message))
    })
    try {
      const onRequestStreamEnd = () => version.reject(new Error("the service ended before it began the session"))
      await fresh.send({ ...first, id }, { onRequestStreamEnd })
      fresh.setProtocolVersion(await version.promise)
      fresh.onmessage = arrived
      await fresh.send({ jsonrpc: "2.0", method: "notifications/initialized" })
    } catch (error) {
      await fresh.close()
      throw error
    }
    const old = service
    service = fresh
    await old.close()
    for (const [lost, { sent_on }] of pending)
      if (sent_on === old) refuse(lost, "the service was started again while this was running; try again")
  }

  const send = (message: JSONRPCMessage) => {
    const request = isRequest(message) ? pending.get(message.id) : undefined
    if (request === undefined) return service.send(message)
    request.sent_on = service
    return service.send(message, {
      requestSignal: request.abort.signal,
      onRequestStreamEnd: () =>
        refuse(request.message.id, "the service ended the answer before it was whole; try again")
    })
  }

  /** Sends it again, in a new session, where the session that it was sent in is over. */
  const sendAgain = async (message: JSONRPCMessage, over: StreamableHTTPClientTransport, why: unknown) => {
    if (statusOf(why) !== 404 || initialize === undefined || message === initialize || isStateless(message)) throw why
    // Out of the way of `renew`, which ends what was lost with the session.
    const request = isRequest(message) ? pending.get(message.id) : undefined
    if (service === over) {
      if (request !== undefined) pending.delete(request.message.id)
      renewing ??= renew(initialize).finally(() => {
        renewing = undefined
      })
      try {
        await renewing
      } finally {
        if (request !== undefined) pending.set(request.message.id, request)
      }
    }
    // It may have been answered meanwhile, as lost.
    if (!isRequest(message) || pending.has(message.id)) await send(message)
  }

  const handOn = async (message: JSONRPCMessage) => {
    const given = cancelledBy(message)
    const cancelled = given === undefined ? undefined : pending.get(given)
    if (isRequest(message)) {
      pending.set(message.id, { message, abort: new AbortController(), sent_on: service })
      if (message.method === "initialize") initialize = message
    }
    const over = service
    try {
      // A stateless request is cancelled by ending it.
      if (cancelled === undefined || !isStateless(cancelled.message))
        await send(message).catch((error: unknown) => sendAgain(message, over, error))
    } catch (error) {
      const reason = reasonOf(error, url)
      if (isRequest(message)) refuse(message.id, reason)
      else report(reason)
    }
    if (cancelled !== undefined) {
      pending.delete(cancelled.message.id)
      cancelled.abort.abort()
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
      const farewell = service.terminateSession().catch(() => undefined)
      await Promise.race([farewell, new Promise((resolve) => setTimeout(resolve, farewellMs))])
      await service.close()
    }
  } as const
}
