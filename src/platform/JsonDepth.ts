/** Deeper than any schema of ours. */
export const maxJsonDepth = 100

/** True where brackets outside of strings nest deeper than that: no recursion is risked on them. */
export const isTooDeep = (text: string): boolean => {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]
    if (letter === "\\") at += 1
    else if (letter === '"') quoted = !quoted
    else if (quoted) continue
    else if (letter === "[" || letter === "{") depth += 1
    else if (letter === "]" || letter === "}") depth -= 1
    if (depth > maxJsonDepth) return true
  }
  return false
}
