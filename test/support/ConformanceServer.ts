import { Effect } from "effect"
import { OrganizationId, UserId } from "../../src/domain/Ids.ts"
import { Principal } from "../../src/domain/Principal.ts"
import type { Caller } from "../../src/mcp/transport/Caller.ts"
import { guard } from "../../src/mcp/transport/Guard.ts"
import { makeTransport, type TransportOptions } from "../../src/mcp/transport/Transport.ts"
import { sessionFixture } from "./conformance/SessionFixture.ts"
import { statelessFixture } from "./conformance/StatelessFixture.ts"

/** Somebody of an organization of their own. */
export const somebody = () =>
  new Principal({
    org_id: OrganizationId.make(crypto.randomUUID()),
    user_id: UserId.make(crypto.randomUUID()),
    agent_id: null,
    role: "owner",
    scopes: ["*"],
    suite_ids: null,
    key_id: null,
    auth_method: "api_key"
  })

interface Options extends Partial<TransportOptions> {
  /** Who calls; one caller for all unless told. */
  readonly principal?: (request: Request) => Principal
  readonly charge?: Caller["charge"]
  readonly hold?: Caller["hold"]
}

/** The transport code on a port of its own, with fixtures in place of the service behind it. */
export const conformanceServer = ({ principal, charge, hold, ...options }: Options = {}) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const everybody = somebody()
      const reported: Array<Error> = []
      let sessions = 0
      const transport = makeTransport({
        max_request_bytes: 4 * 1024 ** 2,
        session_ttl_ms: 60_000,
        max_sessions: 1000,
        sessions_per_principal: 1000,
        sessionServer: sessionFixture,
        statelessServer: statelessFixture,
        report: (error) => {
          reported.push(error)
        },
        counted: (count) => {
          sessions = count
        },
        ...options
      })
      const server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        // As the service does: a stream stays open for as long as both sides want it.
        idleTimeout: 0,
        fetch: (request) =>
          refused(request) ??
          transport
            .handle(request, {
              principal: principal?.(request) ?? everybody,
              info: { request_id: crypto.randomUUID(), ip: null },
              charge: charge ?? (async () => undefined),
              hold: hold ?? (() => () => undefined)
            })
            .catch(() => new Response(null, { status: 500 }))
      })
      const url = `http://127.0.0.1:${server.port}/mcp`
      const refused = guard({ origins: [], address: url, local: true })
      return { url, transport, reported, sessions: () => sessions, stop: () => server.stop(true) }
    }),
    ({ transport, stop }) => Effect.promise(() => transport.close().then(stop))
  )
