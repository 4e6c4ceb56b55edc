/** What a person needs of a problem document. */
export interface Problem {
  readonly title: string
  readonly detail: string
  readonly errors: ReadonlyArray<{ readonly path: string; readonly message: string }>
  readonly request_id?: string | undefined
}

/** One line that says what is wrong, and one for each single error that it does not hold already. */
export const problemText = ({ title, detail, errors, request_id }: Problem): string => {
  const lines = errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`))
  // The detail of a refused recording is the list of its errors in one line: with many, lines are easier to read.
  const isList = errors.length > 1 && errors.every(({ message }) => detail.includes(message))
  const first = isList ? title : detail === "" ? title : detail
  const rest = isList ? lines : lines.filter((line) => !first.includes(line))
  const reference = request_id === undefined ? "" : ` (request ${request_id})`
  return [`${first}${reference}`, ...rest.map((line) => `  ${line}`)].join("\n")
}
