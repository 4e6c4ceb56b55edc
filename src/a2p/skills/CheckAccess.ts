import { Effect, Schema } from "effect"
import { AgentId, OrganizationId, SuiteId, UserId } from "../../domain/Ids.ts"
import { CurrentPrincipal, effectiveScopes, holds, type Principal, Role, Scope } from "../../domain/Principal.ts"
import { declare } from "../Skill.ts"

const resources = [
  ...new Set(Scope.literals.flatMap((scope) => (scope === "*" ? [] : [scope.slice(0, scope.indexOf(":"))])))
]

const Input = Schema.Union(
  Schema.Struct({ scope: Scope }),
  Schema.Struct({
    action: Schema.String.pipe(Schema.minLength(1), Schema.maxLength(100)).annotations({
      description: "What is to be done: read, write, use, manage"
    }),
    resource: Schema.Literal(...resources).annotations({ description: "To what kind of thing" })
  })
).annotations({ description: "A scope, or an action and the kind of thing that it is done to" })

const Output = Schema.Struct({
  allowed: Schema.Boolean,
  reason: Schema.String,
  scopes: Schema.Array(Scope).annotations({ description: "Everything that the caller may do" }),
  org_id: OrganizationId,
  user_id: Schema.NullOr(UserId),
  agent_id: Schema.NullOr(AgentId),
  role: Schema.NullOr(Role),
  suite_ids: Schema.NullOr(Schema.Array(SuiteId)).annotations({
    description: "The only suites that the caller sees; null: all"
  })
})

const { card, implement } = declare({
  id: "check_access",
  name: "Check access",
  description: "Says whether the caller may do something, and everything that it may do.",
  tags: ["access", "scopes"],
  examples: [
    '{"skill":"check_access","input":{"scope":"examples:write"}}',
    '{"skill":"check_access","input":{"action":"read","resource":"sessions"}}'
  ],
  scopes: [],
  input: Input,
  output: Output
})

export { card }

const isScope = Schema.is(Scope)

const decided = (principal: Principal, wanted: string) => {
  if (!isScope(wanted)) return { allowed: false, reason: `there is no scope ${wanted}` }
  if (holds(principal, wanted)) return { allowed: true, reason: `the caller holds ${wanted}` }
  const named = principal.scopes.includes(wanted) || principal.scopes.includes("*")
  return {
    allowed: false,
    reason: named
      ? `the role ${principal.role} does not allow ${wanted}`
      : `the caller's credential does not name ${wanted}`
  }
}

/** Answers from what is known of the caller, and asks nobody. */
export const checkAccess = implement({
  run: (input) =>
    Effect.map(CurrentPrincipal, (principal) => {
      const { org_id, user_id, agent_id, role, suite_ids } = principal
      const wanted = "scope" in input ? input.scope : `${input.resource}:${input.action}`
      return {
        ...decided(principal, wanted),
        scopes: effectiveScopes(principal),
        org_id,
        user_id,
        agent_id,
        role,
        suite_ids
      }
    })
})
