import { Effect, Schema } from "effect"
import { Discovery } from "../../../capability/Discovery.ts"
import { Tools } from "../../../capability/Tools.ts"
import { DiscoverCapabilities, FoundCapability, FoundServer } from "../../../domain/capability/Discovery.ts"
import { Tool } from "../../../domain/capability/Tool.ts"
import { CapabilityId } from "../../../domain/Ids.ts"
import { Page } from "../../../domain/Page.ts"
import { orNote, shortDescription } from "../Cut.ts"
import { output, paging, reads, tool } from "../Tool.ts"

const { name, schema, q } = DiscoverCapabilities.fields
const { score: _score, capability_count: _count, ...server } = FoundServer.fields

const ToolOfServer = Schema.Struct({
  tool: Tool,
  server: Schema.Struct(server).annotations({ description: "The MCP server that the tool is of" })
})

const schemaChars = 4000

const shortSchema = (schema: FoundCapability["input_schema"]) =>
  orNote(schema, schemaChars, (size) => ({
    type: "object",
    $comment: `cut: ${size} characters; call get_tool for the schema`
  }))

const annotationChars = 1000

/** In a list, a tool leaves room for the others. */
const short = (found: FoundCapability): FoundCapability => ({
  ...found,
  description: shortDescription(found.description),
  annotations: orNote(found.annotations, annotationChars, (size) => ({ cut: `${size} characters; call get_tool` })),
  input_schema: shortSchema(found.input_schema),
  output_schema: shortSchema(found.output_schema)
})

/** The tools of the catalogue's MCP servers. */
export const toolTools = Effect.gen(function* () {
  const discovery = yield* Discovery
  const tools = yield* Tools

  return [
    tool({
      name: "search_tools",
      title: "Find tools",
      description:
        "Finds tools of the organization's MCP servers by what they do, by name, or by what they take, best first, with their input schemas and where they are.",
      input: Schema.Struct({ ...paging, name, schema, q }),
      output: output(Page("FoundCapabilityPage", FoundCapability)),
      annotations: reads,
      next: { BadRequest: "Leave `cursor` out for the first page." },
      handle: (query) =>
        Effect.map(discovery.capabilities({ ...query, kind: "tool" }), ({ items, next_cursor }) => ({
          items: items.map(short),
          next_cursor
        }))
    }),
    tool({
      name: "get_tool",
      title: "Read a tool",
      description: "Reads one tool of an MCP server: its schemas, annotations and parameters, and its server.",
      input: Schema.Struct({ tool_id: CapabilityId.annotations({ description: "Id of the tool, a UUIDv7" }) }),
      output: output(ToolOfServer),
      annotations: reads,
      next: { NotFound: "Call search_tools for the ids of tools." },
      handle: ({ tool_id }) => tools.find(tool_id)
    })
  ]
})
