import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { OrganizationId as Org, type OrganizationId, type UserId } from "../domain/Ids.ts"
import { Member, MyOrganization } from "../domain/identity/User.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import type { Role } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

const PositionedMember = Keyset.Positioned(Member.fields)
const PositionedOrganization = Keyset.Positioned(MyOrganization.fields)
const Count = Schema.Struct({ count: Schema.Int })

interface Filter {
  readonly role?: Role | undefined
  readonly q?: string | undefined
}

/** Rows of `memberships`: who is what in which organization. */
export class MembershipsRepo extends Effect.Service<MembershipsRepo>()("identity/MembershipsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const columns = sql`id, display_name, email, user_created_at as created_at, updated_at, role, created_at as joined_at`

    // `created_at` and `id` are what a list goes by: when somebody joined, and who.
    const members = (org_id: OrganizationId) => sql`(
      select m.user_id as id, u.display_name, u.email, u.created_at as user_created_at, greatest(u.updated_at, m.updated_at) as updated_at,
        m.role, m.created_at
      from memberships m join users u on u.id = m.user_id where m.org_id = ${org_id}) members`

    /** Nobody else changes who is what in the organization until the transaction ends; undefined when it is gone. */
    const lockOrganization = (org_id: OrganizationId) =>
      Rows.first(Schema.Struct({ id: Org }), sql`select id from organizations where id = ${org_id} for no key update`)

    const find = (org_id: OrganizationId, user_id: UserId) =>
      Rows.first(Member, sql`select ${columns} from ${members(org_id)} where id = ${user_id}`)

    const list = (org_id: OrganizationId, { role, q }: Filter, keyset: Position | undefined, limit: number) =>
      Rows.all(
        PositionedMember,
        sql`select ${columns}, ${Keyset.position_at(sql)} from ${members(org_id)}
          where ${Keyset.after(sql, keyset)}
            and ${role === undefined ? sql`true` : sql`role = ${role}`}
            and ${q === undefined ? sql`true` : sql`position(lower(${q}) in lower(display_name || ' ' || coalesce(email, ''))) > 0`}
          order by members.created_at desc, id desc limit ${limit + 1}`
      )

    const setRole = (org_id: OrganizationId, user_id: UserId, role: Role) =>
      orDefect(
        Effect.asVoid(sql`update memberships set role = ${role}, updated_at = now()
          where org_id = ${org_id} and user_id = ${user_id}`)
      )

    const remove = (org_id: OrganizationId, user_id: UserId) =>
      orDefect(Effect.asVoid(sql`delete from memberships where org_id = ${org_id} and user_id = ${user_id}`))

    const counted = (query: Parameters<typeof Rows.one<typeof Count.Type, typeof Count.Encoded>>[1]) =>
      Effect.map(Rows.one(Count, query), ({ count }) => count)

    const owners = (org_id: OrganizationId) =>
      counted(sql`select count(*)::int as count from memberships where org_id = ${org_id} and role = 'owner'`)

    /** How many organizations a user owns. */
    const owned = (user_id: UserId) =>
      counted(sql`select count(*)::int as count from memberships where user_id = ${user_id} and role = 'owner'`)

    /** In how many organizations a user is beside this one. */
    const elsewhere = (org_id: OrganizationId, user_id: UserId) =>
      counted(sql`select count(*)::int as count from memberships where user_id = ${user_id} and org_id <> ${org_id}`)

    /** A user's organizations, the one joined last first. */
    const organizations = (user_id: UserId, keyset: Position | undefined, limit: number) =>
      Rows.all(
        PositionedOrganization,
        sql`select id, slug, name, role, ${Keyset.position_at(sql)}
          from (select o.id, o.slug, o.name, m.role, m.created_at
            from memberships m join organizations o on o.id = m.org_id where m.user_id = ${user_id}) mine
          where ${Keyset.after(sql, keyset)} order by created_at desc, id desc limit ${limit + 1}`
      )

    return { lockOrganization, find, list, setRole, remove, owners, owned, elsewhere, organizations } as const
  })
}) {}
