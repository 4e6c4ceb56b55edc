import { SqlError } from "@effect/sql"
import { Effect, type ParseResult } from "effect"

const field = (error: unknown, name: "code" | "constraint" | "message"): string | undefined => {
  if (typeof error !== "object" || error === null || !(name in error)) return undefined
  // A driver's error is an Error with extra properties that its type does not name.
  const value = (error as Record<string, unknown>)[name]
  return typeof value === "string" ? value : undefined
}

/** True when the statement broke the named constraint. */
export const violates = (error: SqlError.SqlError, constraint: string): boolean =>
  field(error.cause, "constraint") === constraint

const connectionCodes = /^(08...|57P0[123]|53300|ECONN\w+|ENOENT|EPIPE|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH)$/
const connectionMessages =
  /connection terminated|timeout exceeded when trying to connect|connection timeout|Client has encountered a connection error/i

/** True when the failure says that the database is away or overloaded, not that a statement is wrong. */
export const isConnectionFailure = (error: unknown): boolean => {
  if (!(error instanceof SqlError.SqlError)) return false
  const code = field(error.cause, "code")
  const message = field(error.cause, "message") ?? ""
  return (code !== undefined && connectionCodes.test(code)) || connectionMessages.test(message)
}

/** True when a statement took longer than it may: what it was asked for is too much at once. */
export const isTimeout = (error: unknown): boolean =>
  error instanceof SqlError.SqlError && field(error.cause, "code") === "57014"

/** What is said of it. */
export const timeoutText = "this took the database longer than it may: ask for less at once, such as a shorter time"

const passingCodes = /^(40001|40P01|53...|55P03|57014)$/

/** True when the same statement may well succeed a little later: the database is away, or was too busy, or refused to wait. */
export const isPassingFailure = (error: unknown): boolean =>
  isConnectionFailure(error) ||
  (error instanceof SqlError.SqlError && passingCodes.test(field(error.cause, "code") ?? ""))

/** Ends SQL and row-decoding errors at the repository: what no caller can mend is a defect. */
export const orDefect = <A, E, R>(
  self: Effect.Effect<A, E | SqlError.SqlError | ParseResult.ParseError, R>
): Effect.Effect<A, Exclude<E, SqlError.SqlError | ParseResult.ParseError>, R> =>
  Effect.catchAll(self, (error) =>
    error instanceof SqlError.SqlError || isParseError(error)
      ? Effect.die(error)
      : // The two types excluded here are exactly the two that the condition above takes out.
        Effect.fail(error as Exclude<E, SqlError.SqlError | ParseResult.ParseError>)
  )

const isParseError = (error: unknown): error is ParseResult.ParseError =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "ParseError"
