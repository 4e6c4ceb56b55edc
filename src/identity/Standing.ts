import { Effect } from "effect"
import { Principal, type Scope } from "../domain/Principal.ts"
import { StandingRepo } from "./StandingRepo.ts"

/** What both name; `*` stands for everything that the other names. */
const common = (some: ReadonlyArray<Scope>, others: ReadonlyArray<Scope>): ReadonlyArray<Scope> => {
  if (some.includes("*")) return others
  return others.includes("*") ? some : some.filter((scope) => others.includes(scope))
}

/** Whether who asked for something earlier may still act: for work that outlives its request. */
export class Standing extends Effect.Service<Standing>()("identity/Standing", {
  dependencies: [StandingRepo.Default],
  effect: Effect.gen(function* () {
    const repo = yield* StandingRepo

    /**
     * The principal as it is now, never with more than it had: its role is today's, an agent's scopes are
     * cut down to those that it still has. Undefined: it is no member and no active agent any more, or
     * its key was revoked or has expired. It is read from the database each time. A login that ended
     * counts for nothing here: it was how somebody came in, not who they are.
     */
    const now = Effect.fn("Standing.now")(function* (principal: Principal) {
      const held = yield* repo.held(principal)
      if (held === undefined) return undefined
      const scopes = held.scopes === null ? principal.scopes : common(principal.scopes, held.scopes)
      return new Principal({ ...principal, role: held.role, scopes }, { disableValidation: true })
    })

    return { now } as const
  })
}) {}
