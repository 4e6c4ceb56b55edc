import type { ParameterSurface } from "../../domain/example/Classification.ts"

type Type = ParameterSurface["type"]

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** JSON that the text is, or undefined. */
export const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** A number as people write it: `1,234.50`, `€ 12`, `12 %`; not a text that merely holds one. */
const number = (text: string): number | undefined => {
  const bare = text
    .trim()
    .replace(/^[$€£¥]\s*/, "")
    .replace(/\s*[$€£¥%]$/, "")
  const plain = /^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(bare) ? bare.replaceAll(",", "") : bare
  const value = Number(plain)
  return plain !== "" && /^[+-]?(\d|\.\d)/.test(plain) && Number.isFinite(value) ? value : undefined
}

const boolean = (text: string): boolean | undefined => {
  if (/^(true|yes|on|1|checked)$/i.test(text.trim())) return true
  return /^(false|no|off|0|unchecked)$/i.test(text.trim()) ? false : undefined
}

/** The value as the type that is asked for, or undefined where it cannot be one: nothing is made up. */
export const coerce = (value: unknown, type: Type): unknown => {
  if (value === null || value === undefined) return undefined
  switch (type) {
    case "STRING":
      if (typeof value === "string") return value === "" ? undefined : value
      return typeof value === "object" ? undefined : String(value)
    case "NUMBER":
      if (typeof value === "number") return Number.isFinite(value) ? value : undefined
      return typeof value === "string" ? number(value) : undefined
    case "BOOLEAN":
      if (typeof value === "boolean") return value
      return typeof value === "object" ? undefined : boolean(String(value))
    case "OBJECT": {
      const object = typeof value === "string" ? parsed(value) : value
      return isObject(object) ? object : undefined
    }
    case "ARRAY": {
      const list = typeof value === "string" ? parsed(value) : value
      return Array.isArray(list) ? list : undefined
    }
  }
}
