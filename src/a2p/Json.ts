import { isTooDeep } from "../platform/JsonDepth.ts"

/** A JSON object whose fields are still to be looked at. */
export interface JsonObject {
  readonly [name: string]: unknown
}

/** True for an object: no list, and not null. */
export const isObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** The value of a JSON text; undefined where it is none, or nests deeper than anything that is taken. */
export const parsed = (text: string): { readonly value: unknown } | undefined => {
  if (isTooDeep(text)) return undefined
  try {
    return { value: JSON.parse(text) }
  } catch {
    // No JSON: who called says so in the words of its protocol.
    return undefined
  }
}
