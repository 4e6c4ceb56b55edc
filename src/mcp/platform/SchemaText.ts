import { SchemaAST as AST, JSONSchema, Option, Predicate, type Schema } from "effect"
import { type Plain, plain } from "../../api/PlainSchemas.ts"
import type { Json } from "../Surface.ts"

export type ObjectSchema = Json & { readonly type: "object" }

/** A schema in one piece: references are replaced by what they refer to, as not every model's provider follows them. */
const inlined = (schema: unknown, definitions: Plain): unknown => {
  if (Array.isArray(schema)) return schema.map((member) => inlined(member, definitions))
  if (!Predicate.isRecord(schema)) return schema
  const { $ref, $defs: _definitions, $schema: _dialect, allOf, ...own } = schema
  const members = Object.fromEntries(Object.entries(own).map(([name, member]) => [name, inlined(member, definitions)]))
  const referred = typeof $ref === "string" ? [definitions[$ref.slice("#/$defs/".length)]] : []
  // The derivation's way to say more of a type than its own schema does: one of them, and never in conflict.
  const bases = [...referred, ...(Array.isArray(allOf) ? allOf : [])].map((base) => inlined(base, definitions))
  return Object.assign({}, ...bases, members)
}

/** The derivation loses what is said of a property whose type has a name. */
const described = (properties: Plain, { ast }: Schema.Schema.All): Plain => {
  const said = AST.getPropertySignatures(AST.isTransformation(ast) ? ast.to : ast).flatMap((property) => {
    const name = String(property.name)
    const description = Option.getOrUndefined(AST.getDescriptionAnnotation(property))
    return description === undefined ? [] : [[name, { ...Object(properties[name]), description }] as const]
  })
  return { ...properties, ...Object.fromEntries(said) }
}

/** The JSON Schema (draft 2020-12, and draft 7) of an object's encoded form, complete in itself. */
export const objectSchema = <A, I extends object>(schema: Schema.Schema<A, I>): ObjectSchema => {
  const derived: Plain = { ...JSONSchema.make(schema, { target: "jsonSchema2020-12" }) }
  const definitions: Plain = Object(derived["$defs"])
  const { properties, ...rest } = plain(Object(inlined(derived, definitions)))
  return { ...rest, type: "object", properties: described(Object(properties), schema) }
}

/** The same for input whose excess is refused: each object with fields of its own says that it takes no others. */
export const closed = (schema: Plain): Plain => {
  const within = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(within)
    return Predicate.isRecord(value) ? closed(value) : value
  }
  const entries = Object.entries(schema).map(([key, value]): readonly [string, unknown] => {
    if (key === "items" || key === "anyOf") return [key, within(value)]
    if (key !== "properties") return [key, value]
    return [key, Object.fromEntries(Object.entries(Object(value)).map(([name, inner]) => [name, within(inner)]))]
  })
  const fields = schema["properties"] === undefined ? {} : { additionalProperties: false }
  return { ...Object.fromEntries(entries), ...fields }
}

const branches = (schema: Plain): ReadonlyArray<unknown> => (Array.isArray(schema["anyOf"]) ? schema["anyOf"] : [])

/** The schema at a path of an object. */
const at = (schema: unknown, [first, ...rest]: ReadonlyArray<string>): Plain | undefined => {
  const here: Plain = Object(schema)
  if (first === undefined) return here
  const next = Object(here["properties"])[first] ?? here["items"]
  if (next !== undefined) return at(next, rest)
  return branches(here)
    .map((branch) => at(branch, [first, ...rest]))
    .find((found) => found !== undefined)
}

/** The fields that the object at a path may have. */
export const fieldsAt = (schema: unknown, path: ReadonlyArray<string>): ReadonlyArray<string> => {
  const here = at(schema, path)
  const own = [here, ...branches(here ?? {})].map((one) => Object(one)["properties"])
  return Object.keys(Object(own.find((properties) => properties !== undefined)))
}

const isText = Predicate.isString

/** What may stand at a path of an object, in a few words. */
export const wanted = (schema: unknown, path: ReadonlyArray<string>): string | undefined => {
  const { type, format, enum: values, minimum, maximum, description } = at(schema, path) ?? {}
  const range = minimum === undefined && maximum === undefined ? [] : [`${minimum ?? ""} to ${maximum ?? ""}`]
  const oneOf = Array.isArray(values) ? [`one of ${values.map((value) => JSON.stringify(value)).join(", ")}`] : []
  const kind = [...[type, format].filter(isText), ...range, ...oneOf].join(", ")
  return [kind, description].filter((text) => isText(text) && text !== "").join(": ") || undefined
}
