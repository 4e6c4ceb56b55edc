import { ValidationError } from "@effect/cli"
import { HttpClientError } from "@effect/platform"
import { Cause, Chunk, Effect } from "effect"
import { describe } from "../domain/Problem.ts"
import { problemText } from "./ProblemText.ts"
import { ForeignAnswer, ServiceUnreachable } from "./Remote.ts"

const hasText = (value: unknown, name: string): value is Readonly<Record<string, string>> =>
  typeof value === "object" && value !== null && name in value && typeof Reflect.get(value, name) === "string"

const messageOf = (error: unknown): string => (hasText(error, "message") ? (error.message ?? "") : String(error))

const tagOf = (error: unknown): string => (hasText(error, "_tag") ? (error._tag ?? "") : "")

const causeOf = (error: unknown): unknown => {
  if (error instanceof AggregateError) return error.errors[0]
  return typeof error === "object" && error !== null && "cause" in error ? error.cause : undefined
}

/** The innermost reason: what the driver or the operating system said. */
const reasonOf = (error: unknown): string => {
  const cause = causeOf(error)
  return cause === undefined || cause === null ? messageOf(error) : reasonOf(cause)
}

const codeOf = (error: unknown): string => (hasText(error, "code") ? (error.code ?? "") : codeOfCause(error))

const codeOfCause = (error: unknown): string => {
  const cause = causeOf(error)
  return cause === undefined || cause === null ? "" : codeOf(cause)
}

/** What to do, where the error itself cannot know. */
const advice: Readonly<Record<string, string>> = {
  DatabaseUnreachable: "is it running, and are DATABASE_URL (or DB_HOST and its like) and the password right?",
  SqlError: "`tracepipe doctor` checks the database",
  ObjectStoreUnavailable: "`tracepipe doctor` checks the object store",
  ObjectStoreFull: "make room, or give it another disk or bucket"
}

const issuesOf = (error: unknown): ReadonlyArray<{ readonly path: string; readonly message: string }> =>
  typeof error === "object" && error !== null && "errors" in error && Array.isArray(error.errors) ? error.errors : []

/** What the derived client fails with besides the errors of the contract. */
const ofClient = (error: unknown): Error | undefined => {
  if (error instanceof HttpClientError.RequestError) {
    return new ServiceUnreachable({ url: new URL(error.request.url).origin, reason: codeOf(error) || reasonOf(error) })
  }
  if (error instanceof HttpClientError.ResponseError) {
    const { request, response } = error
    return new ForeignAnswer({ url: request.url, detail: `status ${response.status}` })
  }
  return undefined
}

/** What is wrong, in the operator's words. */
export const reason = (error: unknown): string => {
  const known = describe(error)
  const foreign = ofClient(error)
  if (foreign !== undefined) return foreign.message
  if (known !== undefined) return problemText({ title: known.title, detail: messageOf(error), errors: issuesOf(error) })
  const message = tagOf(error) === "SqlError" ? "the database refused a statement" : messageOf(error)
  const innermost = reasonOf(error)
  return message.includes(innermost) ? message : `${message.replace(/: \w*Error: .*/s, "")}: ${innermost}`
}

/** What is wrong, and what to do about it. */
export const explain = (error: unknown): string => {
  const todo = advice[tagOf(error)]
  return todo === undefined ? reason(error) : `${reason(error)}; ${todo}`
}

const isTold = (error: unknown) => ValidationError.isValidationError(error)

const unexpected = (defect: unknown): ReadonlyArray<string> => [
  `unexpected failure: ${explain(defect)}`,
  ...(process.env.DEBUG === "true" && defect instanceof Error && defect.stack !== undefined ? [defect.stack] : [])
]

/** Everything that is to be said about why a command failed; nothing of an interruption or of wrong usage. */
export const report = (cause: Cause.Cause<unknown>): ReadonlyArray<string> => {
  const failures = Chunk.toReadonlyArray(Cause.failures(cause))
  const lines =
    failures.length > 0
      ? failures.filter((error) => !isTold(error)).map(explain)
      : Chunk.toReadonlyArray(Cause.defects(cause)).flatMap(unexpected)
  return [...new Set(lines)]
}

/** Says on stderr why the command failed; its failure stays one, so that the process ends with 1. */
export const reported = <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.tapErrorCause(self, (cause) =>
    Effect.sync(() => {
      for (const line of report(cause)) console.error(`tracepipe: ${line}`)
    })
  )
