import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { Deferred, Effect, Schema, Stream } from "effect"
import { ServiceUnreachable } from "../Remote.ts"
import { type Answer, answerIn } from "./HttpAnswer.ts"

export interface Outgoing<E> {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly size_bytes: number
  /** A chunk is the sender's until the next is asked for. */
  readonly bytes: Stream.Stream<Uint8Array, E>
  /** Told after each chunk how many bytes it had. */
  readonly sent: (bytes: number) => void
}

/** The connection was made, and broke before any answer came: nobody knows whether the server has it all. */
export class ConnectionLost extends Schema.TaggedError<ConnectionLost>("cli/ConnectionLost")("ConnectionLost", {
  url: Schema.String,
  reason: Schema.String
}) {
  override get message() {
    return `the connection to ${this.url} broke (${this.reason}); run the command again`
  }
}

type Broken = ConnectionLost | ServiceUnreachable

const MAX_ANSWER = 16 * 1024 * 1024
const TAKE_WITHIN = "5 minutes"
const ANSWER_WITHIN = "30 minutes"

const reasonOf = (cause: Error) => ("code" in cause ? String(cause.code) : cause.message)

const socketTo = ({ protocol, hostname, port }: URL): Socket => {
  const host = hostname.replace(/^\[(.*)\]$/, "$1")
  return protocol === "https:"
    ? connectTls({ host, port: Number(port || 443), servername: host })
    : connect({ host, port: Number(port || 80) })
}

/** A connection whose answer, or failure, arrives in `answered`. */
const opened = (url: URL) =>
  Effect.gen(function* () {
    const answered = yield* Deferred.make<Answer, Broken>()
    const settle = (outcome: Effect.Effect<Answer, Broken>) => Deferred.unsafeDone(answered, outcome)
    let isConnected = false
    let reason = "closed without an answer"
    let received = Buffer.alloc(0)
    const broken = (why: string) =>
      isConnected
        ? new ConnectionLost({ url: url.origin, reason: why })
        : new ServiceUnreachable({ url: url.origin, reason: why })
    const look = (ended: boolean) => {
      const answer = answerIn(received, ended)
      if (answer !== undefined) settle(Effect.succeed(answer))
      else if (ended) settle(Effect.fail(broken(reason)))
    }
    const socket = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const socket = socketTo(url)
        socket.on(url.protocol === "https:" ? "secureConnect" : "connect", () => {
          isConnected = true
        })
        socket.on("data", (chunk: Buffer) => {
          received = Buffer.concat([received, chunk])
          look(received.length > MAX_ANSWER)
        })
        // A server that has seen enough answers and closes: the write that fails then is not the
        // end of it, the answer may still be on its way up to here.
        socket.on("error", (cause) => {
          reason = reasonOf(cause)
        })
        socket.on("close", () => look(true))
        return socket
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
    return { socket, answered, broken }
  })

/** Gives a chunk to the socket, and returns when its bytes are needed no more. */
const write = (socket: Socket, chunk: Uint8Array) =>
  // A write that fails never returns: the connection's end decides what came of the request.
  Effect.async<void>((resume) => {
    socket.write(chunk, (error) => {
      if (error === undefined || error === null) resume(Effect.void)
    })
  })

const head = ({ url, headers, size_bytes }: Outgoing<unknown>) => {
  const all = { host: url.host, connection: "close", "content-length": String(size_bytes), ...headers }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return Buffer.from(`POST ${url.pathname}${url.search} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n`, "latin1")
}

/**
 * Sends one request whose body is streamed with a declared length and with back-pressure. An answer
 * that comes before the body was sent ends the sending: the server has seen enough. The HTTP clients
 * at hand lose such an answer when the server closes after it, so this one speaks to the socket.
 */
export const post = <E>(outgoing: Outgoing<E>): Effect.Effect<Answer, E | Broken> =>
  Effect.gen(function* () {
    const { socket, answered, broken } = yield* opened(outgoing.url)
    const late = (what: string) => () => broken(what)
    const given = (chunk: Uint8Array) =>
      Effect.timeoutFail(write(socket, chunk), { duration: TAKE_WITHIN, onTimeout: late("it takes no more bytes") })
    const sending = Stream.runForEach(outgoing.bytes, (chunk) =>
      Effect.zipRight(
        given(chunk),
        Effect.sync(() => outgoing.sent(chunk.length))
      )
    )
    const answer = Effect.timeoutFail(Deferred.await(answered), {
      duration: ANSWER_WITHIN,
      onTimeout: late("no answer within 30 minutes")
    })
    const all = Effect.zipRight(Effect.zipRight(given(head(outgoing)), sending), answer)
    return yield* Effect.raceFirst(Deferred.await(answered), all)
  }).pipe(Effect.scoped)
