import { A2AError, RequestMalformedError } from "@a2a-js/sdk/errors"
import { Cause, Runtime } from "effect"
import { BadRequest, ValidationError } from "../domain/Errors.ts"
import { describe } from "../domain/Problem.ts"

/** What a run effect was rejected with stands in its cause. */
const unwrapped = (error: unknown): unknown =>
  Runtime.isFiberFailure(error) ? Cause.squash(error[Runtime.FiberFailureCauseId]) : error

const malformed = ({ detail, errors = [] }: BadRequest | ValidationError) =>
  new RequestMalformedError({
    message: detail,
    metadata: Object.fromEntries(errors.map(({ path, message }) => [path, message]))
  })

/** The failure of a call, and how it is told. */
export type Fault =
  /** In the words of A2A. */
  | { readonly kind: "a2a"; readonly error: A2AError }
  /** As a problem document: what the service refuses by any protocol in the same way. */
  | { readonly kind: "problem"; readonly error: unknown }
  /** Not at all, but for the log. */
  | { readonly kind: "internal"; readonly error: unknown }

/** What a call was rejected with, as a fault. */
export const faultOf = (rejected: unknown): Fault => {
  const error = unwrapped(rejected)
  if (error instanceof A2AError) return { kind: "a2a", error }
  if (error instanceof BadRequest || error instanceof ValidationError) return { kind: "a2a", error: malformed(error) }
  return { kind: describe(error) === undefined ? "internal" : "problem", error }
}
