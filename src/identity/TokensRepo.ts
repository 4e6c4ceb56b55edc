import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { AgentId, OrganizationId, TokenFamilyId, UserId } from "../domain/Ids.ts"
import { Role, Scope } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

const Family = Schema.Struct({
  id: TokenFamilyId,
  org_id: OrganizationId,
  user_id: Schema.NullOr(UserId),
  agent_id: Schema.NullOr(AgentId)
})
export type Family = typeof Family.Type

/** Whom a family's access tokens stand for now. */
const Holder = Schema.Struct({ role: Schema.NullOr(Role), scopes: Schema.Array(Scope) })

const Refresh = Schema.Struct({ ...Family.fields, used: Schema.Boolean, over: Schema.Boolean })

/** Rows of `token_families` (one per login) and `refresh_tokens` (one per use). */
export class TokensRepo extends Effect.Service<TokensRepo>()("identity/TokensRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id

    const insertFamily = (family: Omit<Family, "id">, seconds: number) =>
      Rows.one(
        Family,
        sql`insert into token_families (id, org_id, user_id, agent_id, expires_at)
          values (${id.next()}, ${family.org_id}, ${family.user_id}, ${family.agent_id}, now() + ${seconds} * interval '1 second')
          returning id, org_id, user_id, agent_id`
      )

    const insertRefresh = (family_id: TokenFamilyId, hash: string, seconds: number) =>
      orDefect(
        Effect.asVoid(sql`insert into refresh_tokens (id, family_id, hash, expires_at)
          values (${id.next()}, ${family_id}, ${hash}, now() + ${seconds} * interval '1 second')`)
      )

    /** A refresh token and its family, locked: of two uses at once the second sees the first. */
    const refresh = (hash: string) =>
      Rows.first(
        Refresh,
        sql`select f.id, f.org_id, f.user_id, f.agent_id, r.used_at is not null as used,
            f.revoked_at is not null or r.expires_at <= now() or f.expires_at <= now() as over
          from refresh_tokens r join token_families f on f.id = r.family_id
          where r.hash = ${hash} for update of f, r`
      )

    const use = (hash: string) =>
      orDefect(Effect.asVoid(sql`update refresh_tokens set used_at = now() where hash = ${hash}`))

    /** Moves the family to another organization of its user. */
    const move = (family_id: TokenFamilyId, org_id: OrganizationId) =>
      orDefect(Effect.asVoid(sql`update token_families set org_id = ${org_id} where id = ${family_id}`))

    const revoke = (family_id: TokenFamilyId) =>
      Rows.first(
        Family,
        sql`update token_families set revoked_at = now() where id = ${family_id} and revoked_at is null
          returning id, org_id, user_id, agent_id`
      )

    const roleIn = (org_id: OrganizationId, user_id: UserId) =>
      Rows.first(
        Schema.Struct({ role: Role }),
        sql`select role from memberships where org_id = ${org_id} and user_id = ${user_id}`
      )

    /** What the family's tokens allow now; undefined: it was revoked, or its user or agent is not there any more. */
    const holder = ({
      family_id,
      org_id,
      user_id,
      agent_id
    }: Omit<Family, "id"> & { readonly family_id: TokenFamilyId }) =>
      Rows.first(
        Holder,
        sql`select m.role, coalesce(a.scopes, '{*}') as scopes from token_families f
          left join memberships m on m.org_id = ${org_id} and m.user_id = f.user_id
          left join agents a on a.id = f.agent_id and a.org_id = ${org_id} and a.status = 'active'
          where f.id = ${family_id} and f.user_id is not distinct from ${user_id}::uuid
            and f.agent_id is not distinct from ${agent_id}::uuid and f.revoked_at is null and f.expires_at > now()
            and (m.role is not null or a.id is not null)`
      )

    /** Deletes what ended long ago, a bounded number at a time. */
    const sweep = orDefect(
      Effect.asVoid(sql`delete from token_families where id in
        (select id from token_families where expires_at < now() - interval '1 day' limit 1000 for update skip locked)`)
    )

    return { insertFamily, insertRefresh, refresh, use, move, revoke, roleIn, holder, sweep } as const
  })
}) {}
