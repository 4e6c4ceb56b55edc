import { Schema } from "effect"

/** Somebody whom another issuer vouches for, as its token says. */
export const Person = Schema.Struct({
  iss: Schema.String,
  sub: Schema.String,
  email: Schema.optional(Schema.String),
  email_verified: Schema.optional(Schema.Boolean),
  /** As Better Auth calls the same. */
  emailVerified: Schema.optional(Schema.Boolean),
  name: Schema.optional(Schema.String),
  /** Scopes, separated by spaces. */
  scope: Schema.optional(Schema.String)
})
export type Person = typeof Person.Type

/** The e-mail address, when the issuer says that it is the person's. */
export const verifiedEmail = ({ email, email_verified, emailVerified }: Person): string | undefined =>
  (email_verified ?? emailVerified) === true ? email?.toLowerCase() : undefined
