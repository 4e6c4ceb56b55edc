import { Issue } from "./Errors.ts"

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

/**
 * What a schema found wrong with something that was sent: one issue for each field, the first twenty of them.
 * @param whole what is called wrong where it is no field: `the body`
 */
export const issuesOf = (
  found: ReadonlyArray<{ readonly path: ReadonlyArray<PropertyKey>; readonly message: string }>,
  whole: string
): ReadonlyArray<Issue> => {
  // Of a field that may be absent or null it is also said that it is neither.
  const telling = found.filter(({ message }) => !/^Expected (undefined|null),/.test(message))
  const byPath = Map.groupBy(telling, ({ path }) => path.map(String).join("."))
  return [...byPath]
    .slice(0, maxIssues)
    .map(([path, issues]) =>
      path === ""
        ? new Issue({ path, message: `${whole} must be a JSON object` })
        : new Issue({ path: short(path), message: sentence(issues.map(({ message }) => message)) })
    )
}

/** The same in one line. */
export const issuesText = (issues: ReadonlyArray<Issue>): string =>
  issues.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ")
