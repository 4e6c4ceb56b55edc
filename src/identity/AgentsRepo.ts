import { SqlClient, type SqlError } from "@effect/sql"
import { Effect, Schema } from "effect"
import { AgentId, OrganizationId as Org, type OrganizationId, type UserId } from "../domain/Ids.ts"
import { Agent, AgentNameTaken, AgentStatus, type CreateAgent, type UpdateAgent } from "../domain/identity/Agent.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { Scope } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

/** What authentication needs of an agent. */
const AgentCredentials = Schema.Struct({
  id: AgentId,
  org_id: Org,
  secret_hash: Schema.String,
  previous_secret_hash: Schema.NullOr(Schema.String),
  previous_secret_until: Agent.fields.previous_secret_until,
  scopes: Schema.Array(Scope),
  status: AgentStatus
})

interface NewAgent extends CreateAgent {
  readonly client_id: string
  readonly secret_hash: string
}

interface Filter {
  readonly status?: AgentStatus | undefined
  readonly q?: string | undefined
}

const Positioned = Keyset.Positioned(Agent.fields)

/** Rows of `agents`. */
export class AgentsRepo extends Effect.Service<AgentsRepo>()("identity/AgentsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, name, description, client_id, scopes, status, owner_id, record,
      case when previous_secret_until > now() then previous_secret_until end as previous_secret_until,
      last_seen_at, created_at, updated_at`

    const named = (name: string | undefined) =>
      Effect.mapError((error: SqlError.SqlError) =>
        violates(error, "agents_org_name_unique") ? new AgentNameTaken({ name: String(name) }) : error
      )

    const insert = (org_id: OrganizationId, agent: NewAgent) =>
      sql`insert into agents ${sql.insert({ id: id.next(), org_id, ...agent })} returning ${columns}`.pipe(
        named(agent.name),
        (query) => Rows.one(Agent, query)
      )

    const list = (org_id: OrganizationId, { status, q }: Filter, keyset: Position | undefined, limit: number) =>
      Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from agents
          where org_id = ${org_id} and ${Keyset.after(sql, keyset)}
            and ${status === undefined ? sql`true` : sql`status = ${status}`}
            and ${q === undefined ? sql`true` : sql`position(lower(${q}) in lower(name || ' ' || description)) > 0`}
          order by created_at desc, id desc limit ${limit + 1}`
      )

    const find = (org_id: OrganizationId, agent_id: AgentId) =>
      Rows.first(Agent, sql`select ${columns} from agents where org_id = ${org_id} and id = ${agent_id}`)

    /** The agent, which nobody else changes until the transaction ends. */
    const lock = (org_id: OrganizationId, agent_id: AgentId) =>
      Rows.first(
        Agent,
        sql`select ${columns} from agents where org_id = ${org_id} and id = ${agent_id} for no key update`
      )

    const update = (org_id: OrganizationId, agent_id: AgentId, change: UpdateAgent) =>
      sql`update agents set ${sql.update({ ...change })}, updated_at = now()
        where org_id = ${org_id} and id = ${agent_id} returning ${columns}`.pipe(named(change.name), (query) =>
        Rows.one(Agent, query)
      )

    /** Puts a new secret in the old one's place, which is taken for so many seconds more. */
    const rotate = (org_id: OrganizationId, agent_id: AgentId, secret_hash: string, overlap: number) =>
      Rows.one(
        Agent,
        sql`update agents set secret_hash = ${secret_hash},
            previous_secret_hash = case when ${overlap}::int > 0 then secret_hash end,
            previous_secret_until = case when ${overlap}::int > 0 then now() + make_interval(secs => ${overlap}::int) end,
            updated_at = now()
          where org_id = ${org_id} and id = ${agent_id} returning ${columns}`
      )

    const remove = (org_id: OrganizationId, agent_id: AgentId) =>
      orDefect(Effect.asVoid(sql`delete from agents where org_id = ${org_id} and id = ${agent_id}`))

    /** Leaves the agents that a user answers for without an owner; answers their ids. */
    const disown = (org_id: OrganizationId, user_id: UserId) =>
      Rows.all(
        Schema.Struct({ id: AgentId }),
        sql`update agents set owner_id = null, updated_at = now()
          where org_id = ${org_id} and owner_id = ${user_id} returning id`
      )

    const byClientId = (client_id: string) =>
      Rows.first(
        AgentCredentials,
        sql`select id, org_id, secret_hash, previous_secret_hash, previous_secret_until, scopes, status
          from agents where client_id = ${client_id}`
      )

    return { insert, list, find, lock, update, rotate, remove, disown, byClientId } as const
  })
}) {}
