import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

interface Event {
  readonly stream: string
  readonly seq: number
  readonly bytes: number
  readonly forget: () => void
  /** Undefined: forgotten. */
  message: JSONRPCMessage | undefined
}

type Kept = Event & { readonly message: JSONRPCMessage }

const isKept = (event: Event): event is Kept => event.message !== undefined

/** Events, oldest first. What was forgotten is passed over, and taken out when it is the greater part. */
const queue = () => {
  let events: Array<Event> = []
  let first = 0
  let forgotten = 0
  const kept = () => events.slice(first).filter(isKept)
  return {
    push: (event: Event) => {
      if (forgotten > 100 && forgotten * 2 > events.length) {
        events = kept()
        first = 0
        forgotten = 0
      }
      events.push(event)
    },
    /** The oldest that is kept. */
    oldest: (): Event | undefined => {
      let found = events[first]
      while (found !== undefined && !isKept(found)) {
        first += 1
        found = events[first]
      }
      return found
    },
    noteForgotten: () => {
      forgotten += 1
    },
    kept
  } as const
}

const idOf = ({ stream, seq }: Event) => `${stream}~${seq}`

const parse = (id: string) => {
  const cut = id.lastIndexOf("~")
  const seq = Number(id.slice(cut + 1))
  return cut > 0 && Number.isSafeInteger(seq) ? { stream: id.slice(0, cut), seq } : undefined
}

/** The SDK's name for the stream of what belongs to no request. */
const standalone = "_GET_stream"

const isAnswer = (message: JSONRPCMessage) => "result" in message || "error" in message

/** What an event takes, roughly: its text in UTF-16, and what holds it. */
const weigh = (message: JSONRPCMessage) => JSON.stringify(message).length * 2 + 200

/**
 * What was sent on the streams of all sessions lately, for clients that come back with `Last-Event-ID`. All
 * share one budget of bytes: beyond it the oldest events are forgotten, whoever's they are; beyond the share
 * of one session its own oldest are.
 */
export const eventLog = (budget: { readonly total: number; readonly session: number }) => {
  const all = queue()
  let total = 0

  /** The events of a new session: what the SDK's transport keeps its events in. */
  const open = () => {
    const own = queue()
    let bytes = 0
    let seq = 0

    const made = (stream: string, message: JSONRPCMessage): Event => {
      seq += 1
      const event: Event = {
        stream,
        seq,
        message,
        bytes: weigh(message),
        forget: () => {
          if (event.message === undefined) return
          event.message = undefined
          own.noteForgotten()
          all.noteForgotten()
          bytes -= event.bytes
          total -= event.bytes
        }
      }
      return event
    }

    const storeEvent = async (stream: string, message: JSONRPCMessage): Promise<string> => {
      const event = made(stream, message)
      own.push(event)
      all.push(event)
      bytes += event.bytes
      total += event.bytes
      // The newest stays, however large it is.
      for (let old = own.oldest(); old !== undefined && old !== event && bytes > budget.session; old = own.oldest())
        old.forget()
      for (let old = all.oldest(); old !== undefined && old !== event && total > budget.total; old = all.oldest())
        old.forget()
      return idOf(event)
    }

    const replayEventsAfter = async (
      id: string,
      { send }: { readonly send: (id: string, message: JSONRPCMessage) => Promise<void> }
    ): Promise<string> => {
      const last = parse(id)
      for (const event of own.kept()) {
        if (last === undefined || event.stream !== last.stream || event.seq <= last.seq) continue
        // A message without content only told the client an id to come back with.
        if ("jsonrpc" in event.message) await send(idOf(event), event.message)
      }
      return last?.stream ?? ""
    }

    const ofStream = (stream: string) => own.kept().filter((event) => event.stream === stream)

    /** The stream of an event; undefined where nothing of it is kept. */
    const streamOf = (id: string): string | undefined => {
      const stream = parse(id)?.stream
      return stream === standalone || (stream !== undefined && ofStream(stream).length > 0) ? stream : undefined
    }

    /** What is left of the stream of one request that was answered, after an event; undefined while it is not. */
    const rest = (id: string): ReadonlyArray<{ readonly id: string; readonly message: JSONRPCMessage }> | undefined => {
      const last = parse(id)
      if (last === undefined || last.stream === standalone) return undefined
      const events = ofStream(last.stream)
      const answer = events.at(-1)
      if (answer === undefined || !isAnswer(answer.message)) return undefined
      return events.filter(({ seq }) => seq > last.seq).map((event) => ({ id: idOf(event), message: event.message }))
    }

    return {
      storeEvent,
      getStreamIdForEventId: async (id: string) => streamOf(id),
      rest,
      replayEventsAfter,
      clear: () => {
        for (const event of own.kept()) event.forget()
      }
    } as const
  }

  return { open, bytes: () => total } as const
}
