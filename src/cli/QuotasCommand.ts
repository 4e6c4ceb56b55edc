import { Args, Command } from "@effect/cli"
import { Console, Effect, Either, Layer } from "effect"
import { ValidationError } from "../domain/Errors.ts"
import { QuotaKind, QuotaWindow } from "../domain/identity/Quota.ts"
import { Quotas } from "../identity/Quotas.ts"
import { Migrator } from "../platform/Migrator.ts"
import { ownerPlatform } from "./OwnerPlatform.ts"

const services = Layer.merge(Quotas.Default, Migrator.Default).pipe(Layer.provide(ownerPlatform))

const organization = Args.text({ name: "organization" }).pipe(Args.withDescription("its slug, such as default"))
const kind = Args.choice(
  QuotaKind.literals.map((word) => [word, word] as const),
  { name: "kind" }
)
const window = Args.choice(
  QuotaWindow.literals.map((word) => [word, word] as const),
  { name: "window" }
)
const ceiling = Args.text({ name: "ceiling" }).pipe(
  Args.withDescription("the most, `none` for no quota, or `default` for what the configuration says")
)

const read = (text: string): Either.Either<number | null | undefined, ValidationError> => {
  if (text === "none") return Either.right(null)
  if (text === "default") return Either.right(undefined)
  return /^\d{1,15}$/.test(text)
    ? Either.right(Number(text))
    : Either.left(new ValidationError({ detail: `the ceiling is a whole number, none or default, not ${text}` }))
}

const set = Command.make("set", { organization, kind, window, ceiling }, ({ organization, kind, window, ceiling }) =>
  Effect.gen(function* () {
    const most = yield* read(ceiling)
    const migrator = yield* Migrator
    const quotas = yield* Quotas
    yield* migrator.assertCurrent
    yield* quotas.set(organization, { kind, window }, most)
    yield* Console.error(`${organization}: ${kind} by ${window}: ${ceiling}; services follow within two seconds`)
  }).pipe(Effect.provide(services), Effect.scoped)
).pipe(Command.withDescription("give an organization a quota of its own"))

/** `tracepipe quotas`: what organizations may use, for operators, straight in the database. */
export const quotasCommand = Command.make("quotas").pipe(
  Command.withDescription("quotas of organizations (with the bundled database, stop the service first)"),
  Command.withSubcommands([set])
)
