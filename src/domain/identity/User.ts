import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { OrganizationId, UserId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { AuthMethod, Role, Scope } from "../Principal.ts"
import { problem } from "../Problem.ts"
import { Agent } from "./Agent.ts"

/** An address to write to, as far as its form can tell. */
export const Email = Text(3, 320).pipe(
  Schema.filter((text) => /^[^\s@]+@[^\s@]+$/.test(text), {
    message: () => "must be an e-mail address",
    jsonSchema: { format: "email" },
    arbitrary: () => (fc) => fc.emailAddress()
  })
)

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

/** A person as a member of the organization. */
export class Member extends Schema.Class<Member>("Member")({
  ...User.fields,
  role: Role,
  joined_at: TimestampText
}) {}

const DisplayName = Text(1, 200)

const Issuer = Text(1, 2000).pipe(
  Schema.filter((text) => /^https?:\/\//i.test(text) && URL.canParse(text), {
    message: () => "must be the http or https URL of an issuer",
    jsonSchema: { format: "uri" },
    arbitrary: () => (fc) => fc.webUrl()
  })
)

export class CreateUser extends Schema.Class<CreateUser>("CreateUser")({
  display_name: DisplayName,
  email: Schema.optionalWith(Schema.NullOr(Email), { exact: true }),
  role: Role.annotations({ description: "At most your own" }),
  issuer: Schema.optionalWith(Issuer, { exact: true }).annotations({
    description: "Of the login that will come; only together with `subject`"
  }),
  subject: Schema.optionalWith(Text(1, 255), { exact: true }).annotations({
    description: "Who the issuer says that it is; only together with `issuer`"
  })
}) {}

export class UpdateUser extends Schema.Class<UpdateUser>("UpdateUser")({
  role: Schema.optionalWith(Role, { exact: true }).annotations({ description: "At most your own" }),
  display_name: Schema.optionalWith(DisplayName, { exact: true }),
  email: Schema.optionalWith(Schema.NullOr(Email), { exact: true })
}) {}

export const userNotFound = (id: UserId) => new NotFound({ detail: `there is no user ${id}` })

/** An issuer's subject is one person, in all organizations. */
export class LoginTaken extends Schema.TaggedError<LoginTaken>("LoginTaken")(
  "LoginTaken",
  { issuer: Schema.String, subject: Schema.String },
  problem(409, "conflict", "The login belongs to somebody")
) {
  override get message() {
    return `there is a user who is ${JSON.stringify(this.subject)} at ${this.issuer} already: invite them`
  }
}

/** An organization always has an owner. */
export class LastOwner extends Schema.TaggedError<LastOwner>("LastOwner")(
  "LastOwner",
  { id: UserId },
  problem(409, "conflict", "The organization has no other owner")
) {
  override get message() {
    return `the user ${this.id} is the only owner: make somebody else one first`
  }
}

/** The caller: who, where, and what the presented credential allows. */
export class Me extends Schema.Class<Me>("Me")({
  user: Schema.NullOr(User).annotations({ description: "null: the credential is an agent's" }),
  agent: Schema.NullOr(Agent).annotations({ description: "null: the credential is a user's" }),
  org_id: OrganizationId,
  role: Schema.NullOr(Role),
  scopes: Schema.Array(Scope),
  auth_method: AuthMethod,
  organizations: Schema.Array(MyOrganization)
}) {}
