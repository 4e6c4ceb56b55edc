import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import type { OrganizationId, UserId } from "../domain/Ids.ts"
import { MyOrganization, User } from "../domain/identity/User.ts"
import type { Role } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

/** Rows of `users` and `memberships`. */
export class UsersRepo extends Effect.Service<UsersRepo>()("identity/UsersRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, display_name, email, created_at, updated_at`

    const find = (user_id: UserId) => Rows.first(User, sql`select ${columns} from users where id = ${user_id}`)

    const insert = (user: { readonly display_name: string; readonly issuer: string; readonly subject: string }) =>
      Rows.one(User, sql`insert into users ${sql.insert({ id: id.next(), ...user })} returning ${columns}`)

    const organizations = (user_id: UserId) =>
      Rows.all(
        MyOrganization,
        sql`select o.id, o.slug, o.name, m.role from memberships m join organizations o on o.id = m.org_id
          where m.user_id = ${user_id} order by m.created_at, m.id limit 100`
      )

    const join = (org_id: OrganizationId, user_id: UserId, role: Role) =>
      orDefect(Effect.asVoid(sql`insert into memberships ${sql.insert({ id: id.next(), org_id, user_id, role })}`))

    return { find, insert, organizations, join } as const
  })
}) {}
