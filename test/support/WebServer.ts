import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import http, { type IncomingMessage, type ServerResponse } from "node:http"
import https from "node:https"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"

export interface Certificate {
  readonly key: string
  readonly cert: string
}

/** A self-signed certificate for a name, made for this run. */
export const certificateFor = (name: string): Certificate => {
  const folder = mkdtempSync(join(tmpdir(), "tracepipe-certificate-"))
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")]
  try {
    execFileSync(
      "openssl",
      [
        ..."req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split(" "),
        ...["-keyout", key, "-out", cert, "-subj", `/CN=${name}`, "-addext", `subjectAltName=DNS:${name}`]
      ],
      { stdio: "ignore" }
    )
    return { key: readFileSync(key, "utf8"), cert: readFileSync(cert, "utf8") }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

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
