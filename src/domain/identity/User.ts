import { Schema } from "effect"
import { OrganizationId, UserId } from "../Ids.ts"
import { TimestampText } from "../Json.ts"
import { AuthMethod, Role, Scope } from "../Principal.ts"

/** A person; a member of one or more organizations. */
export class User extends Schema.Class<User>("User")({
  id: UserId,
  display_name: Schema.String,
  email: Schema.NullOr(Schema.String),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

/** An organization of the caller, and what the caller is there. */
export class MyOrganization extends Schema.Class<MyOrganization>("MyOrganization")({
  id: OrganizationId,
  slug: Schema.String,
  name: Schema.String,
  role: Role
}) {}

/** The caller: who, where, and what the presented credential allows. */
export class Me extends Schema.Class<Me>("Me")({
  user: User,
  org_id: OrganizationId,
  role: Schema.NullOr(Role),
  scopes: Schema.Array(Scope),
  auth_method: AuthMethod,
  organizations: Schema.Array(MyOrganization)
}) {}
