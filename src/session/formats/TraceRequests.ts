import type { DraftEvent } from "../../domain/session/Timeline.ts"
import { headersOf } from "./Headers.ts"
import type { Place } from "./Reading.ts"
import { extraOf, isMembers, type Members, numberOf, shown, textOf } from "./Values.ts"

/** Requests that wait for their end; the oldest is told without it. */
const MAX_OPEN = 10_000

const dataKeys: ReadonlySet<string> = new Set(["url", "requestMethod", "statusCode"])

interface Open {
  readonly ts: number | null
  readonly at: string | null
  readonly place: Place
  readonly sent: Members
  received: Members
}

export interface TracedRequest {
  readonly ts: number | null
  readonly event: DraftEvent
}

const dataOf = (event: Members): Members => (isMembers(event.args) && isMembers(event.args.data) ? event.args.data : {})

const told = ({ ts, at, place, sent, received }: Open, finished: Members, end: number | null): TracedRequest => ({
  ts,
  event: {
    kind: "network",
    at,
    source: place.source,
    method: shown(sent.requestMethod) ?? "GET",
    url: shown(sent.url) ?? "",
    status: Number.isSafeInteger(received.statusCode) ? numberOf(received.statusCode) : null,
    request_headers: headersOf(sent.headers),
    request_body: null,
    response_headers: headersOf(received.headers),
    response_body: null,
    duration_ms: end === null || ts === null || end < ts ? null : (end - ts) / 1000,
    extra: { ...extraOf(sent, dataKeys), ...extraOf(received, dataKeys), ...extraOf(finished, dataKeys) }
  }
})

/** Joins what a trace tells of a request: that it was sent, answered, ended. */
export class TraceRequests {
  readonly #open = new Map<string, Open>()

  /** The request that the event ends; `kept` for one that is on its way; undefined for all other events. */
  take(event: Members, place: Place, at: string | null): TracedRequest | "kept" | undefined {
    const data = dataOf(event)
    const id = textOf(data.requestId)
    if (id === null) return undefined
    const ts = numberOf(event.ts)
    const open = this.#open.get(id)
    switch (event.name) {
      case "ResourceSendRequest": {
        const replaced = open ?? (this.#open.size >= MAX_OPEN ? this.#open.values().next().value : undefined)
        if (replaced !== undefined) this.#open.delete(textOf(replaced.sent.requestId) ?? id)
        this.#open.set(id, { ts, at, place, sent: data, received: {} })
        // A redirect sends the request again under its id.
        return replaced === undefined ? "kept" : told(replaced, {}, null)
      }
      case "ResourceReceiveResponse":
        if (open === undefined) return undefined
        open.received = { ...open.received, ...data }
        return "kept"
      case "ResourceFinish":
        if (open === undefined) return undefined
        this.#open.delete(id)
        return told(open, data, ts)
      default:
        return undefined
    }
  }

  /** Those that did not end. */
  rest(): ReadonlyArray<TracedRequest> {
    return [...this.#open.values()].map((open) => told(open, {}, null))
  }
}
