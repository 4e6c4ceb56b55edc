import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import type { OrganizationId, UserId } from "../domain/Ids.ts"
import { LoginTaken, MyOrganization, User } from "../domain/identity/User.ts"
import type { Role } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect, violates } from "../platform/SqlFailure.ts"

interface NewUser {
  readonly display_name: string
  readonly email?: string | null
  readonly issuer: string
  readonly subject: string
}

/** Rows of `users`, and who joins which organization. */
export class UsersRepo extends Effect.Service<UsersRepo>()("identity/UsersRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, display_name, email, created_at, updated_at`

    const find = (user_id: UserId) => Rows.first(User, sql`select ${columns} from users where id = ${user_id}`)

    const insert = (user: NewUser) =>
      Rows.one(User, sql`insert into users ${sql.insert({ id: id.next(), ...user })} returning ${columns}`)

    /** The same, where another one may have this login. */
    const insertNew = ({ issuer, subject, ...user }: Omit<NewUser, "issuer" | "subject"> & Partial<NewUser>) => {
      const user_id = id.next()
      // Whose login is not known is known to this service alone.
      const login = { issuer: issuer ?? "tracepipe", subject: subject ?? user_id }
      return sql`insert into users ${sql.insert({ id: user_id, ...user, ...login })} returning ${columns}`.pipe(
        Effect.mapError((error) => (violates(error, "users_issuer_subject_unique") ? new LoginTaken(login) : error)),
        (query) => Rows.one(User, query)
      )
    }

    const update = (user_id: UserId, change: { readonly display_name?: string; readonly email?: string | null }) =>
      orDefect(
        Effect.asVoid(sql`update users set ${sql.update({ ...change })}, updated_at = now() where id = ${user_id}`)
      )

    /** Nobody else counts or changes what is one user's until the transaction ends. */
    const lock = (user_id: UserId) =>
      orDefect(Effect.asVoid(sql`select from users where id = ${user_id} for no key update`))

    const organizations = (user_id: UserId) =>
      Rows.all(
        MyOrganization,
        sql`select o.id, o.slug, o.name, m.role from memberships m join organizations o on o.id = m.org_id
          where m.user_id = ${user_id} order by m.created_at, m.id limit 100`
      )

    const join = (org_id: OrganizationId, user_id: UserId, role: Role) =>
      orDefect(Effect.asVoid(sql`insert into memberships ${sql.insert({ id: id.next(), org_id, user_id, role })}`))

    return { find, insert, insertNew, update, lock, organizations, join } as const
  })
}) {}
