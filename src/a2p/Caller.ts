import type { User } from "@a2a-js/sdk/server"
import type { Principal } from "../domain/Principal.ts"
import type { RequestInfo } from "../domain/RequestInfo.ts"
import type { Admitted } from "../platform/Protocols.ts"

/** Who calls by A2A: the transports put it into the call's context, the handler takes it out again. */
export class Caller implements User {
  readonly principal: Principal
  readonly info: typeof RequestInfo.Service
  /**
   * Aborts when the caller goes away: what streams or waits for it ends at once. A generator's `return`
   * alone would take effect with its next event.
   */
  readonly signal: AbortSignal | undefined
  /** Keeps a shutdown waiting for what goes on behind the answer, until what it answers is called. */
  readonly hold: Admitted["hold"]
  readonly isAuthenticated = true

  constructor(
    principal: Principal,
    info: typeof RequestInfo.Service,
    signal?: AbortSignal,
    hold: Admitted["hold"] = () => () => undefined
  ) {
    this.principal = principal
    this.info = info
    this.signal = signal
    this.hold = hold
  }

  /** Unique among all callers: the person, or the agent, within the organization that it acts for. */
  get userName(): string {
    const { org_id, user_id, agent_id } = this.principal
    return user_id === null ? `${org_id}/agent/${agent_id}` : `${org_id}/user/${user_id}`
  }
}
