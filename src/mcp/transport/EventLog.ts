import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js"

interface Event {
  readonly stream: string
  readonly seq: number
  readonly message: JSONRPCMessage
  readonly bytes: number
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
  /** How each is forgotten, oldest first. */
  const all = new Map<Event, () => void>()
  let total = 0

  /** The events of a new session: what the SDK's transport keeps its events in. */
  const open = () => {
    const own = new Set<Event>()
    let bytes = 0
    let seq = 0

    const forget = (event: Event) => {
      if (!own.delete(event)) return
      all.delete(event)
      bytes -= event.bytes
      total -= event.bytes
    }

    const storeEvent = async (stream: string, message: JSONRPCMessage): Promise<string> => {
      seq += 1
      const event: Event = { stream, seq, message, bytes: weigh(message) }
      own.add(event)
      all.set(event, () => forget(event))
      bytes += event.bytes
      total += event.bytes
      for (const old of own) {
        if (bytes <= budget.session || old === event) break
        forget(old)
      }
      for (const [old, forgotten] of all) {
        if (total <= budget.total || old === event) break
        forgotten()
      }
      return idOf(event)
    }

    const replayEventsAfter = async (
      id: string,
      { send }: { readonly send: (id: string, message: JSONRPCMessage) => Promise<void> }
    ): Promise<string> => {
      const last = parse(id)
      for (const event of own) {
        if (last === undefined || event.stream !== last.stream || event.seq <= last.seq) continue
        // A message without content only told the client an id to come back with.
        if ("jsonrpc" in event.message) await send(idOf(event), event.message)
      }
      return last?.stream ?? ""
    }

    const ofStream = (stream: string) => [...own].filter((event) => event.stream === stream)

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
        for (const event of own) forget(event)
      }
    } as const
  }

  return { open, bytes: () => total } as const
}
