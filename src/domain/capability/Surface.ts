import { Schema } from "effect"
import { Text } from "../Json.ts"
import { Action, CreateAction, distinctNames } from "./Action.ts"
import { ActionToolMap, Mappings, Name } from "./ActionToolMap.ts"
import { CreateMcpServer, McpServer } from "./McpServer.ts"
import { CreateSuite, Suite } from "./Suite.ts"
import { CreateTool, Tool } from "./Tool.ts"

/** What a PUT came to. */
export const Change = Schema.Literal("created", "updated", "unchanged").annotations({ identifier: "Change" })

/** A suite as it shall be, found by its name: actions that are not in the list are removed. */
export class PutSuite extends Schema.Class<PutSuite>("PutSuite")(
  {
    ...CreateSuite.fields,
    actions: Schema.Array(CreateAction).pipe(Schema.maxItems(500), Schema.filter(distinctNames))
  },
  [undefined, { identifier: "PutSuite" }]
) {}

export class AppliedSuite extends Schema.Class<AppliedSuite>("AppliedSuite")({
  ...Suite.fields,
  actions: Schema.Array(Action),
  change: Change
}) {}

/** A server as it shall be, found by its name: tools described by hand that are not in the list are removed. */
export class PutMcpServer extends Schema.Class<PutMcpServer>("PutMcpServer")(
  {
    ...CreateMcpServer.fields,
    tools: Schema.Array(CreateTool).pipe(Schema.maxItems(500), Schema.filter(distinctNames))
  },
  [undefined, { identifier: "PutMcpServer" }]
) {}

export class AppliedMcpServer extends Schema.Class<AppliedMcpServer>("AppliedMcpServer")({
  ...McpServer.fields,
  tools: Schema.Array(Tool),
  change: Change
}) {}

const Reference = Text(1, 200).annotations({ description: "A name or an id" })

/** A map as it shall be, found by its suite and its name. */
export class PutActionToolMap extends Schema.Class<PutActionToolMap>("PutActionToolMap")({
  suite: Reference,
  server: Reference,
  name: Name,
  mappings: Mappings
}) {}

export class AppliedActionToolMap extends Schema.Class<AppliedActionToolMap>("AppliedActionToolMap")({
  ...ActionToolMap.fields,
  change: Change
}) {}

/** One application's whole surface, as a file under version control holds it. */
export class Surface extends Schema.Class<Surface>("Surface")({
  suite: PutSuite,
  servers: Schema.optionalWith(Schema.Array(PutMcpServer).pipe(Schema.filter(distinctNames)), { default: () => [] }),
  maps: Schema.optionalWith(
    Schema.Array(Schema.Struct({ server: PutActionToolMap.fields.server, name: Name, mappings: Mappings })).pipe(
      Schema.filter(distinctNames)
    ),
    { default: () => [] }
  )
}) {}
