export interface Answer {
  readonly status: number
  readonly body: string
}

const HEAD_END = "\r\n\r\n"

/** The bytes of a chunked body (RFC 9112, 7.1); undefined while its last chunk has not come. */
const unchunked = (bytes: Buffer): Buffer | undefined => {
  const chunks: Array<Buffer> = []
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf("\r\n", at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16)
    if (size === 0) return Buffer.concat(chunks)
    const end = lineEnd + 2 + size
    if (!Number.isSafeInteger(size) || bytes.length < end + 2) return undefined
    chunks.push(bytes.subarray(lineEnd + 2, end))
    at = end + 2
  }
}

const bodyOf = (headers: ReadonlyMap<string, string>, rest: Buffer, ended: boolean): Buffer | undefined => {
  if (headers.get("transfer-encoding")?.toLowerCase() === "chunked") return unchunked(rest)
  const length = headers.get("content-length")
  if (length === undefined) return ended ? rest : undefined
  return rest.length < Number(length) ? undefined : rest.subarray(0, Number(length))
}

/**
 * The final answer among what came over an HTTP/1.1 connection, interim ones (1xx) left out;
 * undefined while it is not whole.
 * @param ended true when no more bytes will come
 */
export const answerIn = (bytes: Buffer, ended: boolean): Answer | undefined => {
  const headEnd = bytes.indexOf(HEAD_END)
  if (headEnd === -1) return undefined
  const [first = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n")
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(first)?.[1] ?? 0)
  const rest = bytes.subarray(headEnd + HEAD_END.length)
  if (status >= 100 && status < 200) return answerIn(rest, ended)
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(":")
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
    })
  )
  const body = bodyOf(headers, rest, ended)
  return body === undefined ? undefined : { status, body: body.toString() }
}
