import type { User } from "@a2a-js/sdk/server"
import type { Principal } from "../domain/Principal.ts"
import type { RequestInfo } from "../domain/RequestInfo.ts"

/** Who calls by A2A: the transports put it into the call's context, the handler takes it out again. */
export class Caller implements User {
  readonly principal: Principal
  readonly info: typeof RequestInfo.Service
  readonly isAuthenticated = true

  constructor(principal: Principal, info: typeof RequestInfo.Service) {
    this.principal = principal
    this.info = info
  }

  /** Unique among all callers: the person, or the agent, within the organization that it acts for. */
  get userName(): string {
    const { org_id, user_id, agent_id } = this.principal
    return user_id === null ? `${org_id}/agent/${agent_id}` : `${org_id}/user/${user_id}`
  }
}
