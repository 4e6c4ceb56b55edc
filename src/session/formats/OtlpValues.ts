import { isMembers, type Members } from "./Values.ts"

const MAX_INDEX = 10_000

const numberText = (value: unknown): unknown =>
  typeof value === "string" && Number.isSafeInteger(Number(value)) ? Number(value) : value

/** What an OTLP `AnyValue` holds. */
export const anyValue = (value: unknown): unknown => {
  if (!isMembers(value)) return value
  if ("intValue" in value) return numberText(value.intValue)
  if (isMembers(value.arrayValue)) {
    const { values } = value.arrayValue
    return Array.isArray(values) ? values.map(anyValue) : []
  }
  if (isMembers(value.kvlistValue)) return attributesOf(value.kvlistValue.values)
  return value.stringValue ?? value.boolValue ?? value.doubleValue ?? value.bytesValue ?? null
}

/** OTLP's list of `{ key, value }` as one object; one that is an object already stays. */
export const attributesOf = (list: unknown): Members => {
  if (isMembers(list)) return list
  const attributes: Record<string, unknown> = Object.create(null)
  if (!Array.isArray(list)) return attributes
  for (const pair of list) {
    if (isMembers(pair) && typeof pair.key === "string") attributes[pair.key] = anyValue(pair.value)
  }
  return attributes
}

type Branch = Record<string, unknown>

/** The tree below a prefix of flattened names: `llm.input_messages.0.message.role`. */
const treeBelow = (attributes: Members, prefix: string): Branch => {
  const root: Branch = Object.create(null)
  for (const key in attributes) {
    if (!key.startsWith(prefix)) continue
    const steps = key.slice(prefix.length).split(".")
    let branch = root
    for (const step of steps.slice(0, -1)) {
      const next = branch[step]
      const below: Branch = isMembers(next) ? next : Object.create(null)
      branch[step] = below
      branch = below
    }
    branch[steps.at(-1) ?? ""] = attributes[key]
  }
  return root
}

/** The elements of a flattened list, by their numbers. */
export const flattened = (attributes: Members, prefix: string): ReadonlyArray<Members> =>
  listOf(treeBelow(attributes, prefix))

/** The members that are numbered, in their order. */
export const listOf = (tree: unknown): ReadonlyArray<Members> =>
  isMembers(tree)
    ? Object.keys(tree)
        .filter((key) => /^\d+$/.test(key) && Number(key) < MAX_INDEX)
        .sort((one, other) => Number(one) - Number(other))
        .map((key) => tree[key])
        .filter(isMembers)
    : []
