import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http"
import { request as httpsRequest } from "node:https"
import { Deferred, Effect, Schema, Stream } from "effect"
import { ServiceUnreachable } from "../Remote.ts"

export interface Outgoing<E> {
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly size_bytes: number
  /** A chunk is the sender's until the next is asked for. */
  readonly bytes: Stream.Stream<Uint8Array, E>
  /** Told after each chunk how many bytes it had. */
  readonly sent: (bytes: number) => void
}

export interface Answer {
  readonly status: number
  readonly body: string
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

/** An open request whose answer, or failure, arrives in `answered`. */
const opened = ({ url, headers, size_bytes }: Outgoing<unknown>) =>
  Effect.gen(function* () {
    const answered = yield* Deferred.make<IncomingMessage, Broken>()
    let isConnected = false
    const broken = (reason: string) =>
      isConnected
        ? new ConnectionLost({ url: url.origin, reason })
        : new ServiceUnreachable({ url: url.origin, reason })
    const request = yield* Effect.acquireRelease(
      Effect.sync(() => {
        const start = url.protocol === "https:" ? httpsRequest : httpRequest
        const request = start(url, {
          method: "POST",
          agent: false,
          // Asked to close, a server that refuses early does so at once, and its answer is lost to the next write.
          headers: { ...headers, "content-length": size_bytes, connection: "keep-alive" }
        })
        request.on("socket", (socket) => socket.on("connect", () => (isConnected = true)))
        request.on("response", (answer) => Deferred.unsafeDone(answered, Effect.succeed(answer)))
        request.on("error", (cause) => Deferred.unsafeDone(answered, Effect.fail(broken(reasonOf(cause)))))
        request.on("close", () => Deferred.unsafeDone(answered, Effect.fail(broken("closed without an answer"))))
        return request
      }),
      (request) => Effect.sync(() => request.destroy())
    )
    return { request, answered, broken }
  })

/** Gives a chunk to the socket, and returns when its bytes are needed no more. */
const write = (request: ClientRequest, chunk: Uint8Array) =>
  // A write that fails fails the request: its error says more than the callback's.
  Effect.async<void>((resume) => void request.write(chunk, () => resume(Effect.void)))

const text = (answer: IncomingMessage, broken: (reason: string) => Broken) =>
  Effect.tryPromise({
    try: async () => {
      const chunks: Array<Buffer> = []
      let size = 0
      for await (const chunk of answer) {
        chunks.push(chunk)
        size += chunk.length
        if (size > MAX_ANSWER) throw new Error("the answer has no end")
      }
      return Buffer.concat(chunks).toString()
    },
    catch: (cause) => broken(cause instanceof Error ? reasonOf(cause) : String(cause))
  })

/**
 * Sends one request whose body is streamed with a declared length and with back-pressure. An answer
 * that comes before the body was sent ends the sending: the server has seen enough.
 */
export const post = <E>(outgoing: Outgoing<E>): Effect.Effect<Answer, E | Broken> =>
  Effect.gen(function* () {
    const { request, answered, broken } = yield* opened(outgoing)
    const late = (what: string) => () => broken(what)
    const sending = Stream.runForEach(outgoing.bytes, (chunk) =>
      Effect.zipRight(
        Effect.timeoutFail(write(request, chunk), { duration: TAKE_WITHIN, onTimeout: late("it takes no more bytes") }),
        Effect.sync(() => outgoing.sent(chunk.length))
      )
    )
    const waiting = Effect.timeoutFail(Deferred.await(answered), {
      duration: ANSWER_WITHIN,
      onTimeout: late("no answer within 30 minutes")
    })
    const all = Effect.zipRight(
      sending,
      Effect.suspend(() => {
        request.end()
        return waiting
      })
    )
    const answer = yield* Effect.raceFirst(Deferred.await(answered), all)
    return { status: answer.statusCode ?? 0, body: yield* text(answer, broken) }
  }).pipe(Effect.scoped)
