import { Schema } from "effect"
import { NotFound } from "../Errors.ts"
import { ActionId, ActionToolMapId, CapabilityId, McpServerId, SuiteId } from "../Ids.ts"
import { Text, TimestampText } from "../Json.ts"
import { problem } from "../Problem.ts"

/**
 * What is done to an action's parameter on its way to the tool: nothing; as text; as a number; as
 * true or false; as the JSON that the text is; without white space around it; in lower case.
 */
export const Transform = Schema.Literal(
  "none",
  "to_string",
  "to_number",
  "to_boolean",
  "json",
  "trim",
  "lower"
).annotations({
  identifier: "Transform",
  description:
    "`none` leaves the value; `to_string`, `to_number` and `to_boolean` convert it; `json` parses text; `trim` and `lower` clean text"
})

export class ParameterMapping extends Schema.Class<ParameterMapping>("ParameterMapping")({
  /** The name of a parameter of the action. */
  action_parameter: Schema.String,
  /** A property's name, or a JSON pointer into the tool's arguments. */
  tool_parameter: Schema.String,
  transform: Transform
}) {}

export class Mapping extends Schema.Class<Mapping>("Mapping")({
  action: Schema.String,
  action_id: ActionId,
  tool: Schema.String,
  tool_id: CapabilityId,
  parameters: Schema.Array(ParameterMapping)
}) {}

/** Binds one suite to one MCP server: which tool does what which action does. */
export class ActionToolMap extends Schema.Class<ActionToolMap>("ActionToolMap")({
  id: ActionToolMapId,
  suite_id: SuiteId,
  server_id: McpServerId,
  name: Schema.String,
  /** Goes up whenever the mappings or the server change. */
  version: Schema.Int,
  mappings: Schema.Array(Mapping),
  created_at: TimestampText,
  updated_at: TimestampText
}) {}

export const CreateParameterMapping = Schema.Struct({
  action_parameter: Text(1, 200),
  tool_parameter: Text(1, 1000),
  transform: Schema.optionalWith(Transform, { default: () => "none" as const })
}).annotations({ identifier: "CreateParameterMapping" })
export type CreateParameterMapping = typeof CreateParameterMapping.Type

/** `action` and `tool` are names or ids. */
export const CreateMapping = Schema.Struct({
  action: Text(1, 200),
  tool: Text(1, 200),
  parameters: Schema.optionalWith(Schema.Array(CreateParameterMapping).pipe(Schema.maxItems(100)), {
    default: () => []
  })
}).annotations({ identifier: "CreateMapping" })
export type CreateMapping = typeof CreateMapping.Type

export const Name = Text(1, 200)
export const Mappings = Schema.Array(CreateMapping).pipe(Schema.maxItems(500))

export class CreateActionToolMap extends Schema.Class<CreateActionToolMap>("CreateActionToolMap")(
  {
    suite_id: SuiteId,
    server_id: McpServerId,
    name: Name,
    mappings: Schema.optionalWith(Mappings, { default: () => [] })
  },
  [undefined, { identifier: "CreateActionToolMap" }]
) {}

/** `mappings` replaces the whole list. */
export class UpdateActionToolMap extends Schema.Class<UpdateActionToolMap>("UpdateActionToolMap")({
  name: Schema.optionalWith(Name, { exact: true }),
  mappings: Schema.optionalWith(Mappings, { exact: true })
}) {}

export const mapNotFound = (id: ActionToolMapId) => new NotFound({ detail: `there is no action–tool map ${id}` })

/** Names of maps are unique in their suite. */
export class MapNameTaken extends Schema.TaggedError<MapNameTaken>("MapNameTaken")(
  "MapNameTaken",
  { name: Schema.String },
  problem(409, "conflict", "A map of this name exists")
) {
  override get message() {
    return `there is an action–tool map named ${JSON.stringify(this.name)} in this suite already`
  }
}

export class NamedMap extends Schema.Class<NamedMap>("NamedMap")({ id: ActionToolMapId, name: Schema.String }) {}

/** What a map uses cannot be taken away under it. */
export class NeededByMaps extends Schema.TaggedError<NeededByMaps>("NeededByMaps")(
  "NeededByMaps",
  { what: Schema.String, maps: Schema.Array(NamedMap) },
  problem(409, "conflict", "An action–tool map needs this")
) {
  override get message() {
    const names = this.maps.map(({ name }) => JSON.stringify(name)).join(", ")
    return `${this.what} is needed by the action–tool ${this.maps.length === 1 ? "map" : "maps"} ${names}`
  }
}
