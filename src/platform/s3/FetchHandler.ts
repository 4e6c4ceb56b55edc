/** The parts of the SDK's request that a handler needs. */
interface SdkRequest {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly method: string
  readonly path: string
  readonly query?: Readonly<Record<string, string | ReadonlyArray<string> | null>>
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Uint8Array<ArrayBuffer> | string
}

const urlOf = ({ protocol, hostname, port, path, query = {} }: SdkRequest): string => {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === null
      ? [encodeURIComponent(name)]
      : [value].flat().map((one) => `${encodeURIComponent(name)}=${encodeURIComponent(one)}`)
  )
  const origin = `${protocol}//${hostname}${port === undefined ? "" : `:${port}`}`
  return `${origin}${path}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}`
}

const emptyBody = () => new Blob([]).stream()

const PIECE = 1024 * 1024

// Bun copies a byte array whole before it sends it, but not a body that comes in pieces.
const inPieces = (bytes: Uint8Array<ArrayBuffer>) => {
  let at = 0
  return new ReadableStream<Uint8Array<ArrayBuffer>>(
    {
      pull: (controller) => {
        if (at >= bytes.length) return controller.close()
        controller.enqueue(bytes.subarray(at, at + PIECE))
        at += PIECE
      }
    },
    { highWaterMark: 0 }
  )
}

const bodyOf = ({ body }: SdkRequest) =>
  body instanceof Uint8Array && body.length > PIECE ? inPieces(body) : (body ?? null)

/**
 * The SDK's transport over Bun's fetch: a quarter less CPU and a third of the memory of the SDK's own
 * for Node. Not the SDK's own for fetch, because that one leaves a request running after its
 * time-out and copies bodies. The SDK holds a byte array, so that it can try again.
 *
 * An attempt must be over within `timeout_ms`, answer included; only the body of an object that is
 * read comes as a stream, which its reader has to time.
 */
export const fetchHandler = (timeout_ms: number) => {
  const handle = async (request: SdkRequest, { abortSignal }: { readonly abortSignal?: AbortSignal } = {}) => {
    const attempt = new AbortController()
    const onTimeout = () => attempt.abort(Object.assign(new Error("no answer in time"), { name: "TimeoutError" }))
    const timer = setTimeout(onTimeout, timeout_ms)
    try {
      const response = await fetch(urlOf(request), {
        method: request.method,
        headers: request.headers,
        body: bodyOf(request),
        signal: abortSignal === undefined ? attempt.signal : AbortSignal.any([attempt.signal, abortSignal]),
        redirect: "manual",
        // The bytes as they are stored, and no limits besides our own.
        decompress: false,
        timeout: false
      })
      const streamed = request.query?.["x-id"] === "GetObject" && response.ok
      return {
        response: {
          statusCode: response.status,
          reason: response.statusText,
          headers: Object.fromEntries(response.headers),
          body: streamed ? (response.body ?? emptyBody()) : new Uint8Array(await response.arrayBuffer())
        }
      }
    } finally {
      clearTimeout(timer)
    }
  }
  return {
    handle,
    metadata: { handlerProtocol: "http/1.1" },
    updateHttpClientConfig: () => undefined,
    httpHandlerConfigs: () => ({}),
    destroy: () => undefined
  }
}
