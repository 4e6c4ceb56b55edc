import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { AgentId, UserId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { Scope } from "../Principal.ts"
import { problem } from "../Problem.ts"

export const AgentStatus = Schema.Literal("active", "disabled").annotations({
  identifier: "AgentStatus",
  description: "Credentials of a disabled agent are refused"
})
export type AgentStatus = typeof AgentStatus.Type

/** An agent has no role that would bound what `*` stands for: its scopes are named one by one. */
export type AgentScope = Exclude<Scope, "*">
export const AgentScope = Scope.pipe(
  Schema.filter((scope): scope is AgentScope => scope !== "*", {
    message: () => "an agent's scopes are named one by one"
  })
)

const AgentScopes = Schema.Array(AgentScope).pipe(Schema.minItems(1), Schema.maxItems(50))

/** A program that acts for itself: it has a client id and a secret, and no role. */
export class Agent extends Schema.Class<Agent>("Agent")({
  id: AgentId,
  name: Schema.String,
  description: Schema.String,
  client_id: Schema.String,
  scopes: Schema.Array(Scope),
  status: AgentStatus,
  owner_id: Schema.NullOr(UserId).annotations({ description: "Who answers for it" }),
  record: Schema.Boolean.annotations({ description: "Whether what it does through the bridge is recorded" }),
  previous_secret_until: Schema.NullOr(TimestampText).annotations({
    description: "Until when the secret before the last rotation is still taken; null: there is none"
  }),
  last_seen_at: Schema.NullOr(TimestampText),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

/** An agent as its creation and each rotation answer it: the only time that `client_secret` is shown. */
export class AgentWithSecret extends Schema.Class<AgentWithSecret>("AgentWithSecret")({
  ...Agent.fields,
  client_secret: Schema.String.annotations({ description: "The secret. It cannot be read again." })
}) {}

const fields = {
  name: Text(1, 200),
  description: Text(0, 10_000),
  scopes: AgentScopes,
  owner_id: Schema.NullOr(UserId),
  record: Schema.Boolean
}

export class CreateAgent extends Schema.Class<CreateAgent>("CreateAgent")(
  {
    name: fields.name,
    description: Schema.optionalWith(fields.description, { default: () => "" }),
    scopes: Schema.optionalWith(fields.scopes, { default: () => ["bridge:use", "a2p:use"] as const }).annotations({
      description: "At most what the creator holds; bridge:use and a2p:use when absent"
    }),
    owner_id: Schema.optionalWith(fields.owner_id, { exact: true }).annotations({
      description: "The member who answers for it; the creator when absent"
    }),
    record: Schema.optionalWith(fields.record, { default: () => false })
  },
  // Fields with defaults hide the class's own name from the document.
  [undefined, { identifier: "CreateAgent" }]
) {}

export class UpdateAgent extends Schema.Class<UpdateAgent>("UpdateAgent")({
  name: Schema.optionalWith(fields.name, { exact: true }),
  description: Schema.optionalWith(fields.description, { exact: true }),
  scopes: Schema.optionalWith(fields.scopes, { exact: true }).annotations({
    description: "At most what you hold; its keys lose at once what it loses"
  }),
  status: Schema.optionalWith(AgentStatus, { exact: true }),
  owner_id: Schema.optionalWith(fields.owner_id, { exact: true }),
  record: Schema.optionalWith(fields.record, { exact: true })
}) {}

/** Seconds in the longest overlap: a week. */
const maxOverlap = 604_800

export class RotateSecret extends Schema.Class<RotateSecret>("RotateSecret")(
  {
    overlap: Schema.optionalWith(Schema.Int.pipe(Schema.between(0, maxOverlap)), {
      default: () => 86_400
    }).annotations({ description: "Seconds for which the old secret is still taken; 0 ends it at once" })
  },
  [undefined, { identifier: "RotateSecret" }]
) {}

export const agentNotFound = (id: AgentId) => new NotFound({ detail: `there is no agent ${id}` })

/** Names of agents are unique in their organization. */
export class AgentNameTaken extends Schema.TaggedError<AgentNameTaken>("AgentNameTaken")(
  "AgentNameTaken",
  { name: Schema.String },
  problem(409, "conflict", "An agent of this name exists")
) {
  override get message() {
    return `there is an agent named ${JSON.stringify(this.name)} already`
  }
}
