import http, { type IncomingMessage, type ServerResponse } from "node:http"
import https from "node:https"
import type { AddressInfo } from "node:net"
import { Effect } from "effect"
import type { Certificate } from "./Certificate.ts"

export interface Seen {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage["headers"]
  readonly body: string
}

/** A server on this machine that tells what it was asked, and answers as the test says. */
export const webServer = (
  answer: (request: Seen, response: ServerResponse) => void,
  { certificate, hostname = "127.0.0.1" }: { readonly certificate?: Certificate; readonly hostname?: string } = {}
) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const seen: Array<Seen> = []
      const handle = async (request: IncomingMessage, response: ServerResponse) => {
        let body = ""
        for await (const chunk of request) body += chunk
        const { method = "", url = "", headers } = request
        const one = { method, url, headers, body }
        seen.push(one)
        answer(one, response)
      }
      const server =
        certificate === undefined ? http.createServer(handle) : https.createServer({ ...certificate }, handle)
      await new Promise<void>((resolve) => server.listen(0, hostname, () => resolve()))
      const { port } = server.address() as AddressInfo
      return { server, seen, port }
    }),
    ({ server }) =>
      Effect.sync(() => {
        server.closeAllConnections()
        server.close()
      })
  )
