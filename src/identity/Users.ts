import { Effect } from "effect"
import { NotFound } from "../domain/Errors.ts"
import { Me } from "../domain/identity/User.ts"
import { CurrentPrincipal, effectiveScopes, scope, withPolicy } from "../domain/Principal.ts"
import { UsersRepo } from "./UsersRepo.ts"

/** People, and what they are in which organization. */
export class Users extends Effect.Service<Users>()("identity/Users", {
  dependencies: [UsersRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* UsersRepo

    const me = Effect.fn("Users.me")(
      function* () {
        const principal = yield* CurrentPrincipal
        const { user_id, org_id, role, auth_method } = principal
        const user = user_id === null ? undefined : yield* repo.find(user_id)
        if (user === undefined) return yield* new NotFound({ detail: "the credential belongs to no user" })
        const organizations = yield* repo.organizations(user.id)
        return new Me({ user, org_id, role, scopes: effectiveScopes(principal), auth_method, organizations })
      },
      withPolicy(scope("users:read"))
    )

    return { me } as const
  })
}) {}
