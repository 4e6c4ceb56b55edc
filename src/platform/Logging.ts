import { Effect, Layer, Logger, LogLevel } from "effect"
import { Settings } from "./Settings.ts"

const levels = {
  TRACE: LogLevel.Trace,
  DEBUG: LogLevel.Debug,
  INFO: LogLevel.Info,
  WARNING: LogLevel.Warning,
  ERROR: LogLevel.Error,
  FATAL: LogLevel.Fatal,
  NONE: LogLevel.None
}

/** Structured logs as configured: text for people at a terminal, one JSON object a line for machines. */
export const layer = Layer.unwrapEffect(
  Effect.map(Settings, ({ observability: { log_format, log_level } }) => {
    const format = log_format ?? (process.stdout.isTTY ? "text" : "json")
    const logger =
      format === "json"
        ? Logger.replace(Logger.defaultLogger, Logger.withLeveledConsole(Logger.jsonLogger))
        : Logger.pretty
    return Layer.merge(logger, Logger.minimumLogLevel(levels[log_level]))
  })
)
