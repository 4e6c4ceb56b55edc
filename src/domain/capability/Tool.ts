import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { CapabilityId, McpServerId } from "../Ids.ts"
import { JsonObject, Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"
import { Parameter } from "./Action.ts"
import { toolSchemaFindings } from "./JsonSchema.ts"

export const CapabilityKind = Schema.Literal("tool", "resource", "resource_template", "prompt").annotations({
  identifier: "CapabilityKind"
})

export const CapabilitySource = Schema.Literal("discovered", "manual").annotations({ identifier: "CapabilitySource" })

const AnyObject = Schema.Record({ key: Schema.String, value: Schema.Unknown })

const ToolSchema = JsonObject(64 * 1024)
  .pipe(Schema.filter(toolSchemaFindings))
  .annotations({
    identifier: "ToolSchema",
    description: "A JSON Schema of an object, up to 64 KiB",
    arbitrary: () => (fc) => fc.constant({ type: "object", properties: { text: { type: "string" } } })
  })

const fields = {
  name: Schema.String.pipe(
    Schema.pattern(/^[A-Za-z0-9_.-]{1,128}$/, { message: () => "must be 1 to 128 letters, digits, _ . -" })
  ),
  title: Schema.NullOr(Text(1, 1000)),
  description: Text(0, 10_000),
  output_schema: Schema.NullOr(ToolSchema),
  annotations: Schema.NullOr(JsonObject(16 * 1024))
}

const shared = {
  id: CapabilityId,
  server_id: McpServerId,
  name: Schema.String,
  title: Schema.NullOr(Schema.String),
  description: Schema.String,
  output_schema: Schema.NullOr(AnyObject),
  annotations: Schema.NullOr(AnyObject),
  enabled: Schema.Boolean,
  source: CapabilitySource,
  /** SHA-256 of the canonical JSON of what describes it. */
  definition_hash: Schema.String,
  created_at: TimestampText,
  updated_at: TimestampText
}

/** A tool of an MCP server; its parameters are read off its input schema. */
export class Tool extends Schema.Class<Tool>("Tool")({
  ...shared,
  input_schema: AnyObject,
  parameters: Schema.Array(Parameter)
}) {}

/** Anything that an MCP server offers. */
export class Capability extends Schema.Class<Capability>("Capability")({
  ...shared,
  kind: CapabilityKind,
  input_schema: Schema.NullOr(AnyObject),
  approved_hash: Schema.NullOr(Schema.String),
  first_seen_at: Schema.NullOr(TimestampText),
  last_seen_at: Schema.NullOr(TimestampText),
  gone_at: Schema.NullOr(TimestampText)
}) {}

export const CreateTool = Schema.Struct({
  name: fields.name,
  title: Schema.optionalWith(fields.title, { default: () => null }),
  description: Schema.optionalWith(fields.description, { default: () => "" }),
  input_schema: ToolSchema,
  output_schema: Schema.optionalWith(fields.output_schema, { default: () => null }),
  annotations: Schema.optionalWith(fields.annotations, { default: () => null })
}).annotations({ identifier: "CreateTool" })
export type CreateTool = typeof CreateTool.Type

export class UpdateTool extends Schema.Class<UpdateTool>("UpdateTool")({
  name: Schema.optionalWith(fields.name, { exact: true }),
  title: Schema.optionalWith(fields.title, { exact: true }),
  description: Schema.optionalWith(fields.description, { exact: true }),
  input_schema: Schema.optionalWith(ToolSchema, { exact: true }),
  output_schema: Schema.optionalWith(fields.output_schema, { exact: true }),
  annotations: Schema.optionalWith(fields.annotations, { exact: true })
}) {}

export const toolNotFound = (id: CapabilityId) => new NotFound({ detail: `there is no tool ${id} of this server` })

/** Names of tools are unique in their server. */
export class ToolNameTaken extends Schema.TaggedError<ToolNameTaken>("ToolNameTaken")(
  "ToolNameTaken",
  { name: Schema.String },
  problem(409, "conflict", "A tool of this name exists")
) {
  override get message() {
    return `there is a tool named ${JSON.stringify(this.name)} of this server already`
  }
}

/** What the server said of itself is not rewritten by hand. */
export class ToolDiscovered extends Schema.TaggedError<ToolDiscovered>("ToolDiscovered")(
  "ToolDiscovered",
  { id: CapabilityId },
  problem(409, "conflict", "The tool was discovered")
) {
  override get message() {
    return `the tool ${this.id} was discovered from its server and cannot be changed by hand`
  }
}
