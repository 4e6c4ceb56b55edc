import { randomBytes } from "node:crypto"
import type { Server } from "@modelcontextprotocol/sdk/server/index.js"
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js"
import { isInitializeRequest, type RequestId } from "@modelcontextprotocol/sdk/types.js"
import { Predicate } from "effect"
import { type Caller, callerInfo, principalName } from "./Caller.ts"
import { eventLog } from "./EventLog.ts"
import { refusal } from "./Messages.ts"
import { watched } from "./Watched.ts"

interface SessionLimits {
  /** Idle milliseconds after which a session ends. */
  readonly session_ttl_ms: number
  readonly max_sessions: number
  readonly sessions_per_principal: number
}

/** What sessions need besides their bounds. */
export interface SessionsOptions extends SessionLimits {
  /** A new server for a session. */
  readonly sessionServer: () => Server
  /** Told what went wrong beside the answers. */
  readonly report: (error: Error) => void
  /** Told how many sessions there are, whenever that changes. */
  readonly counted: (sessions: number) => void
}

interface Session {
  readonly id: string
  readonly owner: string
  readonly server: Server
  readonly transport: WebStandardStreamableHTTPServerTransport
  readonly events: ReturnType<ReturnType<typeof eventLog>["open"]>
  /** Milliseconds of the monotonic clock. */
  last_seen: number
  /** Requests that have no answer yet, by id: what is to be called when they have. */
  readonly running: Map<RequestId, () => void>
  /** Streams that are open for what belongs to no request. */
  streams: number
  /** The version that was agreed upon. */
  version: string
}

const isBusy = ({ running, streams }: Session) => running.size > 0 || streams > 0

/** The last version that knows JSON-RPC's batches. */
const lastWithBatches = "2025-03-26"

const listOf = (message: unknown): ReadonlyArray<unknown> => (Array.isArray(message) ? message : [message])

/** Streams kept for clients that were cut off, all sessions together and each. */
const eventBytes = { total: 64 * 1024 ** 2, session: 1024 ** 2 }

/** After which clients that were cut off are told to come back. */
const retryMs = 1000

const unknown = () =>
  refusal(404, -32001, "Session not found: it ended, or was never yours; begin a new one with initialize")

const isRequestId = (id: unknown): id is RequestId => typeof id === "string" || typeof id === "number"

/** The id of a message that asks for an answer. */
const askedWith = (message: unknown): RequestId | undefined =>
  Predicate.hasProperty(message, "method") && Predicate.hasProperty(message, "id") && isRequestId(message.id)
    ? message.id
    : undefined

/** The id of the request that a message gives up. The SDK takes no notice of one that is empty or zero. */
const cancelledBy = (message: unknown): RequestId | undefined => {
  if (!Predicate.hasProperty(message, "method") || message.method !== "notifications/cancelled") return undefined
  if (!Predicate.hasProperty(message, "params") || !Predicate.hasProperty(message.params, "requestId")) return undefined
  const { requestId } = message.params
  return isRequestId(requestId) && requestId !== "" && requestId !== 0 ? requestId : undefined
}

const takesStreams = ({ headers }: Request) => headers.get("accept")?.includes("text/event-stream") === true

const invalid = (message: string) => refusal(400, -32600, `Invalid Request: ${message}`)

/** The rest of a stream that has ended meanwhile, as its events. */
const replayed = (rest: ReadonlyArray<{ readonly id: string; readonly message: unknown }>) =>
  new Response(
    rest.map(({ id, message }) => `event: message\nid: ${id}\ndata: ${JSON.stringify(message)}\n\n`).join(""),
    { headers: { "content-type": "text/event-stream", "cache-control": "no-cache, no-transform" } }
  )

/**
 * MCP of 2024-11-05 to 2025-11-25: a server of its own for each session, kept in this process and bound to
 * who began it. A session ends by DELETE, by being idle, by being the idlest beyond its owner's share, and
 * with the process.
 */
