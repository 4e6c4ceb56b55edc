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
  readonly forgetEvents: () => void
  /** Milliseconds of the monotonic clock. */
  last_seen: number
  /** Ids of requests that have no answer yet. */
  readonly running: Set<RequestId>
  /** Streams that are open for what belongs to no request. */
  streams: number
}

const isBusy = ({ running, streams }: Session) => running.size > 0 || streams > 0

const listOf = (message: unknown): ReadonlyArray<unknown> => (Array.isArray(message) ? message : [message])

/** Streams kept for clients that were cut off, all sessions together and each. */
const eventBytes = { total: 64 * 1024 ** 2, session: 1024 ** 2 }

/** After which clients that were cut off are told to come back. */
const retryMs = 1000

const unknown = () =>
  refusal(404, -32001, "Session not found: it ended, or was never yours; begin a new one with initialize")

const isRequestId = (id: unknown): id is RequestId => typeof id === "string" || typeof id === "number"

const isInitialize = (message: unknown): boolean => listOf(message).some((one) => isInitializeRequest(one))

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
    session.forgetEvents()
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

  /** Makes room for one more of this owner; false where there is none. */
  const makeRoom = (owner: string): boolean => {
    const mine = owned.get(owner)
    const isFull = sessions.size >= limits.max_sessions
    if (!isFull && (mine?.size ?? 0) < limits.sessions_per_principal) return true
    let idlest: Session | undefined
    for (const session of mine ?? []) {
      if (!isBusy(session) && (idlest === undefined || session.last_seen < idlest.last_seen)) idlest = session
    }
    if (idlest === undefined) return false
    void end(idlest)
    return true
  }

  const full = () =>
    refusal(503, -32000, "there are too many sessions; end some, or use the stateless protocol 2026-07-28", {
      "retry-after": "60"
    })

  /**
   * Notes which requests a message begins, and which it gives up; answers those that it begins. What is no
   * message is refused by the transport.
   */
  const noted = ({ running }: Session, message: unknown): ReadonlyArray<RequestId> => {
    const begun: Array<RequestId> = []
    for (const one of listOf(message)) {
      if (!Predicate.hasProperty(one, "method")) continue
      if (Predicate.hasProperty(one, "id") && isRequestId(one.id) && !running.has(one.id)) {
        running.add(one.id)
        begun.push(one.id)
      }
      if (one.method !== "notifications/cancelled" || !Predicate.hasProperty(one, "params")) continue
      if (Predicate.hasProperty(one.params, "requestId") && isRequestId(one.params.requestId))
        running.delete(one.params.requestId)
    }
    return begun
  }

  const answered = async (session: Session, request: Request, caller: Caller, message: unknown) => {
    seen(session)
    const begun = noted(session, message)
    const response = await session.transport.handleRequest(request, {
      authInfo: callerInfo(caller),
      ...(message === undefined ? {} : { parsedBody: message })
    })
    // What is refused as a whole runs nothing.
    if (!response.ok) for (const id of begun) session.running.delete(id)
    if (request.method !== "GET" || !response.ok) return response
    session.streams += 1
    return watched(response, request, () => {
      session.streams -= 1
      seen(session)
    })
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
      forgetEvents: events.clear,
      last_seen: now(),
      running: new Set(),
      streams: 0
    }
    server.onerror = report
    const send = transport.send.bind(transport)
    transport.send = (sent, options) => {
      if ("id" in sent && !("method" in sent) && sent.id !== undefined && session.running.delete(sent.id)) seen(session)
      return send(sent, options)
    }
    // Before anything is waited for: others that begin meanwhile count this one.
    sessions.set(id, session)
    counted(sessions.size)
    const mine = owned.get(owner) ?? new Set()
    owned.set(owner, mine.add(session))
    await server.connect(transport)
    const response = await answered(session, request, caller, message)
    if (!response.ok) await end(session)
    return response
  }

  /** Answers one request; `message` is the body of a POST. */
  const handle = async (request: Request, caller: Caller, message: unknown): Promise<Response> => {
    const id = request.headers.get("mcp-session-id")
    if (id === null) {
      if (request.method === "POST" && isInitialize(message)) return begin(request, caller, message)
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
