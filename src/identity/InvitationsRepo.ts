import { SqlClient } from "@effect/sql"
import { Effect, Schema } from "effect"
import { type InvitationId, OrganizationId as Org, type OrganizationId, type UserId } from "../domain/Ids.ts"
import { Invitation } from "../domain/identity/Invitation.ts"
import type { Keyset as Position } from "../domain/Page.ts"
import type { Role } from "../domain/Principal.ts"
import { Id } from "../platform/Id.ts"
import * as Keyset from "../platform/Keyset.ts"
import * as Rows from "../platform/Rows.ts"
import { orDefect } from "../platform/SqlFailure.ts"

interface NewInvitation {
  readonly org_id: OrganizationId
  readonly email: string
  readonly role: Role
  readonly token_hash: string
  readonly invited_by: UserId
  /** Seconds. */
  readonly expires_in: number
}

const Positioned = Keyset.Positioned(Invitation.fields)
/** An invitation together with whose it is. */
const Addressed = Schema.Struct({ ...Invitation.fields, org_id: Org })

const Ended = Schema.Struct({ id: Invitation.fields.id })

/** Rows of `invitations`. */
export class InvitationsRepo extends Effect.Service<InvitationsRepo>()("identity/InvitationsRepo", {
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const id = yield* Id
    const columns = sql`id, email, role, invited_by, expires_at, accepted_at, revoked_at, created_at, updated_at,
      case when accepted_at is not null then 'accepted' when revoked_at is not null then 'revoked'
        when expires_at <= now() then 'expired' else 'open' end as status`
    const isOpen = sql`accepted_at is null and revoked_at is null`

    const insert = ({ org_id, email, role, token_hash, invited_by, expires_in }: NewInvitation) =>
      Rows.one(
        Invitation,
        sql`insert into invitations (id, org_id, email, role, token_hash, invited_by, expires_at)
          values (${id.next()}, ${org_id}, ${email}, ${role}, ${token_hash}, ${invited_by},
            now() + make_interval(secs => ${expires_in}::int))
          returning ${columns}`
      )

    const list = (org_id: OrganizationId, keyset: Position | undefined, limit: number) =>
      Rows.all(
        Positioned,
        sql`select ${columns}, ${Keyset.position_at(sql)} from invitations
          where org_id = ${org_id} and ${Keyset.after(sql, keyset)}
          order by created_at desc, id desc limit ${limit + 1}`
      )

    const find = (org_id: OrganizationId, invitation_id: InvitationId) =>
      Rows.first(Invitation, sql`select ${columns} from invitations where org_id = ${org_id} and id = ${invitation_id}`)

    /** The invitation, which nobody else accepts or revokes until the transaction ends. */
    const lock = (org_id: OrganizationId, invitation_id: InvitationId) =>
      Rows.first(
        Invitation,
        sql`select ${columns} from invitations where org_id = ${org_id} and id = ${invitation_id} for update`
      )

    const byToken = (token_hash: string) =>
      Rows.first(Addressed, sql`select ${columns}, org_id from invitations where token_hash = ${token_hash}`)

    /** Invitations to an address that can be accepted now; of one organization the newest alone. */
    const pending = (email: string) =>
      Rows.all(
        Addressed,
        sql`select distinct on (org_id) ${columns}, org_id from invitations
          where lower(email) = lower(${email}) and ${isOpen} and expires_at > now()
          order by org_id, created_at desc, id desc`
      )

    const accept = (invitation_id: InvitationId) =>
      orDefect(
        Effect.asVoid(sql`update invitations set accepted_at = now(), updated_at = now() where id = ${invitation_id}`)
      )

    const revoke = (org_id: OrganizationId, invitation_id: InvitationId) =>
      orDefect(
        Effect.asVoid(sql`update invitations set revoked_at = now(), updated_at = now()
          where org_id = ${org_id} and id = ${invitation_id}`)
      )

    /** Ends the open invitations to an address, as another one takes their place; answers their ids. */
    const revokeTo = (org_id: OrganizationId, email: string) =>
      Rows.all(
        Ended,
        sql`update invitations set revoked_at = now(), updated_at = now()
          where org_id = ${org_id} and lower(email) = lower(${email}) and ${isOpen} returning id`
      )

    /** Ends somebody's open invitations to roles that they do not hold any more; answers their ids. */
    const revokeBeyond = (org_id: OrganizationId, invited_by: UserId, beyond: ReadonlyArray<Role>) =>
      Rows.all(
        Ended,
        sql`update invitations set revoked_at = now(), updated_at = now()
          where org_id = ${org_id} and invited_by = ${invited_by} and role = any(${beyond}) and ${isOpen} returning id`
      )

    return { insert, list, find, lock, byToken, pending, accept, revoke, revokeTo, revokeBeyond } as const
  })
}) {}
