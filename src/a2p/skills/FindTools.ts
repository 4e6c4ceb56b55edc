import { Effect, Schema, Struct } from "effect"
import { Discovery } from "../../capability/Discovery.ts"
import { DiscoverCapabilities, FoundCapability } from "../../domain/capability/Discovery.ts"
import { Page } from "../../domain/Page.ts"
import { declare } from "../Skill.ts"
import { paging } from "./Paging.ts"

const { schema: _schema, ...fields } = Struct.omit(DiscoverCapabilities.fields, "kind")

const { card, implement } = declare({
  id: "find_tools",
  name: "Find tools",
  description: "Finds the tools of MCP servers by words, by name or by what they take, best first, with their schemas.",
  tags: ["tools", "mcp", "search"],
  examples: ['{"skill":"find_tools","input":{"q":"create an invoice"}}'],
  scopes: ["servers:read"],
  input: Schema.Struct({
    ...fields,
    properties: Schema.optionalWith(
      Schema.Array(Schema.String.pipe(Schema.minLength(1), Schema.maxLength(200))).pipe(Schema.maxItems(50)),
      { exact: true }
    ).annotations({ description: "Only what takes all of these, by the names of its input schema's properties" }),
    ...paging
  }),
  output: Page("FoundToolPage", FoundCapability)
})

export { card }

/** Discovers as the API does, tools alone, on behalf of the caller. */
export const findTools = Effect.map(Discovery, (discovery) =>
  implement({
    run: ({ properties, ...query }) =>
      discovery.capabilities({
        ...query,
        kind: "tool",
        ...(properties === undefined ? {} : { schema: properties })
      })
  })
)
