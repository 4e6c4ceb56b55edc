import { describe, expect, it } from "vitest"
import { hasParameter, schemaFindings } from "../../src/domain/capability/JsonSchema.ts"

const schema = {
  type: "object",
  properties: {
    plain: { type: "string" },
    "/odd": { type: "string" },
    "a/b~c": { type: "string" },
    nested: { type: "object", properties: { inner: { type: "number" } } },
    list: { type: "array", items: { type: "object", properties: { each: {} } } },
    open: { type: "object", additionalProperties: { type: "string" } },
    closed: { type: "object", additionalProperties: true },
    referred: { $ref: "#/$defs/address" },
    either: { anyOf: [{ type: "null" }, { $ref: "#/$defs/address" }] }
  },
  $defs: { address: { type: "object", properties: { city: {}, self: { $ref: "#/$defs/address" } } } }
}

describe("parameters of a tool", () => {
  it.each([
    "plain",
    "/plain",
    "/odd",
    "a/b~c",
    "/a~1b~0c",
    "/nested/inner",
    "/list/0/each",
    "/list/-/each",
    "/open/anything",
    "/referred/city",
    "/either/city",
    "/either/self/self/city"
  ])("%s is there", (parameter) => {
    expect(hasParameter(schema, parameter)).toBe(true)
  })

  it.each([
    "",
    "/",
    "nothing",
    "inner",
    "/nested/other",
    "/list/each",
    "/closed/anything",
    "/plain/x",
    "constructor",
    "__proto__",
    "/nested/constructor"
  ])("%s is not", (parameter) => {
    expect(hasParameter(schema, parameter)).toBe(false)
  })

  it("schemas that refer to each other in every way are looked at once", () => {
    const names = Array.from({ length: 60 }, (_, at) => `d${at}`)
    const all = names.map((name) => ({ $ref: `#/$defs/${name}` }))
    const tangled = {
      type: "object",
      anyOf: all,
      $defs: Object.fromEntries(names.map((name) => [name, { anyOf: all, properties: { x: { allOf: all } } }]))
    }
    expect(hasParameter(tangled, "/x/x/x/x/x/x")).toBe(true)
    expect(hasParameter(tangled, "/x/x/x/x/x/y")).toBe(false)
  })
})

describe("the structure of a schema", () => {
  it("passes when it is one, with keywords that are not known", () => {
    expect(schemaFindings({ ...schema, "x-order": 1, examples: ["a"] })).toEqual([])
  })

  it.each([
    [{ type: ["string", "string"] }, ["type"]],
    [{ items: [{ type: "x" }] }, ["items", 0, "type"]],
    [{ items: 3 }, ["items"]],
    [{ allOf: [] }, ["allOf"]],
    [{ $defs: { a: { minLength: -1 } } }, ["$defs", "a", "minLength"]],
    [{ not: { enum: "a" } }, ["not", "enum"]]
  ])("%j is wrong at %j", (wrong, path) => {
    expect(schemaFindings(wrong).map((finding) => finding.path)).toEqual([path])
  })
})
