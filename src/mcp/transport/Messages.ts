import { isTooDeep, maxJsonDepth } from "../../platform/JsonDepth.ts"

/** A JSON-RPC error of no request, as MCP's HTTP transport answers what it does not hand on. */
export const refusal = (
  status: number,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): Response => Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status, headers })

/** What a body holds, or the answer that refuses it. */
export type Body = { readonly json: unknown } | { readonly refused: Response }

/** How long a body may be in coming, in milliseconds. */
const patienceMs = 30_000

/** So many messages may come in one array (JSON-RPC's batch). */
const mostMessages = 100

const stopped = () => ({
  refused: refusal(408, -32000, `the message was not whole after ${patienceMs / 1000} s`)
})

const tooLarge = (limit: number) => ({
  refused: refusal(413, -32000, `the message is larger than ${limit} bytes (MCP_MAX_REQUEST_BYTES)`)
})

/** The text of a stream of at most so many bytes, or the refusal of one that is longer or does not end. */
const readAtMost = async (stream: ReadableStream<Uint8Array>, limit: number) => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  let isLate = false
  const reader = stream.getReader()
  const timer = setTimeout(() => {
    isLate = true
    void reader.cancel()
  }, patienceMs)
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      size += next.value.byteLength
      if (size > limit) {
        await reader.cancel()
        return tooLarge(limit)
      }
      chunks.push(next.value)
    }
  } finally {
    clearTimeout(timer)
  }
  return isLate ? stopped() : new TextDecoder().decode(Buffer.concat(chunks))
}

const parsed = (text: string): Body => {
  if (isTooDeep(text))
    return { refused: refusal(400, -32600, `the message is nested deeper than ${maxJsonDepth} levels`) }
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return { refused: refusal(400, -32700, "Parse error: the body is not JSON") }
  }
  return Array.isArray(json) && json.length > mostMessages
    ? { refused: refusal(400, -32600, `a batch has at most ${mostMessages} messages`) }
    : { json }
}

/** Reads a message of at most `limit` bytes. */
export const readMessage = async (request: Request, limit: number): Promise<Body> => {
  if (Number(request.headers.get("content-length")) > limit) return tooLarge(limit)
  if (request.body === null) return parsed("")
  const text = await readAtMost(request.body, limit)
  return typeof text === "string" ? parsed(text) : text
}
