import { ConfigProvider, type Duration, Effect, Schema } from "effect"
import { Scope } from "../domain/Principal.ts"
import * as Setting from "../platform/Setting.ts"

/** An option's text is not of the form that it has to be. */
export class OptionInvalid extends Schema.TaggedError<OptionInvalid>("cli/OptionInvalid")("OptionInvalid", {
  option: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `${this.option}: ${this.expected}`
  }
}

/** A time span such as `30 d`, of which the message gives an example. */
export const timeSpan = (
  option: string,
  text: string,
  example: string
): Effect.Effect<Duration.Duration, OptionInvalid> =>
  ConfigProvider.fromMap(new Map([[option, text]]), { pathDelim: "\u0000" })
    .load(Setting.duration(option))
    .pipe(
      Effect.mapError(
        () => new OptionInvalid({ option, expected: `expected a time span such as ${example}, got ${text}` })
      )
    )

/** One of the scopes that are allowed here. */
export const scopeNamed =
  <A extends Scope>(isAllowed: (name: string) => name is A) =>
  (name: string): Effect.Effect<A, OptionInvalid> =>
    isAllowed(name)
      ? Effect.succeed(name)
      : new OptionInvalid({
          option: "--scope",
          expected: `expected one of ${Scope.literals.filter(isAllowed).join(", ")}, got ${name}`
        })
