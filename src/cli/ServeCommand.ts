import { Command } from "@effect/cli"
import { Effect, Fiber } from "effect"
import * as Logging from "../platform/Logging.ts"
import { type Settings, unknownVariables } from "../platform/Settings.ts"

const warnings = Effect.forEach(unknownVariables(process.env), (name) =>
  Effect.logWarning(`${name} is set and is no variable of this service: is it misspelt?`)
).pipe(
  Effect.provide(Logging.layer),
  // In a fiber of its own: its logger would stay beside the one that the service adds.
  Effect.fork,
  Effect.flatMap(Fiber.await)
)

/** `tracepipe serve`: runs the service until it is interrupted. */
export const serveCommand = <E>(serve: Effect.Effect<never, E, Settings>) =>
  Command.make("serve", {}, () => Effect.zipRight(warnings, serve)).pipe(Command.withDescription("run the service"))

/** `tracepipe worker`: the same with ROLE=worker. */
export const workerCommand = <E>(serve: Effect.Effect<never, E, Settings>) =>
  Command.make("worker", {}, () => Effect.zipRight(warnings, serve)).pipe(
    Command.withDescription("run jobs only, beside services that start them over one database")
  )
