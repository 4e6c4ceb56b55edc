import { SqlClient } from "@effect/sql"
import { DateTime, Effect } from "effect"
import { Forbidden, NotFound } from "../domain/Errors.ts"
import type { AgentId, ApiKeyId } from "../domain/Ids.ts"
import { type Agent, agentNotFound } from "../domain/identity/Agent.ts"
import { apiKeyNotFound, type CreateApiKey, CreatedApiKey, type UpdateApiKey } from "../domain/identity/ApiKey.ts"
import { CurrentPrincipal, effectiveScopes, type Principal, scope, withPolicy } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { AgentsRepo } from "./AgentsRepo.ts"
import { ApiKeysRepo, type Owned } from "./ApiKeysRepo.ts"
import { Audit } from "./Audit.ts"
import { Authenticator } from "./Authenticator.ts"
import * as KeyFormat from "./KeyFormat.ts"

const isManager = ({ role }: Principal) => role === "owner" || role === "admin"

/** Owners and admins manage the organization's keys, everybody else their own. */
const owned = (principal: Principal): Owned => ({
  org_id: principal.org_id,
  holder: isManager(principal) ? "all" : { user_id: principal.user_id, agent_id: principal.agent_id }
})

/** A key never reaches further than the credential that makes it, nor than the agent whose it is. */
const within = (creator: Principal, wanted: CreateApiKey, agent: Agent | undefined) =>
  Effect.gen(function* () {
    const held = effectiveScopes(creator)
    const most = agent === undefined ? held : agent.scopes.filter((name) => held.includes(name))
    const scopes = wanted.scopes ?? most
    if (scopes.length === 0) return yield* new Forbidden({ detail: "you hold none of the agent's scopes yourself" })
    const beyond = held.includes("*") ? [] : scopes.filter((name) => !held.includes(name))
    if (beyond.length > 0) return yield* new Forbidden({ detail: `you do not hold ${beyond.join(", ")} yourself` })
    const strange = agent === undefined ? [] : scopes.filter((name) => !agent.scopes.includes(name))
    if (strange.length > 0) return yield* new Forbidden({ detail: `the agent does not hold ${strange.join(", ")}` })
    const suite_ids = wanted.suite_ids ?? creator.suite_ids
    const foreign = suite_ids?.filter((id) => creator.suite_ids !== null && !creator.suite_ids.includes(id)) ?? []
    if (foreign.length > 0) return yield* new Forbidden({ detail: `your own key does not reach ${foreign.join(", ")}` })
    return { scopes, suite_ids }
  })

/** API keys: made, listed, changed, revoked. */
export class ApiKeys extends Effect.Service<ApiKeys>()("identity/ApiKeys", {
  dependencies: [ApiKeysRepo.Default, AgentsRepo.Default, Audit.Default, Authenticator.Default],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* ApiKeysRepo
    const agents = yield* AgentsRepo
    const audit = yield* Audit
    const authenticator = yield* Authenticator
    const managed = withPolicy(scope("keys:manage"))

    const agentOf = (principal: Principal, id: AgentId) =>
      Effect.gen(function* () {
        if (!isManager(principal)) {
          return yield* new Forbidden({ detail: "only owners and admins make keys of agents" })
        }
        return (yield* agents.find(principal.org_id, id)) ?? (yield* agentNotFound(id))
      })

    const create = Effect.fn("ApiKeys.create")(function* (wanted: CreateApiKey) {
      const principal = yield* CurrentPrincipal
      const { user_id, org_id } = principal
      if (user_id === null) return yield* new Forbidden({ detail: "only a user can make an API key" })
      const agent = wanted.agent_id === undefined ? undefined : yield* agentOf(principal, wanted.agent_id)
      const { scopes, suite_ids } = yield* within(principal, wanted, agent)
      const unknown = suite_ids === null ? undefined : yield* repo.unknownSuite(org_id, suite_ids)
      if (unknown !== undefined) return yield* new NotFound({ detail: `there is no suite ${unknown}` })
      const key = KeyFormat.make()
      const row = yield* Effect.tap(
        repo.insert({
          org_id,
          user_id: agent === undefined ? user_id : null,
          agent_id: agent?.id ?? null,
          name: wanted.name,
          prefix: KeyFormat.prefix(key),
          hash: KeyFormat.hash(key),
          scopes,
          suite_ids,
          expires_at: wanted.expires_at == null ? null : DateTime.toDate(wanted.expires_at)
        }),
        (made) => audit.record({ action: "api_key.create", resource: `api_key/${made.id}`, after: made })
      ).pipe(sql.withTransaction, orDefect)
      return new CreatedApiKey({ ...row, key })
    }, managed)

    const list = Effect.fn("ApiKeys.list")(function* (query: { readonly limit: number; readonly cursor?: string }) {
      const keyset = yield* Keyset.position(query.cursor)
      const rows = yield* repo.list(owned(yield* CurrentPrincipal), keyset, query.limit)
      return Keyset.page(rows, query.limit)
    }, managed)

    const get = Effect.fn("ApiKeys.get")(function* (id: ApiKeyId) {
      return (yield* repo.find(owned(yield* CurrentPrincipal), id)) ?? (yield* apiKeyNotFound(id))
    }, managed)

    const update = Effect.fn("ApiKeys.update")(function* (id: ApiKeyId, change: UpdateApiKey) {
      const owner = owned(yield* CurrentPrincipal)
      const { hash, ...after } = yield* Effect.gen(function* () {
        const before = (yield* repo.find(owner, id)) ?? (yield* apiKeyNotFound(id))
        const row = yield* repo.update(owner, id, {
          name: change.name ?? before.name,
          ...(change.expires_at === undefined
            ? {}
            : { expires_at: change.expires_at === null ? null : DateTime.toDate(change.expires_at) })
        })
        if (row === undefined) return yield* apiKeyNotFound(id)
        yield* audit.record({ action: "api_key.update", resource: `api_key/${id}`, before, after: row })
        return row
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forget(hash)
      return after
    }, managed)

    const revoke = Effect.fn("ApiKeys.revoke")(function* (id: ApiKeyId) {
      const owner = owned(yield* CurrentPrincipal)
      const { hash } = yield* Effect.tap(
        Effect.flatMap(repo.revoke(owner, id), (row) => (row === undefined ? apiKeyNotFound(id) : Effect.succeed(row))),
        () => audit.record({ action: "api_key.revoke", resource: `api_key/${id}` })
      ).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forget(hash)
    }, managed)

    return { create, list, get, update, revoke } as const
  })
}) {}
