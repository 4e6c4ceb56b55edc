import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { OrganizationId, UserId } from "../domain/Ids.ts"
import { Role } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Rows from "../platform/Rows.ts"

const Membership = Schema.Struct({ org_id: OrganizationId, user_id: UserId, role: Role })
export type Membership = typeof Membership.Type

const Found = Schema.Struct({ id: UserId })

/** Rows that a login reads and makes: `users` by who vouches for them, and their `memberships`. */
export class LoginsRepo extends Effect.Service<LoginsRepo>()("identity/LoginsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id

    /** The person's memberships, the first joined first. */
    const memberships = (issuer: string, subject: string) =>
      Rows.all(
        Membership,
        sql`select m.org_id, m.user_id, m.role from users u join memberships m on m.user_id = u.id
          where u.issuer = ${issuer} and u.subject = ${subject} order by m.created_at, m.id limit 100`
      )

    /** True when the person was seen before, a member of anything or not. */
    const isKnown = (issuer: string, subject: string) =>
      Effect.map(
        Rows.first(Found, sql`select id from users where issuer = ${issuer} and subject = ${subject}`),
        (user) => user !== undefined
      )

    /** The person's user, made when there was none. */
    const userOf = (person: {
      readonly issuer: string
      readonly subject: string
      readonly display_name: string
      readonly email: string | null
    }) =>
      Rows.one(
        Found,
        sql`insert into users ${sql.insert({ id: id.next(), ...person })}
          on conflict (issuer, subject) do update set updated_at = now() returning id`
      )

    /** Joins the organization of that name; undefined where there is none. */
    const join = (user_id: UserId, slug: string, role: Role) =>
      Rows.first(
        Membership,
        sql`insert into memberships (id, org_id, user_id, role)
          select ${id.next()}, o.id, ${user_id}, ${role} from organizations o where o.slug = ${slug}
          on conflict (org_id, user_id) do update set updated_at = memberships.updated_at
          returning org_id, user_id, role`
      )

    return { memberships, isKnown, userOf, join } as const
  })
}) {}
