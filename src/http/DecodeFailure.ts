import type { HttpApiError } from "@effect/platform"
import { ParseResult } from "effect"
import { BadRequest, ValidationError } from "../domain/Errors.ts"
import { issuesOf, issuesText } from "../domain/Issues.ts"
import { parametersOf } from "./Operations.ts"

/** What is said of all that is wrong. */
const wrong = (issues: Parameters<typeof issuesOf>[0]) => {
  const errors = issuesOf(issues, "the body")
  return { detail: issuesText(errors), errors }
}

/** What is wrong with a parameter cannot be parsed, what is wrong with a body is not valid. */
export const decodeFailure = (
  { issues }: HttpApiError.HttpApiDecodeError,
  method: string,
  path: string
): BadRequest | ValidationError => {
  const parameters = parametersOf(method, path)
  const isParameter = issues.every((issue) => parameters?.has(String(issue.path[0])) ?? true)
  return isParameter ? new BadRequest(wrong(issues)) : new ValidationError(wrong(issues))
}

/** A body that a handler has decoded itself. */
export const bodyFailure = (error: ParseResult.ParseError): ValidationError =>
  new ValidationError(wrong(ParseResult.ArrayFormatter.formatErrorSync(error)))
