/** One thing that is wrong with a JSON Schema, and where. */
interface Finding {
  readonly path: ReadonlyArray<PropertyKey>
  readonly message: string
}

type Plain = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Plain =>
  typeof value === "object" && value !== null && !Array.isArray(value)

const isList = (value: unknown): value is ReadonlyArray<unknown> => Array.isArray(value)

const types = new Set<unknown>(["string", "number", "integer", "boolean", "object", "array", "null"])

const single = ["items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames"]
const lists = ["anyOf", "oneOf", "allOf", "prefixItems"]
const records = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas"]
const texts = ["title", "description", "$ref", "$id", "$schema", "$comment", "format", "pattern"]
const numbers = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
const counts = ["minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"]

const isType = (type: unknown) =>
  isList(type)
    ? type.length > 0 && new Set(type).size === type.length && type.every((one) => types.has(one))
    : types.has(type)

const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 0

const keywords = (schema: Plain): ReadonlyArray<Finding> => {
  const wrong = (keys: ReadonlyArray<string>, fits: (value: unknown) => boolean, message: string) =>
    keys.flatMap((key) => (Object.hasOwn(schema, key) && !fits(schema[key]) ? [{ path: [key], message }] : []))
  return [
    ...wrong(["type"], isType, "must be a type of JSON Schema, or a list of them"),
    ...wrong(["enum"], (value) => isList(value), "must be a list"),
    ...wrong(
      ["required"],
      (value) => isList(value) && value.every((one) => typeof one === "string"),
      "must be a list of names"
    ),
    ...wrong(texts, (value) => typeof value === "string", "must be text"),
    ...wrong(numbers, (value) => typeof value === "number", "must be a number"),
    ...wrong(counts, isCount, "must be a whole number from 0"),
    ...wrong(lists, (value) => isList(value) && value.length > 0, "must be a list of schemas"),
    ...wrong(records, isObject, "must be an object of schemas")
  ]
}

const within = (path: ReadonlyArray<PropertyKey>, schema: unknown): ReadonlyArray<Finding> =>
  schemaFindings(schema).map((finding) => ({ ...finding, path: [...path, ...finding.path] }))

/** What is wrong with the structure of a JSON Schema (2020-12 and draft 7); keywords it does not know pass. */
export const schemaFindings = (schema: unknown): ReadonlyArray<Finding> => {
  if (typeof schema === "boolean") return []
  if (!isObject(schema)) return [{ path: [], message: "must be a schema: an object, true or false" }]
  const own = keywords(schema)
  const items = single.filter((key) => Object.hasOwn(schema, key) && !(key === "items" && isList(schema[key])))
  return [
    ...own,
    ...items.flatMap((key) => within([key], schema[key])),
    ...[...lists, "items"].flatMap((key) => {
      const members = schema[key]
      return isList(members) ? members.flatMap((member, at) => within([key, at], member)) : []
    }),
    ...records.flatMap((key) => {
      const members = schema[key]
      return isObject(members) ? Object.entries(members).flatMap(([name, member]) => within([key, name], member)) : []
    })
  ]
}

/** The same for a tool's schema, which describes an object. */
export const toolSchemaFindings = (schema: Plain): ReadonlyArray<Finding> =>
  schema["type"] === "object" ? schemaFindings(schema) : [{ path: ["type"], message: 'must be "object"' }]

const member = (value: unknown, key: string): unknown =>
  isObject(value) && Object.hasOwn(value, key) ? value[key] : isList(value) ? value[Number(key)] : undefined

const segments = (pointer: string) =>
  pointer
    .slice(1)
    .split("/")
    .map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"))

/** All that the schemas say of the same value: themselves, what they refer to, their alternatives; each once. */
const branches = (root: Plain, schemas: ReadonlyArray<unknown>): ReadonlySet<Plain> => {
  const found = new Set<Plain>()
  const waiting = [...schemas]
  for (let schema = waiting.pop(); schema !== undefined; schema = waiting.pop()) {
    if (!isObject(schema) || found.has(schema)) continue
    found.add(schema)
    const reference = schema["$ref"]
    if (typeof reference === "string" && reference.startsWith("#/")) {
      waiting.push(segments(reference.slice(1)).reduce<unknown>(member, root) ?? null)
    }
    for (const key of ["anyOf", "oneOf", "allOf"]) {
      const alternatives = schema[key]
      if (isList(alternatives)) waiting.push(...alternatives)
    }
  }
  return found
}

const step = (schema: Plain, segment: string): ReadonlyArray<unknown> => {
  const property = member(schema["properties"], segment)
  if (property !== undefined) return [property]
  const rest = [schema["additionalProperties"], /^(\d+|-)$/.test(segment) ? schema["items"] : undefined]
  return rest.filter(isObject)
}

const reaches = (root: Plain, schemas: ReadonlyArray<unknown>, path: ReadonlyArray<string>): boolean => {
  const [segment, ...rest] = path
  if (segment === undefined) return schemas.length > 0
  const next = [...branches(root, schemas)].flatMap((schema) => step(schema, segment))
  return next.length > 0 && reaches(root, next, rest)
}

/** True when the property of that name, or the JSON pointer into the arguments, is in a tool's input schema. */
export const hasParameter = (input_schema: Plain, tool_parameter: string): boolean =>
  reaches(input_schema, [input_schema], [tool_parameter]) ||
  (tool_parameter.startsWith("/") && reaches(input_schema, [input_schema], segments(tool_parameter)))
