import { Effect } from "effect"
import { Forbidden } from "../domain/Errors.ts"
import { CurrentPrincipal, type Role, roleIncludes } from "../domain/Principal.ts"
import { MembershipsRepo } from "./MembershipsRepo.ts"

/**
 * The caller as a member, as the database has it now: until the transaction ends nobody else changes who
 * is what in the organization. Agents have no role, and decide over nobody's.
 */
export const acting = Effect.gen(function* () {
  const memberships = yield* MembershipsRepo
  const { org_id, user_id } = yield* CurrentPrincipal
  if (user_id === null) return yield* new Forbidden({ detail: "only a user can do this" })
  yield* memberships.lockOrganization(org_id)
  const member = yield* memberships.find(org_id, user_id)
  if (member === undefined) return yield* new Forbidden({ detail: "you are no member of the organization any more" })
  return { org_id, user_id, role: member.role }
})

/** Nobody gives, takes or touches a role above their own: only owners make and unmake owners. */
export const assertIncludes = (actor: { readonly role: Role }, role: Role) =>
  roleIncludes(actor.role, role)
    ? Effect.void
    : new Forbidden({ detail: `the role ${role} is above your own, which is ${actor.role}` })
