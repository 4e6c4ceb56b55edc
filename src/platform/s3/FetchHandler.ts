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

/**
 * The SDK's transport over Bun's fetch, which sends byte arrays without a copy: half the CPU and a
 * third of the memory of the SDK's handler for Node. Not the SDK's own fetch handler, because that
 * leaves a request running after its time-out, with a buffer that goes on to be used again.
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
        body: request.body ?? null,
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
