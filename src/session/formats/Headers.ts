import { isMembers, shown } from "./Values.ts"

/** Headers by their name, from an object or from `{ name, value }` pairs; a repeated one is joined with a comma. */
export const headersOf = (value: unknown): Readonly<Record<string, string>> | null => {
  if (Array.isArray(value)) return fromPairs(value)
  if (!isMembers(value)) return null
  return fromPairs(
    Object.entries(value).map(([name, text]) => ({ name, value: Array.isArray(text) ? text.join(", ") : text }))
  )
}

const fromPairs = (pairs: ReadonlyArray<unknown>): Readonly<Record<string, string>> => {
  const headers: Record<string, string> = Object.create(null)
  for (const pair of pairs) {
    if (!isMembers(pair)) continue
    const name = shown(pair.name) ?? ""
    const value = shown(pair.value) ?? ""
    const known = headers[name]
    headers[name] = known === undefined ? value : `${known}, ${value}`
  }
  return headers
}
