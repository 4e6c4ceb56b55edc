/** What the derivation cannot know of an operation's bodies and headers. */
export type Transform = (operation: Record<string, unknown>) => Record<string, unknown>

/** What is there of a list that may be absent. */
export const list = (value: unknown): ReadonlyArray<unknown> => (Array.isArray(value) ? value : [])

/** A parameter that is a header. */
export const requestHeader = (name: string, description: string, required = false) => ({
  name,
  in: "header",
  required,
  schema: { type: "string" },
  description
})

/** Headers of an answer, by name, each with its description. */
export const responseHeaders = (texts: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(texts).map(([name, description]) => [name, { description, schema: { type: "string" } }])
  )
