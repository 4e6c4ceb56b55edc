import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Forbidden, NotFound } from "../domain/Errors.ts"
import type { AgentId, OrganizationId, UserId } from "../domain/Ids.ts"
import {
  type Agent,
  type AgentStatus,
  AgentWithSecret,
  agentNotFound,
  type CreateAgent,
  type RotateSecret,
  type UpdateAgent
} from "../domain/identity/Agent.ts"
import {
  all,
  CurrentPrincipal,
  effectiveScopes,
  type Scope,
  scope,
  unrestricted,
  withPolicy
} from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { AgentsRepo } from "./AgentsRepo.ts"
import { Audit } from "./Audit.ts"
import { Authenticator } from "./Authenticator.ts"
import * as KeyFormat from "./KeyFormat.ts"
import { MembershipsRepo } from "./MembershipsRepo.ts"

/** Nobody makes, widens or takes over an agent that may do what they may not. */
const assertHeld = (scopes: ReadonlyArray<Scope>) =>
  Effect.flatMap(CurrentPrincipal, (principal) => {
    const held = effectiveScopes(principal)
    const beyond = scopes.filter((name) => !held.includes(name))
    return beyond.length === 0
      ? Effect.void
      : new Forbidden({ detail: `you do not hold ${beyond.join(", ")} yourself, which the agent may or would do` })
  })

/** Agents: programs with a client id and a secret of their own. */
export class Agents extends Effect.Service<Agents>()("identity/Agents", {
  dependencies: [AgentsRepo.Default, MembershipsRepo.Default, Audit.Default, Authenticator.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* AgentsRepo
    const memberships = yield* MembershipsRepo
    const audit = yield* Audit
    const authenticator = yield* Authenticator
    const read = withPolicy(scope("agents:read"))
    const write = withPolicy(all(scope("agents:write"), unrestricted))

    const assertMember = (org_id: OrganizationId, user_id: UserId | null | undefined) =>
      Effect.gen(function* () {
        if (user_id == null || (yield* memberships.find(org_id, user_id)) !== undefined) return
        return yield* new NotFound({ detail: `there is no user ${user_id}` })
      })

    const locked = (id: AgentId) =>
      Effect.gen(function* () {
        const { org_id } = yield* CurrentPrincipal
        const agent = (yield* repo.lock(org_id, id)) ?? (yield* agentNotFound(id))
        return { org_id, agent }
      })

    const create = Effect.fn("Agents.create")(function* (wanted: CreateAgent) {
      const { org_id, user_id } = yield* CurrentPrincipal
      yield* assertHeld(wanted.scopes)
      const client_secret = KeyFormat.make("agent")
      const row = yield* Effect.gen(function* () {
        yield* assertMember(org_id, wanted.owner_id)
        const made = yield* repo.insert(org_id, {
          ...wanted,
          owner_id: wanted.owner_id === undefined ? user_id : wanted.owner_id,
          client_id: `agent_${KeyFormat.randomLetters(22)}`,
          secret_hash: KeyFormat.hash(client_secret)
        })
        yield* audit.record({ action: "agent.create", resource: `agent/${made.id}`, after: made })
        return made
      }).pipe(sql.withTransaction, orDefect)
      return new AgentWithSecret({ ...row, client_secret })
    }, write)

    const list = Effect.fn("Agents.list")(function* (query: {
      readonly limit: number
      readonly cursor?: string
      readonly status?: AgentStatus
      readonly q?: string
    }) {
      const keyset = yield* Keyset.position(query.cursor)
      const { org_id } = yield* CurrentPrincipal
      return Keyset.page(yield* repo.list(org_id, query, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Agents.get")(function* (id: AgentId) {
      const { org_id } = yield* CurrentPrincipal
      return (yield* repo.find(org_id, id)) ?? (yield* agentNotFound(id))
    }, read)

    const update = Effect.fn("Agents.update")(function* (id: AgentId, change: UpdateAgent) {
      const after: Agent = yield* Effect.gen(function* () {
        const { org_id, agent } = yield* locked(id)
        if (Object.keys(change).length === 0) return agent
        yield* assertHeld(change.scopes ?? [])
        // Who lets an agent act again answers for all that it may do.
        if (change.status === "active" && agent.status === "disabled") yield* assertHeld(change.scopes ?? agent.scopes)
        yield* assertMember(org_id, change.owner_id)
        const row = yield* repo.update(org_id, id, change)
        yield* audit.record({ action: "agent.update", resource: `agent/${id}`, before: agent, after: row })
        return row
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forgetAll
      return after
    }, write)

    const rotateSecret = Effect.fn("Agents.rotateSecret")(function* (id: AgentId, { overlap }: RotateSecret) {
      const client_secret = KeyFormat.make("agent")
      const row = yield* Effect.gen(function* () {
        const { org_id, agent } = yield* locked(id)
        yield* assertHeld(agent.scopes)
        const rotated = yield* repo.rotate(org_id, id, KeyFormat.hash(client_secret), overlap)
        yield* audit.record({ action: "agent.rotate_secret", resource: `agent/${id}`, before: agent, after: rotated })
        return rotated
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forgetAll
      return new AgentWithSecret({ ...row, client_secret })
    }, write)

    const remove = Effect.fn("Agents.delete")(function* (id: AgentId) {
      yield* Effect.gen(function* () {
        const { org_id, agent } = yield* locked(id)
        yield* repo.remove(org_id, id)
        yield* audit.record({ action: "agent.delete", resource: `agent/${id}`, before: agent })
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forgetAll
    }, write)

    return { create, list, get, update, rotateSecret, delete: remove } as const
  })
}) {}
