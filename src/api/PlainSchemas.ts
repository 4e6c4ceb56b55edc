/** A schema of the document. */
export type Plain = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** What the derivation says of its own machinery, in place of a description. */
export const isDerived = (description: unknown) =>
  typeof description === "string" && /^an? (string|number|integer|array|non-)/.test(description)

const isEmpty = (value: unknown) => Object.keys(Object(value)).length === 0

/** Component schemas that stand for less than their name promises. */
const inlined: Readonly<Record<string, Plain>> = { "#/components/schemas/Int": { type: "integer" } }

const tidied = (schema: unknown) => (isObject(schema) ? plain(schema) : schema)

const members = (value: unknown) => {
  if (Array.isArray(value)) return value.map(tidied)
  return Object.fromEntries(Object.entries(Object(value)).map(([name, schema]) => [name, tidied(schema)]))
}

/**
 * A derived JSON Schema as a reader wants it: the titles and descriptions that only name the
 * derivation's filters, its private `$id`s and what is empty or a default are left out.
 */
export const plain = (schema: object): Plain => {
  if (!isObject(schema)) return {}
  const { $ref, ...rest } = schema
  const reference = typeof $ref === "string" ? inlined[$ref] : undefined
  if (reference !== undefined) return { ...reference, ...plain(rest) }
  const entries = Object.entries(schema).flatMap(([key, value]): ReadonlyArray<readonly [string, unknown]> => {
    switch (key) {
      case "$id":
      case "title":
        return []
      case "description":
        return isDerived(value) ? [] : [[key, value]]
      case "required":
      case "properties":
        return isEmpty(value) ? [] : [[key, key === "properties" ? members(value) : value]]
      case "additionalProperties":
        return value === true || isEmpty(tidied(value)) ? [] : [[key, tidied(value)]]
      case "anyOf":
      case "allOf":
      case "oneOf":
        return [[key, members(value)]]
      case "items":
        return [[key, tidied(value)]]
      default:
        return [[key, value]]
    }
  })
  return Object.fromEntries(entries)
}
