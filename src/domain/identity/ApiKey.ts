import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { AgentId, ApiKeyId, SuiteId, UserId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { Scope } from "../Principal.ts"

/** A scoped, expiring, revocable secret of a user or of an agent. The secret itself is shown once and never kept. */
export class ApiKey extends Schema.Class<ApiKey>("ApiKey")({
  id: ApiKeyId,
  user_id: Schema.NullOr(UserId).annotations({ description: "Whose it is; null: an agent's" }),
  agent_id: Schema.NullOr(AgentId).annotations({ description: "Whose it is; null: a user's" }),
  name: Schema.String,
  /** The first characters of the key, to tell keys apart. */
  prefix: Schema.String,
  scopes: Schema.Array(Scope),
  suite_ids: Schema.NullOr(Schema.Array(SuiteId)),
  expires_at: Schema.NullOr(TimestampText),
  last_used_at: Schema.NullOr(TimestampText),
  revoked_at: Schema.NullOr(TimestampText),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

/** A key as its creation answers it: the only time that `key` is shown. */
export class CreatedApiKey extends Schema.Class<CreatedApiKey>("CreatedApiKey")({
  ...ApiKey.fields,
  key: Schema.String.annotations({ description: "The secret. It cannot be read again." })
}) {}

const Name = Text(1, 200)

export class CreateApiKey extends Schema.Class<CreateApiKey>("CreateApiKey")({
  name: Name,
  agent_id: Schema.optionalWith(AgentId, { exact: true }).annotations({
    description: "The agent whose key it is to be, which owners and admins can say; your own when absent"
  }),
  scopes: Schema.optionalWith(Schema.Array(Scope).pipe(Schema.minItems(1), Schema.maxItems(50)), {
    exact: true
  }).annotations({ description: "At most what the creator holds, and the agent; all of that when absent" }),
  suite_ids: Schema.optionalWith(Schema.NullOr(Schema.Array(SuiteId).pipe(Schema.minItems(1), Schema.maxItems(100))), {
    exact: true
  }).annotations({ description: "The only suites that the key may see; absent or null: all" }),
  expires_at: Schema.optionalWith(Schema.NullOr(TimestampText), { exact: true }).annotations({
    description: "When the key stops working; absent or null: never"
  })
}) {}

export class UpdateApiKey extends Schema.Class<UpdateApiKey>("UpdateApiKey")({
  name: Schema.optionalWith(Name, { exact: true }),
  expires_at: Schema.optionalWith(Schema.NullOr(TimestampText), { exact: true })
}) {}

export const apiKeyNotFound = (id: ApiKeyId) => new NotFound({ detail: `there is no API key ${id}` })
