import { Schema } from "effect"
import { OrganizationId, SessionId, UserId } from "../Ids.ts"
import { TimestampText } from "../Json.ts"
import { Role } from "../Principal.ts"
import { ApiKey } from "./ApiKey.ts"
import { AuditEntry } from "./AuditEntry.ts"

/** Everything that is kept of a person, as far as whoever asks may see it. */
export class PersonalData extends Schema.Class<PersonalData>("PersonalData")({
  user: Schema.Struct({
    id: UserId,
    display_name: Schema.String,
    email: Schema.NullOr(Schema.String),
    issuer: Schema.String.annotations({ description: "Whose login it is" }),
    subject: Schema.String.annotations({ description: "Who they are there" }),
    created_at: TimestampText,
    updated_at: TimestampText
  }),
  memberships: Schema.Array(
    Schema.Struct({
      org_id: OrganizationId,
      slug: Schema.String,
      name: Schema.String,
      role: Role,
      joined_at: TimestampText
    })
  ),
  invitations: Schema.Array(
    Schema.Struct({ org_id: OrganizationId, email: Schema.String, role: Role, created_at: TimestampText })
  ).annotations({ description: "To their address" }),
  api_keys: Schema.Array(Schema.Struct({ org_id: OrganizationId, ...ApiKey.fields })).annotations({
    description: "Without the secrets, which nobody has"
  }),
  sessions: Schema.Array(
    Schema.Struct({ org_id: OrganizationId, id: SessionId, description: Schema.String, created_at: TimestampText })
  ).annotations({ description: "That they uploaded; the recordings themselves are at `/v1/sessions/{id}/files`" }),
  audit_entries: Schema.Array(AuditEntry).annotations({ description: "What they did, with what is personal in it" })
}) {}
