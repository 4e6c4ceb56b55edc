import { Context, Effect, Schema } from "effect"
import { Forbidden } from "./Errors.ts"
import { AgentId, ApiKeyId, OrganizationId, type SuiteId, SuiteId as SuiteIdSchema, UserId } from "./Ids.ts"

export const Role = Schema.Literal("owner", "admin", "member", "viewer").annotations({ identifier: "Role" })
export type Role = typeof Role.Type

export const Scope = Schema.Literal(
  "*",
  "a2p:use",
  "agents:read",
  "agents:write",
  "audit:read",
  "bridge:use",
  "chat:use",
  "examples:read",
  "examples:write",
  "keys:manage",
  "logs:read",
  "logs:write",
  "maps:read",
  "maps:write",
  "models:read",
  "models:write",
  "organizations:read",
  "organizations:write",
  "servers:read",
  "servers:write",
  "sessions:read",
  "sessions:write",
  "suites:read",
  "suites:write",
  "system:read",
  "users:read",
  "users:write"
).annotations({ identifier: "Scope", description: "`*` stands for everything that the role allows" })
export type Scope = typeof Scope.Type

/** How the caller proved who it is. */
export const AuthMethod = Schema.Literal("api_key", "client_secret", "access_token", "oidc", "better_auth").annotations(
  { identifier: "AuthMethod" }
)
export type AuthMethod = typeof AuthMethod.Type

/** Who acts, for which organization, and how far. Every service call happens on behalf of one. */
export class Principal extends Schema.Class<Principal>("Principal")({
  org_id: OrganizationId,
  user_id: Schema.NullOr(UserId),
  agent_id: Schema.NullOr(AgentId),
  role: Schema.NullOr(Role),
  scopes: Schema.Array(Scope),
  /** The only suites this principal may see; null: all of the organization. */
  suite_ids: Schema.NullOr(Schema.Array(SuiteIdSchema)),
  key_id: Schema.NullOr(ApiKeyId),
  auth_method: AuthMethod
}) {}

export class CurrentPrincipal extends Context.Tag("domain/CurrentPrincipal")<CurrentPrincipal, Principal>() {}

const viewer: ReadonlyArray<Scope> = [
  "examples:read",
  "sessions:read",
  "suites:read",
  "servers:read",
  "maps:read",
  "models:read",
  "agents:read",
  "organizations:read",
  "users:read",
  "system:read",
  "logs:read"
]
const member: ReadonlyArray<Scope> = [
  ...viewer,
  "examples:write",
  "sessions:write",
  "suites:write",
  "servers:write",
  "maps:write",
  "models:write",
  "keys:manage",
  "a2p:use",
  "bridge:use",
  "chat:use",
  "logs:write"
]
/** Who runs the organization: its people, its agents, what was done in it. */
const admin: ReadonlyArray<Scope> = [...member, "agents:write", "audit:read", "organizations:write", "users:write"]

/** The most that a role can hold; a key's scopes are cut down to this at each request. */
const roleScopes: Record<Role, ReadonlyArray<Scope>> = { viewer, member, admin, owner: admin }

/** True when the role holds all that the other does: owner ⊃ admin ⊃ member ⊃ viewer. */
export const roleIncludes = (role: Role, other: Role): boolean =>
  Role.literals.indexOf(role) <= Role.literals.indexOf(other)

/** True when the principal's key names the scope (or `*`) and its role allows it. */
export const holds = (principal: Principal, scope: Scope): boolean =>
  (principal.scopes.includes(scope) || principal.scopes.includes("*")) &&
  (principal.role === null || scope === "*" || roleScopes[principal.role].includes(scope))

/** Everything that the principal may do: what a new key of theirs can be given. */
export const effectiveScopes = (principal: Principal): ReadonlyArray<Scope> =>
  Scope.literals.filter((scope) => (scope === "*" ? principal.scopes.includes("*") : holds(principal, scope)))

/** A check on the current principal that composes: fails with {@link Forbidden} or lets pass. */
export type Policy = Effect.Effect<void, Forbidden, CurrentPrincipal>

export const policy = (allows: (principal: Principal) => boolean, detail: string): Policy =>
  Effect.flatMap(CurrentPrincipal, (principal) =>
    allows(principal) ? Effect.void : Effect.fail(new Forbidden({ detail }))
  )

export const scope = (needed: Scope): Policy =>
  policy((principal) => holds(principal, needed), `the scope ${needed} is needed`)

/** Principals whose key is restricted to some suites may not do what reaches beyond them. */
export const unrestricted: Policy = policy(
  (principal) => principal.suite_ids === null,
  "a key that is restricted to some suites cannot do this"
)

export const all = (...policies: ReadonlyArray<Policy>): Policy => Effect.all(policies, { discard: true })

/** Runs the effect only when the policy lets the current principal pass. */
export const withPolicy =
  (check: Policy) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | Forbidden, R | CurrentPrincipal> =>
    Effect.zipRight(check, self)

/** What every query of a tenant's rows filters by. */
export interface Tenant {
  readonly org_id: OrganizationId
  readonly suite_ids: ReadonlyArray<SuiteId> | null
}
