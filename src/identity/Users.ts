import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Forbidden, Issue, NotFound, ValidationError } from "../domain/Errors.ts"
import type { InvitationId, OrganizationId, UserId } from "../domain/Ids.ts"
import { type CreateUser, LastOwner, Me, type Member, type UpdateUser, userNotFound } from "../domain/identity/User.ts"
import {
  all,
  CurrentPrincipal,
  effectiveScopes,
  Role,
  roleIncludes,
  scope,
  unrestricted,
  withPolicy
} from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { acting, assertIncludes } from "./Acting.ts"
import { AgentsRepo } from "./AgentsRepo.ts"
import { ApiKeysRepo } from "./ApiKeysRepo.ts"
import { Audit } from "./Audit.ts"
import { Authenticator } from "./Authenticator.ts"
import { InvitationsRepo } from "./InvitationsRepo.ts"
import { MembershipsRepo } from "./MembershipsRepo.ts"
import { UsersRepo } from "./UsersRepo.ts"

const half = (missing: "issuer" | "subject") =>
  new ValidationError({
    detail: "a login is an issuer and a subject",
    errors: [new Issue({ path: missing, message: "is missing" })]
  })

/** People, and what they are in which organization. */
export class Users extends Effect.Service<Users>()("identity/Users", {
  dependencies: [
    UsersRepo.Default,
    MembershipsRepo.Default,
    AgentsRepo.Default,
    ApiKeysRepo.Default,
    InvitationsRepo.Default,
    Audit.Default,
    Authenticator.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* UsersRepo
    const memberships = yield* MembershipsRepo
    const agents = yield* AgentsRepo
    const keys = yield* ApiKeysRepo
    const invitations = yield* InvitationsRepo
    const audit = yield* Audit
    const authenticator = yield* Authenticator
    const read = withPolicy(scope("users:read"))
    const write = withPolicy(all(scope("users:write"), unrestricted))
    const caller = Effect.provideService(acting, MembershipsRepo, memberships)

    const me = Effect.fn("Users.me")(function* () {
      const principal = yield* CurrentPrincipal
      const { user_id, agent_id, org_id, role, auth_method } = principal
      const user = user_id === null ? undefined : yield* repo.find(user_id)
      const agent = agent_id === null ? undefined : yield* agents.find(org_id, agent_id)
      if (user === undefined && agent === undefined) {
        return yield* new NotFound({ detail: "the credential belongs to nobody any more" })
      }
      return new Me({
        user: user ?? null,
        agent: agent ?? null,
        org_id,
        role,
        scopes: effectiveScopes(principal),
        auth_method,
        organizations: user === undefined ? [] : yield* repo.organizations(user.id)
      })
    }, read)

    const list = Effect.fn("Users.list")(function* (query: {
      readonly limit: number
      readonly cursor?: string
      readonly role?: Role
      readonly q?: string
    }) {
      const keyset = yield* Keyset.position(query.cursor)
      const { org_id } = yield* CurrentPrincipal
      return Keyset.page(yield* memberships.list(org_id, query, keyset, query.limit), query.limit)
    }, read)

    const existing = (org_id: OrganizationId, id: UserId) =>
      Effect.flatMap(memberships.find(org_id, id), (member) =>
        member === undefined ? userNotFound(id) : Effect.succeed(member)
      )

    const get = Effect.fn("Users.get")(function* (id: UserId) {
      const { org_id } = yield* CurrentPrincipal
      return yield* existing(org_id, id)
    }, read)

    const create = Effect.fn("Users.create")(function* ({ role, ...wanted }: CreateUser) {
      if ((wanted.issuer === undefined) !== (wanted.subject === undefined)) {
        return yield* half(wanted.issuer === undefined ? "issuer" : "subject")
      }
      return yield* Effect.gen(function* () {
        const actor = yield* caller
        yield* assertIncludes(actor, role)
        const { id } = yield* repo.insertNew(wanted)
        yield* repo.join(actor.org_id, id, role)
        const member = yield* Effect.orDie(existing(actor.org_id, id))
        yield* audit.record({ action: "user.create", resource: `user/${id}`, after: member })
        return member
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const assertOtherOwner = (org_id: OrganizationId, { id, role }: Member) =>
      Effect.gen(function* () {
        if (role === "owner" && (yield* memberships.owners(org_id)) < 2) return yield* new LastOwner({ id })
      })

    const revoked = (ended: ReadonlyArray<{ readonly id: InvitationId }>) =>
      Effect.forEach(ended, ({ id }) => audit.record({ action: "invitation.revoke", resource: `invitation/${id}` }), {
        discard: true
      })

    const changeRole = (org_id: OrganizationId, before: Member, role: Role) =>
      Effect.gen(function* () {
        if (role !== "owner") yield* assertOtherOwner(org_id, before)
        yield* memberships.setRole(org_id, before.id, role)
        const lost = Role.literals.filter((one) => !roleIncludes(role, one))
        yield* revoked(yield* invitations.revokeBeyond(org_id, before.id, lost))
        const after = yield* existing(org_id, before.id)
        yield* audit.record({ action: "membership.update", resource: `user/${before.id}`, before, after })
      })

    const changeProfile = (org_id: OrganizationId, before: Member, change: Omit<UpdateUser, "role">, isOwn: boolean) =>
      Effect.gen(function* () {
        if (!isOwn && (yield* memberships.elsewhere(org_id, before.id)) > 0) {
          return yield* new Forbidden({
            detail: "they are in another organization too: only they can change their name and address"
          })
        }
        yield* repo.update(before.id, change)
        const after = yield* existing(org_id, before.id)
        yield* audit.record({ action: "user.update", resource: `user/${before.id}`, before, after })
      })

    const update = Effect.fn("Users.update")(function* (id: UserId, { role, ...profile }: UpdateUser) {
      const after = yield* Effect.gen(function* () {
        const actor = yield* caller
        const before = yield* existing(actor.org_id, id)
        yield* assertIncludes(actor, before.role)
        if (role !== undefined) yield* assertIncludes(actor, role)
        if (Object.keys(profile).length > 0) {
          yield* changeProfile(actor.org_id, before, profile, actor.user_id === id)
        }
        if (role !== undefined && role !== before.role) yield* changeRole(actor.org_id, before, role)
        return yield* existing(actor.org_id, id)
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forgetAll
      return after
    }, write)

    const remove = Effect.fn("Users.delete")(function* (id: UserId) {
      yield* Effect.gen(function* () {
        const actor = yield* caller
        const before = yield* existing(actor.org_id, id)
        yield* assertIncludes(actor, before.role)
        yield* assertOtherOwner(actor.org_id, before)
        for (const key of yield* keys.revokeOf(actor.org_id, id)) {
          yield* audit.record({ action: "api_key.revoke", resource: `api_key/${key.id}` })
        }
        for (const agent of yield* agents.disown(actor.org_id, id)) {
          yield* audit.record({ action: "agent.update", resource: `agent/${agent.id}` })
        }
        yield* revoked(yield* invitations.revokeBeyond(actor.org_id, id, Role.literals))
        // Nor do they come back by themselves at their next login.
        if (before.email !== null) yield* revoked(yield* invitations.revokeTo(actor.org_id, before.email))
        yield* memberships.remove(actor.org_id, id)
        yield* audit.record({ action: "membership.delete", resource: `user/${id}`, before })
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forgetAll
    }, write)

    return { me, list, get, create, update, delete: remove } as const
  })
}) {}
