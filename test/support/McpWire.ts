/** A request as a client of MCP's streamable HTTP sends it, for what no client would send. */
export interface Sent {
  readonly session?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
}

const fields = ({ session, headers }: Sent) => ({
  accept: "application/json, text/event-stream",
  "content-type": "application/json",
  ...(session === undefined ? {} : { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" }),
  ...headers
})

const request = (url: string, sent: Sent, init: RequestInit) =>
  fetch(url, { ...init, headers: fields(sent), ...(sent.signal === undefined ? {} : { signal: sent.signal }) })

export const post = (url: string, body: BodyInit, sent: Sent = {}) => request(url, sent, { method: "POST", body })

export const send = (url: string, message: object, sent: Sent = {}) =>
  post(url, JSON.stringify({ jsonrpc: "2.0", ...message }), sent)

export const open = (url: string, sent: Sent) => request(url, sent, { method: "GET" })

export const end = (url: string, sent: Sent) => request(url, sent, { method: "DELETE" })

export const initialize = (protocolVersion = "2025-11-25") => ({
  id: 0,
  method: "initialize",
  params: { protocolVersion, capabilities: {}, clientInfo: { name: "test", version: "1" } }
})

export const call = (name: string, id = 1) => ({ id, method: "tools/call", params: { name, arguments: {} } })

/** The same of 2026-07-28, with the header fields that it wants. */
export const statelessCall = (name: string, sent: Sent = {}) =>
  [
    {
      ...call(name),
      params: {
        name,
        arguments: {},
        _meta: {
          "io.modelcontextprotocol/protocolVersion": "2026-07-28",
          "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
          "io.modelcontextprotocol/clientCapabilities": {}
        }
      }
    },
    {
      ...sent,
      headers: {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": name,
        ...sent.headers
      }
    }
  ] as const

/** Begins a session and answers its id. */
export const begin = async (url: string, sent: Sent = {}): Promise<string> => {
  const response = await send(url, initialize(), sent)
  await response.text()
  const id = response.headers.get("mcp-session-id")
  if (id === null) throw new Error(`no session: ${response.status}`)
  return id
}

export interface SseEvent {
  readonly id: string | undefined
  /** Empty where the event only tells its id. */
  readonly data: string
}

const field = (lines: ReadonlyArray<string>, name: string) =>
  lines
    .find((line) => line.startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .trim()

/** The events of a stream, as they come. */
export async function* eventsOf(response: Response): AsyncGenerator<SseEvent> {
  let text = ""
  const decoder = new TextDecoder()
  const reader = response.body?.getReader()
  for (let next = await reader?.read(); next?.done === false; next = await reader?.read()) {
    text += decoder.decode(next.value, { stream: true })
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const lines = text.slice(0, end).split("\n")
      text = text.slice(end + 2)
      const data = field(lines, "data")
      if (data !== undefined) yield { id: field(lines, "id"), data }
    }
  }
}