export const makeSessions = ({ sessionServer, report, counted, ...limits }: SessionsOptions) => {
  const now = () => performance.now()
  /** By id; who was seen last stands last. */
  const sessions = new Map<string, Session>()
  const owned = new Map<string, Set<Session>>()
  const log = eventLog(eventBytes)

  const forget = (session: Session) => {
    if (!sessions.delete(session.id)) return
    counted(sessions.size)
    session.events.clear()
    for (const release of session.running.values()) release()
    session.running.clear()
    const mine = owned.get(session.owner)
    mine?.delete(session)
    if (mine?.size === 0) owned.delete(session.owner)
  }

  const end = async (session: Session) => {
    forget(session)
    // Closes its streams, and interrupts its calls.
    await session.server.close().catch(report)
  }

  const seen = (session: Session) => {
    session.last_seen = now()
    if (sessions.delete(session.id)) sessions.set(session.id, session)
  }

  /** The one that was idle longest; else, one whose client only listens, and nothing runs. */
  const idlest = (among: Iterable<Session>): Session | undefined => {
    let found: Session | undefined
    for (const session of among) {
      if (session.running.size > 0) continue
      const later = found === undefined ? -1 : (session.streams > 0 ? 1 : 0) - (found.streams > 0 ? 1 : 0)
      if (later < 0 || (later === 0 && session.last_seen < (found?.last_seen ?? 0))) found = session
    }
    return found
  }

  /** Makes room for one more of this owner, at the cost of who has most; false where there is none. */
  const makeRoom = (owner: string): boolean => {
    const mine = owned.get(owner)
    const isShareUsed = (mine?.size ?? 0) >= limits.sessions_per_principal
    if (!isShareUsed && sessions.size < limits.max_sessions) return true
    let most = mine
    if (!isShareUsed) for (const theirs of owned.values()) if (theirs.size > (most?.size ?? 0)) most = theirs
    const ended = idlest(most ?? [])
    if (ended === undefined) return false
    void end(ended)
    return true
  }

  const full = () =>
    refusal(503, -32000, "there are too many sessions; end some, or use the stateless protocol 2026-07-28", {
      "retry-after": "60"
    })

  const answeredTo = (session: Session, id: RequestId) => {
    session.running.get(id)?.()
    if (session.running.delete(id)) seen(session)
  }

  /**
   * Ends what a message gives up. The SDK interrupts its work and leaves its stream open: an answer, which the
   * client no longer waits for, ends that.
   */
  const giveUp = (session: Session, message: unknown) => {
    for (const one of listOf(message)) {
      const id = cancelledBy(one)
      if (id === undefined || !session.running.has(id)) continue
      const error = { code: -32000, message: "the request was cancelled" }
      session.transport.send({ jsonrpc: "2.0", id, error }).catch(report)
    }
  }

  /** Why a message of this session is not handed on. */
  const refused = ({ version, running }: Session, message: unknown): Response | undefined => {
    if (Array.isArray(message) && version > lastWithBatches)
      return invalid(`MCP ${version} has no batches; send one message at a time`)
    const ids = listOf(message).flatMap((one) => askedWith(one) ?? [])
    return new Set(ids).size < ids.length || ids.some((id) => running.has(id))
      ? invalid("a request with this id is running; use another id for each")
      : undefined
  }

  const answered = async (session: Session, request: Request, caller: Caller, message: unknown) => {
    seen(session)
    const why = refused(session, message)
    if (why !== undefined) return why
    const last = request.headers.get("last-event-id")
    const rest = request.method === "GET" && last !== null ? session.events.rest(last) : undefined
    if (rest !== undefined && takesStreams(request)) return replayed(rest)
    const begun = listOf(message).flatMap((one) => askedWith(one) ?? [])
    for (const id of begun) session.running.set(id, caller.hold())
    try {
      if (Array.isArray(message)) await caller.charge(message.length - 1)
      const response = await session.transport.handleRequest(request, {
        authInfo: callerInfo(caller, session.version),
        ...(message === undefined ? {} : { parsedBody: message })
      })
      // What is refused as a whole runs nothing.
      if (!response.ok) for (const id of begun) answeredTo(session, id)
      else giveUp(session, message)
      if (request.method !== "GET" || !response.ok) return response
      session.streams += 1
      return watched(response, request, () => {
        session.streams -= 1
        seen(session)
      })
    } catch (error) {
      for (const id of begun) answeredTo(session, id)
      throw error
    }
  }

  const begin = async (request: Request, caller: Caller, message: unknown): Promise<Response> => {
    const owner = principalName(caller.principal)
    if (!makeRoom(owner)) return full()
    const events = log.open()
    const server = sessionServer()
    const id = randomBytes(24).toString("base64url")
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: () => id,
      eventStore: events,
      retryInterval: retryMs,
      onsessionclosed: () => forget(session)
    })
    const session: Session = {
      id,
      owner,
      server,
      transport,
      events,
      last_seen: now(),
      running: new Map(),
      // Nobody can end it before its first answer.
      streams: 1,
      version: lastWithBatches
    }
    server.onerror = report
    const send = transport.send.bind(transport)
    transport.send = (sent, options) => {
      if ("result" in sent && typeof sent.result["protocolVersion"] === "string")
        session.version = sent.result["protocolVersion"]
      if ("id" in sent && !("method" in sent) && sent.id !== undefined) answeredTo(session, sent.id)
      return send(sent, options)
    }
    // Before anything is waited for: others that begin meanwhile count this one.
    sessions.set(id, session)
    counted(sessions.size)
    const mine = owned.get(owner) ?? new Set()
    owned.set(owner, mine.add(session))
    await server.connect(transport)
    const response = await answered(session, request, caller, message)
    session.streams -= 1
    if (!response.ok) await end(session)
    return response
  }

  /** Answers one request; `message` is the body of a POST. */
  const handle = async (request: Request, caller: Caller, message: unknown): Promise<Response> => {
    const id = request.headers.get("mcp-session-id")
    if (id === null) {
      // What would be refused later ends no other session now.
      if (request.method === "POST" && isInitializeRequest(message) && takesStreams(request))
        return begin(request, caller, message)
      if (isInitializeRequest(message))
        return refusal(406, -32000, "Not Acceptable: accept both application/json and text/event-stream")
      return refusal(
        400,
        -32000,
        "Bad Request: the header Mcp-Session-Id is needed; initialize answers with one. (Clients of 2026-07-28 need none: they name their version in params._meta)"
      )
    }
    const session = sessions.get(id)
    return session === undefined || session.owner !== principalName(caller.principal)
      ? unknown()
      : answered(session, request, caller, message)
  }

  /** Ends what was idle for too long. */
  const sweep = async () => {
    const before = now() - limits.session_ttl_ms
    for (const session of sessions.values()) {
      if (session.last_seen > before) break
      if (!isBusy(session)) await end(session)
    }
  }

  const close = async () => {
    await Promise.all([...sessions.values()].map(end))
  }

  return { handle, sweep, close } as const
}
