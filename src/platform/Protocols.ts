import { Context, type Effect } from "effect"
import type { Principal } from "../domain/Principal.ts"
import type { RequestInfo } from "../domain/RequestInfo.ts"

/** A request of a protocol that is let in: who makes it, and what is known of it. */
export interface Admitted {
  /** As it came: its signal aborts when the caller goes away. */
  readonly request: Request
  readonly principal: Principal
  readonly info: typeof RequestInfo.Service
  /** Counts it so many times more on the caller's limits: for requests that hold several. */
  readonly charge: (times: number) => Effect.Effect<void, unknown>
  /** Keeps a shutdown from ending before what it answers is called: for what goes on behind an answer that streams. */
  readonly hold: () => () => void
}

/** A request of an open path. */
export type Open = Pick<Admitted, "request" | "info">

/**
 * A protocol of its own beside the API (MCP, A2A): it takes requests and gives answers of the web, on paths
 * of its own. Its answers may stream. What it fails with is answered as a problem document.
 */
export interface Protocol {
  /** As the server's routes name them: `/mcp`, or `/a2p/*` for all below. */
  readonly paths: ReadonlyArray<string>
  /** Named in logs and in metrics, in place of the path. */
  readonly name: string
  /** Of who is authenticated and within limits. */
  readonly handle: (admitted: Admitted) => Effect.Effect<Response, unknown>
  /** Sees each request before authentication; an answer is given at once, and ends it: refused origins, pages for everybody. */
  readonly beforehand?: (open: Open) => Effect.Effect<Response | undefined, unknown>
}

/** The protocols that the service speaks besides its API. */
export class Protocols extends Context.Tag("platform/Protocols")<Protocols, ReadonlyArray<Protocol>>() {}
