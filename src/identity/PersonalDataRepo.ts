import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { OrganizationId, type UserId } from "../domain/Ids.ts"
import { PersonalData } from "../domain/identity/PersonalData.ts"
import { Role } from "../domain/Principal.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

const { user, memberships, invitations, api_keys, sessions } = PersonalData.fields

const Member = Schema.Struct({ org_id: OrganizationId, role: Role, owners: Schema.Int })

/** What is kept of a person, in every table: read, and erased. */
export class PersonalDataRepo extends Effect.Service<PersonalDataRepo>()("identity/PersonalDataRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient

    const profile = (id: UserId) =>
      Rows.first(
        user,
        sql`select id, display_name, email, issuer, subject, created_at, updated_at from users
          where id = ${id} and erased_at is null`
      )

    /** Nobody else changes the person, nor who owns their organizations, until the transaction ends. */
    const lock = (id: UserId) =>
      orDefect(
        Effect.asVoid(
          Effect.zipRight(
            sql`select from organizations where id in (select org_id from memberships where user_id = ${id})
              order by id for no key update`,
            sql`select from users where id = ${id} for update`
          )
        )
      )

    /** What the person is where, and how many owners there are. */
    const standing = (id: UserId) =>
      Rows.all(
        Member,
        sql`select m.org_id, m.role, (select count(*)::int from memberships o
            where o.org_id = m.org_id and o.role = 'owner') as owners
          from memberships m where m.user_id = ${id} order by m.created_at, m.id`
      )

    const memberOf = (id: UserId) =>
      Rows.all(
        memberships.value,
        sql`select o.id as org_id, o.slug, o.name, m.role, m.created_at as joined_at
          from memberships m join organizations o on o.id = m.org_id where m.user_id = ${id} order by m.created_at, m.id`
      )

    /** The organization alone, or (null) every one. */
    const within = (org_id: OrganizationId | null) => (org_id === null ? sql`true` : sql`org_id = ${org_id}`)

    const invited = (email: string | null, org_id: OrganizationId) =>
      Rows.all(
        invitations.value,
        sql`select org_id, email, role, created_at from invitations where lower(email) = lower(${email}) and org_id = ${org_id} order by created_at, id`
      )

    const keys = (id: UserId, org_id: OrganizationId | null) =>
      Rows.all(
        api_keys.value,
        sql`select org_id, id, user_id, agent_id, name, prefix, scopes, suite_ids, expires_at, last_used_at, revoked_at,
            created_at, updated_at from api_keys where user_id = ${id} and ${within(org_id)} order by created_at, id`
      )

    const uploaded = (id: UserId, org_id: OrganizationId | null) =>
      Rows.all(
        sessions.value,
        sql`select org_id, id, description, created_at from sessions where user_id = ${id} and ${within(org_id)} order by created_at, id`
      )

    /** The organizations whose logs tell of the person, those that they left among them. */
    const traces = (id: UserId) =>
      Rows.all(
        Schema.Struct({ org_id: OrganizationId }),
        sql`select org_id from memberships where user_id = ${id} union
          select p.org_id from audit_personal p join data_keys k on k.id = p.key_id where k.user_id = ${id} order by 1`
      )

    /**
     * Takes the person out of every table; what they did keeps their id, which leads nowhere from then on.
     * An address proves nothing: invitations to it are those of the organizations that the person is in.
     */
    const erase = (id: UserId, email: string | null) =>
      orDefect(
        Effect.gen(function* () {
          yield* sql`delete from invitations
            where (lower(email) = lower(${email}) and org_id in (select org_id from memberships where user_id = ${id}))
              or (invited_by = ${id} and accepted_at is null)`
          yield* sql`update agents set owner_id = null, updated_at = now() where owner_id = ${id}`
          yield* sql`update api_keys set name = 'erased', revoked_at = coalesce(revoked_at, now()), updated_at = now()
            where user_id = ${id}`
          yield* sql`delete from token_families where user_id = ${id}`
          yield* sql`delete from memberships where user_id = ${id}`
          // In their own words, and nobody else sees them.
          yield* sql`delete from a2p_tasks where user_id = ${id}`
          yield* sql`update users set display_name = 'Erased', email = null, issuer = 'erased', subject = id::text,
            erased_at = now(), updated_at = now() where id = ${id}`
        })
      )

    return { profile, lock, standing, memberOf, invited, keys, uploaded, traces, erase } as const
  })
}) {}
