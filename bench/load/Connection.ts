interface Answer {
  readonly status: number
  readonly body: string
}

interface Request {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly bytes: number
  readonly pieces: () => Iterable<Uint8Array>
}

/** A keep-alive HTTP/1.1 connection that costs the machine as little as it can: a load must not be the bottleneck. */
export interface Connection {
  readonly send: (request: Request) => Promise<Answer>
  readonly close: () => void
}

const head = ({ method, path, headers, bytes }: Request, host: string) => {
  const fields = { host, ...headers, ...(bytes === 0 ? {} : { "content-length": String(bytes) }) }
  const text = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`)
  return new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${text.join("")}\r\n`)
}

/** The first answer in what was received, once it is whole. */
const parse = (received: string): Answer | undefined => {
  const end = received.indexOf("\r\n\r\n")
  if (end < 0) return undefined
  const fields = received.slice(0, end)
  if (/\r\ntransfer-encoding: *chunked/i.test(fields)) {
    // The last chunk is enough: nobody reads these bodies.
    return /\r\n0\r\n\r\n$/.test(received) ? { status: Number(fields.slice(9, 12)), body: "" } : undefined
  }
  const length = Number(/\r\ncontent-length: *(\d+)/i.exec(fields)?.[1] ?? 0)
  if (received.length < end + 4 + length) return undefined
  return { status: Number(fields.slice(9, 12)), body: received.slice(end + 4) }
}

export const connect = async (base_url: string): Promise<Connection> => {
  const { hostname, port, host } = new URL(base_url)
  let pieces: Iterator<Uint8Array> | undefined
  let piece: Uint8Array | undefined
  let received = ""
  let waiting: PromiseWithResolvers<Answer> | undefined

  const push = (socket: Bun.Socket) => {
    while (piece !== undefined) {
      const written = socket.write(piece)
      if (written < 0) return
      if (written < piece.length) {
        piece = piece.subarray(written)
        return
      }
      const next = pieces?.next()
      piece = next?.done === false ? next.value : undefined
    }
  }
  const fail = (reason: string) => waiting?.reject(new Error(reason))
  const socket = await Bun.connect({
    hostname,
    port: Number(port),
    socket: {
      drain: push,
      data: (_socket, data) => {
        received += data.toString("latin1")
        const answer = parse(received)
        if (answer === undefined) return
        received = ""
        waiting?.resolve(answer)
      },
      close: () => fail("the connection was closed"),
      error: (_socket, error) => fail(String(error))
    }
  })
  return {
    send: (request) => {
      waiting = Promise.withResolvers<Answer>()
      pieces = request.pieces()[Symbol.iterator]()
      piece = head(request, host)
      push(socket)
      return waiting.promise
    },
    close: () => {
      waiting = undefined
      socket.end()
    }
  }
}
