import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Forbidden, NotFound } from "../domain/Errors.ts"
import type { InvitationId, OrganizationId, UserId } from "../domain/Ids.ts"
import {
  type AcceptInvitation,
  AlreadyMember,
  type CreateInvitation,
  type Invitation,
  InvitationGone,
  InvitationWithToken,
  invitationNotFound
} from "../domain/identity/Invitation.ts"
import { MyOrganization } from "../domain/identity/User.ts"
import { all, CurrentPrincipal, type Role, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { acting, assertIncludes } from "./Acting.ts"
import { Audit } from "./Audit.ts"
import { InvitationsRepo } from "./InvitationsRepo.ts"
import * as KeyFormat from "./KeyFormat.ts"
import { MembershipsRepo } from "./MembershipsRepo.ts"
import { OrganizationsRepo } from "./OrganizationsRepo.ts"
import { UsersRepo } from "./UsersRepo.ts"

const unknown = new NotFound({ detail: "there is no invitation with this token" })

/** An invitation as the audit log digests it: an address can be guessed, and the guess be confirmed for ever. */
const impersonal = ({ email: _email, ...invitation }: Invitation) => invitation

/** An invitation that somebody is about to take. */
interface Taken {
  readonly id: InvitationId
  readonly org_id: OrganizationId
}

/** Invitations: made, shown, revoked, accepted. */
export class Invitations extends Effect.Service<Invitations>()("identity/Invitations", {
  dependencies: [
    InvitationsRepo.Default,
    MembershipsRepo.Default,
    UsersRepo.Default,
    OrganizationsRepo.Default,
    Audit.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* InvitationsRepo
    const memberships = yield* MembershipsRepo
    const users = yield* UsersRepo
    const organizations = yield* OrganizationsRepo
    const audit = yield* Audit
    const read = withPolicy(scope("users:read"))
    const write = withPolicy(all(scope("users:write"), unrestricted))
    const caller = Effect.provideService(acting, MembershipsRepo, memberships)

    const create = Effect.fn("Invitations.create")(function* ({ email, role, expires_in }: CreateInvitation) {
      const token = KeyFormat.make("invite")
      const row = yield* Effect.gen(function* () {
        const actor = yield* caller
        yield* assertIncludes(actor, role)
        for (const { id } of yield* repo.revokeTo(actor.org_id, email)) {
          yield* audit.record({ action: "invitation.revoke", resource: `invitation/${id}` })
        }
        const { org_id, user_id: invited_by } = actor
        const made = yield* repo.insert({
          org_id,
          email,
          role,
          token_hash: KeyFormat.hash(token),
          invited_by,
          expires_in
        })
        yield* audit.record({ action: "invitation.create", resource: `invitation/${made.id}`, after: impersonal(made) })
        return made
      }).pipe(sql.withTransaction, orDefect)
      return new InvitationWithToken({ ...row, token })
    }, write)

    const list = Effect.fn("Invitations.list")(function* (query: { readonly limit: number; readonly cursor?: string }) {
      const keyset = yield* Keyset.position(query.cursor)
      const { org_id } = yield* CurrentPrincipal
      return Keyset.page(yield* repo.list(org_id, keyset, query.limit), query.limit)
    }, read)

    const get = Effect.fn("Invitations.get")(function* (id: InvitationId) {
      const { org_id } = yield* CurrentPrincipal
      return (yield* repo.find(org_id, id)) ?? (yield* invitationNotFound(id))
    }, read)

    const revoke = Effect.fn("Invitations.revoke")(function* (id: InvitationId) {
      yield* Effect.gen(function* () {
        const { org_id } = yield* CurrentPrincipal
        const before = (yield* repo.lock(org_id, id)) ?? (yield* invitationNotFound(id))
        if (before.status === "accepted") return yield* new InvitationGone({ reason: before.status })
        if (before.status === "revoked") return
        yield* repo.revoke(org_id, id)
        yield* audit.record({ action: "invitation.revoke", resource: `invitation/${id}`, before: impersonal(before) })
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    /** Makes the user what an open invitation says. To be called in a transaction. */
    const join = ({ id, org_id }: Taken, user_id: UserId) =>
      Effect.gen(function* () {
        // The organization first, as all do who change its members.
        if ((yield* memberships.lockOrganization(org_id)) === undefined) return yield* unknown
        const invitation = (yield* repo.lock(org_id, id)) ?? (yield* unknown)
        if (invitation.status !== "open") return yield* new InvitationGone({ reason: invitation.status })
        if ((yield* memberships.find(org_id, user_id)) !== undefined) return yield* new AlreadyMember({ user_id })
        yield* users.join(org_id, user_id, invitation.role)
        yield* repo.accept(id)
        yield* audit.recordAs(user_id, org_id, {
          action: "invitation.accept",
          resource: `invitation/${id}`,
          before: impersonal(invitation),
          after: { org_id, user_id, role: invitation.role }
        })
        return invitation.role
      })

    const accept = Effect.fn("Invitations.accept")(function* ({ token }: AcceptInvitation) {
      const { user_id, org_id } = yield* CurrentPrincipal
      if (user_id === null) return yield* new Forbidden({ detail: "only a user can accept an invitation" })
      const invitation = KeyFormat.isWellFormed(token, "invite")
        ? yield* repo.byToken(KeyFormat.hash(token))
        : undefined
      if (invitation === undefined) return yield* unknown
      return yield* Effect.gen(function* () {
        const role = yield* join(invitation, user_id)
        // The credential is another organization's: its log says what was done with it, not where.
        if (invitation.org_id !== org_id) {
          yield* audit.record({ action: "invitation.accept", resource: `user/${user_id}` })
        }
        const { id, slug, name } = (yield* organizations.find(invitation.org_id)) ?? (yield* unknown)
        return new MyOrganization({ id, slug, name, role })
      }).pipe(sql.withTransaction, orDefect)
    }, read)

    /**
     * The invitations to an address that can be accepted now, of each organization the newest. Ask only
     * for an address that is known to be its owner's.
     */
    const pendingFor = Effect.fn("Invitations.pendingFor")((email: string) => repo.pending(email))

    /**
     * Makes a user what the open invitations to their address say, and answers where they joined; where
     * they are a member already nothing changes. The address has to be verified: whoever has it joins.
     */
    const acceptFor = Effect.fn("Invitations.acceptFor")(function* (email_verified: string, user_id: UserId) {
      const joined: Array<{ readonly org_id: OrganizationId; readonly role: Role }> = []
      // In order of their organizations, so that two logins at once lock these in the same order.
      for (const invitation of yield* repo.pending(email_verified)) {
        const role = yield* join(invitation, user_id).pipe(
          sql.withTransaction,
          orDefect,
          Effect.catchTags({
            NotFound: () => Effect.succeed(undefined),
            InvitationGone: () => Effect.succeed(undefined),
            AlreadyMember: () => Effect.succeed(undefined)
          })
        )
        if (role !== undefined) joined.push({ org_id: invitation.org_id, role })
      }
      return joined
    })

    return { create, list, get, revoke, accept, pendingFor, acceptFor } as const
  })
}) {}
