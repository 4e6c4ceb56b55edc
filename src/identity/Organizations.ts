import { SqlClient } from "@effect/sql"
import { Effect } from "effect"
import { Forbidden } from "../domain/Errors.ts"
import type { OrganizationId } from "../domain/Ids.ts"
import {
  type CreateOrganization,
  LastOrganization,
  OrganizationInUse,
  organizationNotFound,
  TooManyOrganizations,
  type UpdateOrganization
} from "../domain/identity/Organization.ts"
import type { MyOrganization } from "../domain/identity/User.ts"
import { all, CurrentPrincipal, scope, unrestricted, withPolicy } from "../domain/Principal.ts"
import * as Keyset from "../platform/Keyset.ts"
import { orDefect } from "../platform/SqlFailure.ts"
import { acting } from "./Acting.ts"
import { Audit } from "./Audit.ts"
import { Authenticator } from "./Authenticator.ts"
import { MembershipsRepo } from "./MembershipsRepo.ts"
import { OrganizationsRepo } from "./OrganizationsRepo.ts"
import { UsersRepo } from "./UsersRepo.ts"

/** Most organizations that one user owns. */
const maxOwned = 20

/** Organizations. A credential acts in its own: the others of its user are listed, and nothing more. */
export class Organizations extends Effect.Service<Organizations>()("identity/Organizations", {
  dependencies: [
    OrganizationsRepo.Default,
    MembershipsRepo.Default,
    UsersRepo.Default,
    Audit.Default,
    Authenticator.Default
  ],
  effect: Effect.gen(function* () {
    const sql = yield* SqlClient.SqlClient
    const repo = yield* OrganizationsRepo
    const memberships = yield* MembershipsRepo
    const users = yield* UsersRepo
    const audit = yield* Audit
    const authenticator = yield* Authenticator
    const read = withPolicy(scope("organizations:read"))
    const write = withPolicy(all(scope("organizations:write"), unrestricted))
    const caller = Effect.provideService(acting, MembershipsRepo, memberships)

    const assertOwn = (id: OrganizationId) =>
      Effect.flatMap(CurrentPrincipal, ({ org_id }) => (org_id === id ? Effect.void : organizationNotFound(id)))

    const list = Effect.fn("Organizations.list")(function* (query: {
      readonly limit: number
      readonly cursor?: string
    }) {
      const keyset = yield* Keyset.position(query.cursor)
      const { user_id } = yield* CurrentPrincipal
      if (user_id === null) return { items: [], next_cursor: null } satisfies Listed
      return Keyset.page(yield* memberships.organizations(user_id, keyset, query.limit), query.limit) satisfies Listed
    }, read)

    const get = Effect.fn("Organizations.get")(function* (id: OrganizationId) {
      yield* assertOwn(id)
      return (yield* repo.find(id)) ?? (yield* organizationNotFound(id))
    }, read)

    const create = Effect.fn("Organizations.create")(function* (wanted: CreateOrganization) {
      const { user_id } = yield* CurrentPrincipal
      if (user_id === null) return yield* new Forbidden({ detail: "only a user can own an organization" })
      return yield* Effect.gen(function* () {
        yield* users.lock(user_id)
        if ((yield* memberships.owned(user_id)) >= maxOwned) return yield* new TooManyOrganizations({ limit: maxOwned })
        const made = yield* repo.insertNew(wanted)
        yield* users.join(made.id, user_id, "owner")
        const entry = { action: "organization.create", resource: `organization/${made.id}`, after: made }
        yield* audit.recordAs(user_id, made.id, entry)
        yield* audit.record(entry)
        return made
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const update = Effect.fn("Organizations.update")(function* (id: OrganizationId, change: UpdateOrganization) {
      yield* assertOwn(id)
      return yield* Effect.gen(function* () {
        yield* memberships.lockOrganization(id)
        const before = (yield* repo.find(id)) ?? (yield* organizationNotFound(id))
        if (Object.keys(change).length === 0) return before
        const after = (yield* repo.update(id, change)) ?? (yield* organizationNotFound(id))
        yield* audit.record({ action: "organization.update", resource: `organization/${id}`, before, after })
        return after
      }).pipe(sql.withTransaction, orDefect)
    }, write)

    const remove = Effect.fn("Organizations.delete")(function* (id: OrganizationId) {
      yield* assertOwn(id)
      yield* Effect.gen(function* () {
        const before = (yield* repo.lock(id)) ?? (yield* organizationNotFound(id))
        const actor = yield* caller
        if (actor.role !== "owner") return yield* new Forbidden({ detail: "only an owner can delete the organization" })
        // Two of one's organizations are not deleted at once, each as the one that is not the last.
        yield* users.lock(actor.user_id)
        const holds = yield* repo.holds(id)
        if (holds !== undefined) return yield* new OrganizationInUse({ id, holds })
        if ((yield* memberships.elsewhere(id, actor.user_id)) === 0) return yield* new LastOrganization({ id })
        yield* repo.remove(id)
        yield* audit.record({ action: "organization.delete", resource: `organization/${id}`, before })
      }).pipe(sql.withTransaction, orDefect)
      yield* authenticator.forgetAll
    }, write)

    return { list, get, create, update, delete: remove } as const
  })
}) {}

interface Listed {
  readonly items: ReadonlyArray<MyOrganization>
  readonly next_cursor: string | null
}
