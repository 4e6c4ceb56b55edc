import { Command } from "@effect/cli"
import { Effect, Layer, Logger, LogLevel } from "effect"

/** 128 and the number of SIGINT, as shells have it. */
const INTERRUPTED = 130

// stdout is for what the command answers.
const toStderr = Layer.merge(
  Logger.replace(
    Logger.defaultLogger,
    Logger.make(({ message }) => console.error(`tracepipe: ${[message].flat().join(" ")}`))
  ),
  Logger.minimumLogLevel(LogLevel.Warning)
)

/** A command that ends by itself: its warnings go to stderr, and Ctrl-C ends it with 130. */
export const oneShot = <Name extends string, R, E, A>(command: Command.Command<Name, R, E, A>) =>
  Command.transformHandler(command, (effect) =>
    effect.pipe(
      Effect.provide(toStderr),
      // The runtime ends an interrupted program with 0. Everything that was open is closed by now.
      Effect.onInterrupt(() =>
        Effect.sync((): void => {
          console.error("tracepipe: interrupted")
          process.exit(INTERRUPTED)
        })
      )
    )
  )
