import { HttpApiEndpoint, HttpApiGroup, HttpApiSchema, OpenApi } from "@effect/platform"
import { Schema } from "effect"
import { NeededByMaps } from "../domain/capability/ActionToolMap.ts"
import { CreateTool, Tool, ToolDiscovered, ToolNameTaken, UpdateTool } from "../domain/capability/Tool.ts"
import { NotFound } from "../domain/Errors.ts"
import { CapabilityId, McpServerId } from "../domain/Ids.ts"
import { Page, pageFields, SearchText } from "../domain/Page.ts"
import { Authentication, RequiredScope } from "./Security.ts"

const serverPath = Schema.Struct({ server_id: McpServerId })
const path = Schema.Struct({ server_id: McpServerId, id: CapabilityId })

/** Tools described by hand, for servers that cannot be reached. */
export class ToolsApi extends HttpApiGroup.make("tools")
  .annotate(
    OpenApi.Description,
    "The tools of MCP servers; those of servers that cannot be reached are described by hand"
  )
  .add(
    HttpApiEndpoint.post("create", "/v1/mcp/servers/:server_id/tools")
      .annotate(OpenApi.Summary, "Describe a tool of a server")
      .setPath(serverPath)
      .setPayload(CreateTool)
      .addSuccess(Tool, { status: 201 })
      .addError(NotFound)
      .addError(ToolNameTaken)
      .annotate(RequiredScope, "servers:write")
  )
  .add(
    HttpApiEndpoint.get("list", "/v1/mcp/servers/:server_id/tools")
      .annotate(OpenApi.Summary, "List the tools of a server, newest first")
      .setPath(serverPath)
      .setUrlParams(Schema.Struct({ ...pageFields, q: SearchText }))
      .addSuccess(Page("ToolPage", Tool))
      .addError(NotFound)
      .annotate(RequiredScope, "servers:read")
  )
  .add(
    HttpApiEndpoint.get("get", "/v1/mcp/servers/:server_id/tools/:id")
      .annotate(OpenApi.Summary, "Read a tool")
      .setPath(path)
      .addSuccess(Tool)
      .addError(NotFound)
      .annotate(RequiredScope, "servers:read")
  )
  .add(
    HttpApiEndpoint.patch("update", "/v1/mcp/servers/:server_id/tools/:id")
      .annotate(OpenApi.Summary, "Change a tool that is described by hand")
      .setPath(path)
      .setPayload(UpdateTool)
      .addSuccess(Tool)
      .addError(NotFound)
      .addError(ToolNameTaken)
      .addError(ToolDiscovered)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "servers:write")
  )
  .add(
    HttpApiEndpoint.del("delete", "/v1/mcp/servers/:server_id/tools/:id")
      .annotate(OpenApi.Summary, "Delete a tool that is described by hand and that no map needs")
      .setPath(path)
      .addSuccess(HttpApiSchema.NoContent)
      .addError(NotFound)
      .addError(ToolDiscovered)
      .addError(NeededByMaps)
      .annotate(RequiredScope, "servers:write")
  )
  .middleware(Authentication) {}
