import http from "node:http"
import https from "node:https"
import { PassThrough, pipeline, Readable, Transform } from "node:stream"
import zlib from "node:zlib"
import { literal } from "./Addresses.ts"
import { hostOf, portOf } from "./HostRules.ts"

/** A request as it is sent: everything of it is known before. */
export interface Outgoing {
  readonly url: URL
  readonly method: string
  readonly headers: Headers
  readonly body: Uint8Array | undefined
}

/** One address was asked, and nothing of the request can have reached it. */
export class NotConnected extends Error {}

const unsent = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH", "EADDRNOTAVAIL", "EHOSTDOWN"])

const codeOf = (cause: unknown): string =>
  typeof cause === "object" && cause !== null && "code" in cause ? String(cause.code) : ""

export interface ExchangeOptions {
  /** Certificates to trust besides the system's. */
  readonly ca?: string | undefined
  readonly max_bytes: number
  readonly signal: AbortSignal
}

/** Fails once more bytes than these went through. */
const capped = (max_bytes: number) => {
  let size = 0
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      size += chunk.length
      if (size > max_bytes) done(new Error(`the answer is larger than ${max_bytes} bytes`))
      else done(null, chunk)
    }
  })
}

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: () => zlib.createGunzip(),
  "x-gzip": () => zlib.createGunzip(),
  deflate: () => zlib.createInflate(),
  br: () => zlib.createBrotliDecompress(),
  identity: () => new PassThrough()
}

const bodiless = new Set([101, 204, 205, 304])

const headersOf = (message: http.IncomingMessage): Headers => {
  const headers = new Headers()
  for (let at = 0; at + 1 < message.rawHeaders.length; at += 2) {
    headers.append(message.rawHeaders[at] ?? "", message.rawHeaders[at + 1] ?? "")
  }
  return headers
}

/** The answer with its body as a stream: decompressed, counted before and after that. */
const responseOf = ({ url, method }: Outgoing, message: http.IncomingMessage, max_bytes: number): Response => {
  const status = message.statusCode ?? 0
  const headers = headersOf(message)
  if (method === "HEAD" || bodiless.has(status)) {
    message.resume()
    return new Response(null, { status, headers })
  }
  const coding = (headers.get("content-encoding") ?? "identity").trim().toLowerCase()
  const decoder = decoders[coding]
  if (decoder === undefined) {
    message.destroy()
    throw new Error(`the answer is encoded as ${JSON.stringify(coding)}`)
  }
  headers.delete("content-encoding")
  if (coding !== "identity") headers.delete("content-length")
  const body = capped(max_bytes)
  // Its errors reach the reader of the last stream.
  pipeline(message, capped(max_bytes), decoder(), body, () => undefined)
  // Node and the DOM describe the same stream by two types.
  const response = new Response(Readable.toWeb(body) as unknown as ReadableStream<Uint8Array>, { status, headers })
  Object.defineProperty(response, "url", { value: url.href })
  return response
}

/**
 * Sends a request to an address that was checked: the name is not asked for again, and is what the
 * certificate must be for. No proxy is used, no redirect followed.
 */
export const exchange = (outgoing: Outgoing, address: string, options: ExchangeOptions): Promise<Response> =>
  new Promise((resolve, reject) => {
    const { url, method, headers, body } = outgoing
    const host = hostOf(url)
    const secure = url.protocol === "https:"
    const request = (secure ? https : http).request({
      host: address,
      port: portOf(url),
      method,
      path: `${url.pathname}${url.search}`,
      headers: {
        ...Object.fromEntries(headers),
        host: url.host,
        ...(body === undefined ? {} : { "content-length": String(body.length) })
      },
      agent: false,
      signal: options.signal,
      // A certificate of an address is checked against the address that is connected to.
      ...(secure && literal(host) === undefined ? { servername: host } : {}),
      ...(options.ca === undefined ? {} : { ca: options.ca })
    })
    request.on("error", (cause) => reject(unsent.has(codeOf(cause)) ? new NotConnected(cause.message) : cause))
    request.on("response", (message) => {
      try {
        resolve(responseOf(outgoing, message, options.max_bytes))
      } catch (cause) {
        request.destroy()
        reject(cause)
      }
    })
    if (body === undefined) request.end()
    else request.end(body)
  })
