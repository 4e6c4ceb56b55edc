import { Cause, Chunk, Effect } from "effect"
import { Forbidden, Unavailable } from "../../domain/Errors.ts"
import { describe } from "../../domain/Problem.ts"
import { RequestInfo } from "../../domain/RequestInfo.ts"
import { isConnectionFailure, isTimeout, timeoutText } from "../../platform/SqlFailure.ts"
import type { NextSteps } from "./Tool.ts"

/** A failure in words that a model can act on. */
export interface Told {
  readonly code: string
  readonly text: string
  /** Set where the caller may not do what it asked for. */
  readonly forbidden?: Forbidden
}

/** What to do about failures of the whole contract, where the tool knows nothing better. */
const usual: Readonly<Record<string, string>> = {
  bad_request: "Correct it and call again.",
  validation_error: "Correct these and call again.",
  forbidden: "Calling again does not help: tell the person which permission is missing.",
  not_found: "Check the id.",
  rate_limited: "Wait that long, then call again."
}

const waiting = (error: object) =>
  "retry_after_s" in error && typeof error.retry_after_s === "number"
    ? `Call again in ${Math.max(1, Math.ceil(error.retry_after_s))} s.`
    : undefined

const away = new Unavailable({ detail: "the database does not answer now", retry_after_s: 2 })

const slow = new Unavailable({ detail: timeoutText, retry_after_s: 2 })

const contractual = (error: unknown): unknown => {
  if (isTimeout(error)) return slow
  return isConnectionFailure(error) ? away : error
}

const told = (error: unknown, next: NextSteps): Told | undefined => {
  const known = contractual(error)
  const described = describe(known)
  if (described === undefined || !(known instanceof Error)) return undefined
  const tag = "_tag" in known ? String(known._tag) : ""
  const step = next[tag] ?? waiting(known) ?? usual[described.code]
  const detail = /[.!?]$/.test(known.message) ? known.message : `${known.message}.`
  return {
    code: described.code,
    text: `${described.code}: ${detail}${step === undefined ? "" : ` ${step}`}`,
    ...(known instanceof Forbidden ? { forbidden: known } : {})
  }
}

/**
 * What is told of a failed call: errors of the contract with their detail and the next step. Anything else is
 * logged whole, and told as nothing but the request id. A call that was interrupted stays so.
 * @param what the call, for the log
 */
export const failureOf = (cause: Cause.Cause<unknown>, what: string, next: NextSteps = {}): Effect.Effect<Told> =>
  Effect.gen(function* () {
    if (Cause.isInterruptedOnly(cause)) return yield* Effect.interrupt
    const causes = [...Chunk.toReadonlyArray(Cause.failures(cause)), ...Chunk.toReadonlyArray(Cause.defects(cause))]
    const known = causes.map((error) => told(error, next)).find((found) => found !== undefined)
    if (known !== undefined) return known
    const { request_id } = yield* RequestInfo
    yield* Effect.annotateLogs(Effect.logError(`${what} failed`, cause), { request_id })
    return { code: "internal_error", text: `internal_error: the service failed; request id ${request_id}.` }
  })
