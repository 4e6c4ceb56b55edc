import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { AgentId, ApiKeyId, OrganizationId as Org, type OrganizationId, SuiteId, UserId } from "../domain/Ids.ts"
import { ApiKey } from "../domain/identity/ApiKey.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import { Role, Scope } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

export interface NewKey {
  readonly org_id: OrganizationId
  readonly user_id: UserId | null
  readonly agent_id: AgentId | null
  readonly name: string
  readonly prefix: string
  readonly hash: string
  readonly scopes: ReadonlyArray<Scope>
  readonly suite_ids: ReadonlyArray<SuiteId> | null
  readonly expires_at: Date | null
}

/** What authentication needs of a key and whose it is, a user's or an agent's, read at once. */
export const KeyOwner = Schema.Struct({
  id: ApiKeyId,
  org_id: Org,
  user_id: Schema.NullOr(UserId),
  agent_id: Schema.NullOr(AgentId),
  role: Schema.NullOr(Role),
  scopes: Schema.Array(Scope),
  suite_ids: Schema.NullOr(Schema.Array(SuiteId)),
  expires_at: ApiKey.fields.expires_at
})
export type KeyOwner = typeof KeyOwner.Type

const Positioned = Keyset.Positioned(ApiKey.fields)

/** Whose keys: an organization's, or only those of one user or agent of it. */
export interface Owned {
  readonly org_id: OrganizationId
  readonly holder: "all" | { readonly user_id: UserId | null; readonly agent_id: AgentId | null }
}

/** Rows of `api_keys`. */
export class ApiKeysRepo extends Effect.Service<ApiKeysRepo>()("identity/ApiKeysRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, user_id, agent_id, name, prefix, scopes, suite_ids, expires_at, last_used_at, revoked_at, created_at, updated_at`
    const owned = ({ org_id, holder }: Owned) => {
      if (holder === "all") return sql`org_id = ${org_id}`
      return holder.user_id === null
        ? sql`org_id = ${org_id} and agent_id = ${holder.agent_id}`
        : sql`org_id = ${org_id} and user_id = ${holder.user_id}`
    }

    const insert = (key: NewKey) =>
      Rows.one(ApiKey, sql`insert into api_keys ${sql.insert({ id: id.next(), ...key })} returning ${columns}`)

    /** Of the given suites the first that the organization does not have. */
    const unknownSuite = (org_id: OrganizationId, suite_ids: ReadonlyArray<SuiteId>) =>
      Effect.map(
        Rows.first(
          Schema.Struct({ id: SuiteId }),
          sql`select w.id from unnest(${suite_ids}::uuid[]) with ordinality as w(id, position)
            where not exists (select from suites s where s.org_id = ${org_id} and s.id = w.id) order by w.position limit 1`
        ),
        (row) => row?.id
      )

    const list = (owner: Owned, keyset: Position | undefined, limit: number) =>
      Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from api_keys
          where ${owned(owner)} and ${Keyset.after(sql, keyset)} order by created_at desc, id desc limit ${limit + 1}`
      )

    const find = (owner: Owned, key_id: ApiKeyId) =>
      Rows.first(ApiKey, sql`select ${columns} from api_keys where ${owned(owner)} and id = ${key_id}`)

    const update = (
      owner: Owned,
      key_id: ApiKeyId,
      change: { readonly name?: string; readonly expires_at?: Date | null }
    ) =>
      Rows.first(
        Schema.Struct({ ...ApiKey.fields, hash: Schema.String }),
        sql`update api_keys set ${sql.update(change)}, updated_at = now()
          where ${owned(owner)} and id = ${key_id} returning ${columns}, hash`
      )

    const revoke = (owner: Owned, key_id: ApiKeyId) =>
      Rows.first(
        Schema.Struct({ hash: Schema.String }),
        sql`update api_keys set revoked_at = coalesce(revoked_at, now()), updated_at = now()
          where ${owned(owner)} and id = ${key_id} returning hash`
      )

    /** Ends all keys that a user has in an organization; answers their ids. */
    const revokeOf = (org_id: OrganizationId, user_id: UserId) =>
      Rows.all(
        Schema.Struct({ id: ApiKeyId }),
        sql`update api_keys set revoked_at = now(), updated_at = now()
          where org_id = ${org_id} and user_id = ${user_id} and revoked_at is null returning id`
      )

    /** The valid key of a member or of an active agent. An agent's key does what the agent still may. */
    const byHash = (hash: string) =>
      Rows.first(
        KeyOwner,
        sql`select k.id, k.org_id, k.user_id, k.agent_id, m.role, k.suite_ids, k.expires_at,
            case when a.id is null then k.scopes else array(select unnest(k.scopes) intersect select unnest(a.scopes)) end as scopes
          from api_keys k
            left join memberships m on m.org_id = k.org_id and m.user_id = k.user_id
            left join agents a on a.id = k.agent_id and a.status = 'active'
          where k.hash = ${hash} and k.revoked_at is null and (m.id is not null or a.id is not null)`
      )

    /** Writes when keys, and the agents whose they are, were last used; many at once. */
    const touch = (used: ReadonlyArray<{ readonly id: ApiKeyId; readonly at: Date }>) =>
      orDefect(
        Effect.asVoid(sql`
          with touched as (
            update api_keys k set last_used_at = greatest(k.last_used_at, u.at)
            from jsonb_to_recordset(${JSON.stringify(used)}::jsonb) as u(id uuid, at timestamptz) where k.id = u.id
            returning k.agent_id, k.last_used_at)
          update agents a set last_seen_at = greatest(a.last_seen_at, t.at)
          from (select agent_id, max(last_used_at) as at from touched where agent_id is not null group by agent_id) t
          where a.id = t.agent_id`)
      )

    return { insert, unknownSuite, list, find, update, revoke, revokeOf, byHash, touch } as const
  })
}) {}
