/** A JSON-RPC error of no request, as MCP's HTTP transport answers what it does not hand on. */
export const refusal = (
  status: number,
  code: number,
  message: string,
  headers: Readonly<Record<string, string>> = {}
): Response => Response.json({ jsonrpc: "2.0", error: { code, message }, id: null }, { status, headers })

/** What a body holds; a number is the status of its refusal. */
export type Body = { readonly json: unknown } | { readonly refused: Response }

const tooLarge = (limit: number) => ({
  refused: refusal(413, -32000, `the message is larger than ${limit} bytes (MCP_MAX_REQUEST_BYTES)`)
})

const readAtMost = async (stream: ReadableStream<Uint8Array>, limit: number): Promise<string | undefined> => {
  const chunks: Array<Uint8Array> = []
  let size = 0
  const reader = stream.getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) {
    size += next.value.byteLength
    if (size > limit) {
      await reader.cancel()
      return undefined
    }
    chunks.push(next.value)
  }
  return new TextDecoder().decode(Buffer.concat(chunks))
}

/** Reads a message of at most `limit` bytes. */
export const readMessage = async (request: Request, limit: number): Promise<Body> => {
  const declared = request.headers.get("content-length")
  if (Number(declared) > limit) return tooLarge(limit)
  // Of a declared length no more than that arrives.
  const text = declared !== null || request.body === null ? await request.text() : await readAtMost(request.body, limit)
  if (text === undefined) return tooLarge(limit)
  try {
    return { json: JSON.parse(text) as unknown }
  } catch {
    return { refused: refusal(400, -32700, "Parse error: the body is not JSON") }
  }
}
