import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { type Principal, Role, Scope } from "../domain/Principal.ts"
import * as Rows from "../platform/Rows.ts"

const Held = Schema.Struct({
  /** Null: an agent, which has none. */
  role: Schema.NullOr(Role),
  /** Of the agent; null: a user, whose role says all. */
  scopes: Schema.NullOr(Schema.Array(Scope))
})

/** What principals are now, in the rows of members, agents and keys. */
export class StandingRepo extends Effect.Service<StandingRepo>()("identity/StandingRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    /** Undefined: no member and no active agent any more, or its key was revoked or has expired. */
    const held = ({ org_id, user_id, agent_id, key_id }: Principal) =>
      Rows.first(
        Held,
        sql`select m.role, a.scopes from organizations o
            left join memberships m on m.org_id = o.id and m.user_id = ${user_id}::uuid
            left join agents a on a.org_id = o.id and a.id = ${agent_id}::uuid and a.status = 'active'
          where o.id = ${org_id} and (m.id is not null or a.id is not null)
            and (${key_id}::uuid is null or exists (select from api_keys k
              where k.id = ${key_id}::uuid and k.revoked_at is null and (k.expires_at is null or k.expires_at > now())))`
      )

    return { held } as const
  })
}) {}
