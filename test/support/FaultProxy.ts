import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"

/** What the proxy does with a request instead of passing it on. */
export type Fault =
  | { readonly kind: "answer"; readonly status: number; readonly code: string }
  /** No answer, until the client gives up. */
  | { readonly kind: "hang" }
  /** Passes the request on and breaks the connection after so many bytes of the answer's body. */
  | { readonly kind: "cut"; readonly after: number }

export interface ProxiedRequest {
  readonly method: string
  readonly url: URL
}

export interface FaultProxy {
  readonly endpoint: string
  /** Replace it to make faults; it sees every request in order, and undefined passes it on. */
  fault: (request: ProxiedRequest) => Fault | undefined
  /** Requests that the client gave up while they hung. */
  readonly given_up: () => number
}

const bodyOf = async (request: IncomingMessage) => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of request) chunks.push(chunk)
  return new Uint8Array(Buffer.concat(chunks))
}

const problem = (response: ServerResponse, { status, code }: Fault & { kind: "answer" }) =>
  response
    .writeHead(status, { "content-type": "application/xml" })
    .end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>made by the test</Message></Error>`)

const passOn = async (
  upstream: string,
  request: IncomingMessage,
  body: Uint8Array<ArrayBuffer>,
  response: ServerResponse,
  cut?: number
) => {
  const answer = await fetch(upstream + request.url, {
    method: request.method ?? "GET",
    headers: Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)]),
    body: body.length === 0 ? null : body,
    decompress: false
  })
  const bytes = new Uint8Array(await answer.arrayBuffer())
  response.writeHead(answer.status, Object.fromEntries(answer.headers))
  if (cut === undefined || cut >= bytes.length) return response.end(request.method === "HEAD" ? undefined : bytes)
  return response.write(bytes.subarray(0, cut), () => response.destroy())
}

const open = async (upstream: string) => {
  let given_up = 0
  const proxy = { endpoint: "", fault: (() => undefined) as FaultProxy["fault"], given_up: () => given_up }
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const fault = proxy.fault({ method: request.method ?? "", url: new URL(request.url ?? "", "http://proxy") })
    if (fault?.kind === "hang") return response.on("close", () => given_up++)
    // Read before any answer, as a real server would.
    const body = await bodyOf(request)
    return fault?.kind === "answer" ? problem(response, fault) : passOn(upstream, request, body, response, fault?.after)
  }
  const server = createServer((request, response) => {
    // A client that goes away while it sends or gets is part of the tests.
    handle(request, response).catch(() => response.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  // Listening on a port, it has an address of this kind.
  proxy.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { proxy, server }
}

/** An HTTP proxy in front of a server, which lives as long as the scope. */
export const faultProxy = (upstream: string) =>
  Effect.acquireRelease(
    Effect.promise(() => open(upstream)),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  ).pipe(Effect.map(({ proxy }): FaultProxy => proxy))
