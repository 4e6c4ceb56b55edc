import type { HttpApiError } from "@effect/platform"
import { ParseResult } from "effect"
import { BadRequest, Issue, ValidationError } from "../domain/Errors.ts"
import { parametersOf } from "./Operations.ts"

const maxIssues = 20
const maxText = 300

/** A message may repeat what was sent, which may be long. */
export const short = (text: string): string =>
  text.length > maxText ? `${text.slice(0, maxText).toWellFormed()}…` : text

const expected = (message: string) => /^Expected (.+), actual /s.exec(message)?.[1]

/** What is said of one field: of several things that it could have been, one sentence. */
const sentence = (messages: ReadonlyArray<string>): string => {
  const [first = ""] = messages
  const wanted = messages.flatMap((message) => expected(message) ?? [])
  return messages.length > 1 && wanted.length === messages.length
    ? `must be one of ${[...new Set(wanted)].join(", ")}`
    : short(first)
}

const toIssue = (path: string, messages: ReadonlyArray<string>) =>
  path === ""
    ? new Issue({ path, message: "the body must be a JSON object" })
    : new Issue({ path: short(path), message: sentence(messages) })

type Issues = HttpApiError.HttpApiDecodeError["issues"]

/** What is said of all that is wrong. */
const wrong = (issues: Issues) => {
  // Of a field that may be absent or null it is also said that it is neither.
  const telling = issues.filter(({ message }) => !/^Expected (undefined|null),/.test(message))
  const byPath = Map.groupBy(telling, (issue) => issue.path.map(String).join("."))
  const errors = [...byPath].slice(0, maxIssues).map(([at, found]) =>
    toIssue(
      at,
      found.map(({ message }) => message)
    )
  )
  const detail = errors
    .map((issue) => (issue.path === "" ? issue.message : `${issue.path}: ${issue.message}`))
    .join("; ")
  return { detail, errors }
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
