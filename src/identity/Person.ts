import { Effect, Schema } from "effect"
import { Text } from "../domain/Json.ts"

/** A claim that is not as it should be counts as absent: it is not needed. */
const lenient = <A>(claim: Schema.Schema<A>) =>
  Schema.optional(Schema.UndefinedOr(claim).annotations({ decodingFallback: () => Effect.succeed(undefined) }))

/** Somebody whom another issuer vouches for, as its token says. */
export const Person = Schema.Struct({
  iss: Text(1, 2048),
  sub: Text(1, 255),
  email: lenient(Text(3, 320)),
  email_verified: lenient(Schema.Boolean),
  /** As Better Auth calls the same. */
  emailVerified: lenient(Schema.Boolean),
  name: lenient(Schema.String),
  /** Scopes, separated by spaces. */
  scope: lenient(Schema.String)
})
export type Person = typeof Person.Type

/** The e-mail address, when the issuer says that it is the person's. */
export const verifiedEmail = ({ email, email_verified, emailVerified }: Person): string | undefined =>
  (email_verified ?? emailVerified) === true ? email?.toLowerCase() : undefined
