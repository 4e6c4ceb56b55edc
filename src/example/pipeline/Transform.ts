import type { MappingSurface } from "../../domain/example/Classification.ts"
import { parsed } from "./Coerce.ts"

type Values = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const asText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value))

/** A value on its way to the tool; what cannot be transformed stays as it is. */
export const transformed = (value: unknown, transform: string | null): unknown => {
  switch (transform) {
    case "to_string":
      return asText(value)
    case "to_number": {
      const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value
      return typeof number === "number" && Number.isFinite(number) ? number : value
    }
    case "to_boolean":
      if (typeof value !== "string") return typeof value === "number" ? value !== 0 : value
      return /^(true|yes|on|1)$/i.test(value.trim()) ? true : /^(false|no|off|0)$/i.test(value.trim()) ? false : value
    case "json": {
      const json = typeof value === "string" ? parsed(value) : undefined
      return json === undefined ? value : json
    }
    case "trim":
      return typeof value === "string" ? value.trim() : value
    case "lower":
      return typeof value === "string" ? value.toLowerCase() : value
    default:
      return value
  }
}

const segments = (pointer: string) =>
  pointer
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"))

/** Sets a value where a JSON pointer (RFC 6901) points, making the objects and lists on the way. */
const placed = (target: unknown, path: ReadonlyArray<string>, value: unknown): unknown => {
  const [segment, ...rest] = path
  if (segment === undefined) return value
  if (/^(\d{1,3}|-)$/.test(segment) && (target === undefined || Array.isArray(target))) {
    const list: Array<unknown> = Array.isArray(target) ? [...target] : []
    const at = segment === "-" ? list.length : Math.min(Number(segment), list.length)
    list[at] = placed(list[at], rest, value)
    return list
  }
  const object = isObject(target) ? target : {}
  return { ...object, [segment]: placed(object[segment], rest, value) }
}

/**
 * A tool's arguments out of an action's parameters. A mapping that says nothing about parameters
 * passes on those that the tool has by the same name.
 */
export const toArguments = (mapping: MappingSurface, parameters: Values, properties: ReadonlySet<string>): Values => {
  if (mapping.parameters.length === 0) {
    return Object.fromEntries(Object.entries(parameters).filter(([name]) => properties.has(name)))
  }
  let made: Values = {}
  for (const { action_parameter, tool_parameter, transform } of mapping.parameters) {
    if (!Object.hasOwn(parameters, action_parameter)) continue
    const value = transformed(parameters[action_parameter], transform)
    const isPointer = tool_parameter.startsWith("/") && !properties.has(tool_parameter)
    const next = placed(made, isPointer ? segments(tool_parameter) : [tool_parameter], value)
    if (isObject(next)) made = next
  }
  return made
}
