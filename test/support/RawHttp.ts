import { connect, type Socket } from "node:net"
import { Effect, type Scope } from "effect"
import type { Target } from "./Uploading.ts"

export interface RawAnswer {
  readonly status: number
  /** Header lines, names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The first answer in what was received, once it is whole, and what follows it. */
const parse = (received: Buffer): { readonly answer: RawAnswer; readonly rest: Buffer } | undefined => {
  const end = received.indexOf("\r\n\r\n")
  if (end < 0) return undefined
  const [status = "", ...lines] = received.toString("latin1", 0, end).split("\r\n")
  const headers = Object.fromEntries(lines.map((line) => line.toLowerCase().split(/: ?(.*)/s, 2)))
  const length = Number(headers["content-length"] ?? 0)
  if (received.length < end + 4 + length) return undefined
  const body = received.toString("utf8", end + 4, end + 4 + length)
  return { answer: { status: Number(status.slice(9, 12)), headers, body }, rest: received.subarray(end + 4 + length) }
}

/** A connection on which a test sends what no client would. */
export interface RawConnection {
  /** Sends, and waits until the kernel has taken it; nothing happens on a connection that is closed. */
  readonly send: (bytes: string | Uint8Array) => Effect.Effect<void>
  /** Ends the connection at once, with a reset. */
  readonly abort: Effect.Effect<void>
  /** No byte follows; the other direction stays open. */
  readonly end: Effect.Effect<void>
  /** The next answer; dies when the connection is closed without one. */
  readonly answer: Effect.Effect<RawAnswer>
  /** Waits until the server has closed the connection. */
  readonly closed: Effect.Effect<void>
}

const open = (url: URL) =>
  new Promise<Socket>((resolve, reject) => {
    const socket = connect({ port: Number(url.port), host: url.hostname })
    socket.once("connect", () => resolve(socket)).once("error", reject)
  })

/** @param paused reads nothing before `answer` is asked for, as a client does that sends first */
export const rawConnection = (
  target: Target,
  options: { readonly paused?: boolean } = {}
): Effect.Effect<RawConnection, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(() => open(new URL(target.base_url))),
    (socket) => Effect.sync(() => socket.destroy())
  ).pipe(
    Effect.map((socket) => {
      let received: Buffer = Buffer.alloc(0)
      let isClosed = false
      const waiting = new Set<() => void>()
      const wake = () => {
        for (const look of waiting) look()
      }
      socket.on("error", () => undefined)
      socket.on("data", (bytes: Buffer) => {
        received = Buffer.concat([received, bytes])
        wake()
      })
      if (options.paused === true) socket.pause()
      socket.on("close", () => {
        isClosed = true
        wake()
      })

      /** Waits for what `look` finds. */
      const until = <A>(look: () => A | undefined): Effect.Effect<A> =>
        Effect.async((resume) => {
          socket.resume()
          const attempt = () => {
            const found = look()
            if (found === undefined && !isClosed) return
            waiting.delete(attempt)
            const text = JSON.stringify(received.toString("latin1"))
            resume(
              found === undefined ? Effect.dieMessage(`closed without an answer after ${text}`) : Effect.succeed(found)
            )
          }
          waiting.add(attempt)
          attempt()
          return Effect.sync(() => waiting.delete(attempt))
        })

      return {
        send: (bytes) =>
          Effect.promise(
            () => new Promise<void>((resolve) => (socket.destroyed ? resolve() : socket.write(bytes, () => resolve())))
          ),
        abort: Effect.sync(() => socket.resetAndDestroy()),
        end: Effect.sync(() => void socket.end()),
        answer: until(() => {
          const parsed = parse(received)
          if (parsed !== undefined) received = parsed.rest
          return parsed?.answer
        }),
        closed: until(() => (isClosed ? true : undefined)).pipe(Effect.asVoid)
      }
    })
  )

/** The head of an upload. */
export const uploadHead = (target: Target, query: string, headers: Readonly<Record<string, string | number>>): string =>
  [
    `POST /v1/sessions?${query} HTTP/1.1`,
    `host: ${new URL(target.base_url).host}`,
    `x-api-key: ${target.api_key}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "\r\n"
  ].join("\r\n")
